"""The shell of every page: counts in one query, entries by right, theme without a flash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory

from access.models import Environment, User
from access.rights import rights_of
from live.services import bump
from portal.context import Shell
from tests.portal import fleet

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def shell_of(user: User, **cookies: str) -> Shell:
    request = RequestFactory().get("/")
    request.user = user
    request.COOKIES.update(cookies)
    return Shell(request)


def test_counts_cost_one_query_when_asked_and_none_until_something_moves(
    approver: User, author: User, environment: Environment, django_assert_num_queries: Any
) -> None:
    on = fleet.cluster(environment)
    target = fleet.configuration(on)
    fleet.configuration(on, "other")
    fleet.change(author, target)
    rights_of(approver)
    with django_assert_num_queries(0):
        shell = shell_of(approver)
    with django_assert_num_queries(2):  # the versions that the page needs anyway, and the counts
        assert shell.counts == {"configurations": 2, "clusters": 1, "reviews": 1}
        assert shell.counts["clusters"] == 1
    with django_assert_num_queries(1):
        assert shell_of(approver).counts["configurations"] == 2
    fleet.configuration(on, "third")
    bump("configurations")
    assert shell_of(approver).counts["configurations"] == 3


def test_a_person_counts_only_what_they_see(
    outsider: User, admin: User, environment: Environment
) -> None:
    fleet.configuration(fleet.cluster(environment))
    assert shell_of(outsider).counts == {"configurations": 0, "clusters": 0, "reviews": 0}
    assert shell_of(admin).counts == {
        "configurations": 1,
        "clusters": 1,
        "reviews": 0,
        "connections": 1,
    }


def test_only_admins_see_the_entries_of_admins(
    admin: User, author: User, client_of: ClientOf
) -> None:
    assert "fg-side__end" in client_of(admin).get("/").content.decode()
    assert "fg-side__end" not in client_of(author).get("/").content.decode()


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", 'data-bs-theme="dark"'), ("light", 'data-bs-theme="light"')],
)
def test_the_server_sets_the_chosen_theme(
    cookie: str, attribute: str, viewer: User, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    assert "data-bs-theme=" not in client.get("/").content.decode()
    client.cookies["fg-theme"] = cookie
    assert attribute in client.get("/").content.decode()


def test_a_forged_theme_is_ignored(viewer: User) -> None:
    assert shell_of(viewer, **{"fg-theme": '"><script>'}).theme == ""


def test_signing_out_is_a_post(viewer: User, client_of: ClientOf) -> None:
    html = client_of(viewer).get("/").content.decode()
    assert '<form action="/sign-out/" method="post">' in html
    assert "/language/" not in html  # there is only one


def test_the_language_is_kept_where_there_are_several(
    viewer: User, client_of: ClientOf, settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    client = client_of(viewer)
    assert '<form action="/language/" method="post">' in client.get("/").content.decode()
    answer = client.post("/language/", {"language": "de", "next": "/"})
    assert answer.status_code == 302
    assert '<html lang="de"' in client.get("/").content.decode()


def test_the_page_says_where_it_is_and_can_be_skipped_to(viewer: User, client_of: ClientOf) -> None:
    html = client_of(viewer).get("/").content.decode()
    assert html.count("<h1>") == 1
    assert '<a class="fg-skip" href="#main">' in html
    assert html.count('aria-current="page"') == 2  # navigation and breadcrumb


def test_the_policy_allows_nothing_inline(viewer: User, client_of: ClientOf) -> None:
    policy = client_of(viewer).get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
