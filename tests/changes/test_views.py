"""The pages: who sees and does what, that nothing typed is lost, and that queries stay few."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.models import Environment, User
from changes.models import Change, Review
from changes.services import review_add
from tests.changes.conftest import run
from tests.factories.access import make_user
from tests.factories.changes import (
    JournalKind,
    approve,
    make_change,
    step,
    submit,
    target,
)

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


@pytest.fixture
def change(author: User, environment: Environment) -> Change:
    return submit(author, target(environment))


def detail(change: Change) -> str:
    return reverse("changes:detail", args=[change.pk])


def post(client: Client, name: str, pk: int, **values: str) -> Any:
    return client.post(reverse(f"changes:{name}", args=[pk]), values)


# --- Rights ---------------------------------------------------------------------------------
def test_nobody_without_a_sign_in(client: Client, change: Change) -> None:
    for address in (reverse("changes:list"), detail(change)):
        assert client.get(address).status_code == 302


@pytest.mark.parametrize(
    ("who", "status"),
    [("viewer", 200), ("author", 200), ("approver", 200), ("admin", 200), ("outsider", 404)],
)
def test_who_sees_a_change(
    request: pytest.FixtureRequest, client_of: ClientOf, change: Change, who: str, status: int
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get(detail(change)).status_code == status
    listed = client.get(reverse("changes:list"), {"tab": "all"}).content.decode()
    assert (change.title in listed) == (status == 200)


@pytest.mark.parametrize(
    ("who", "review", "comment", "withdraw", "again", "retry"),
    [
        ("viewer", 403, 403, 403, 403, 403),
        ("author", 403, 302, 302, 302, 302),
        ("approver", 302, 302, 403, 302, 302),
        ("admin", 302, 302, 302, 302, 302),
        ("outsider", 404, 404, 404, 404, 404),
    ],
)
def test_who_may_do_what(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    author: User,
    approver: User,
    environment: Environment,
    journal: JournalKind,
    who: str,
    review: int,
    comment: int,
    withdraw: int,
    again: int,
    retry: int,
) -> None:
    client = client_of(request.getfixturevalue(who))
    first = make_change(author, environment)
    given = {"verdict": "approve", "digest": first.digest}
    assert post(client, "review", first.pk, **given).status_code == review
    second = make_change(author, environment)
    assert post(client, "comment", second.pk, comment="x").status_code == comment
    assert post(client, "withdraw", second.pk).status_code == withdraw
    for name, expected in (("retry", retry), ("review_again", again)):
        journal.fail_next("send", problem="forbidden")
        failed = run(approve(approver, make_change(author, environment)))
        pk = failed.operations.get().pk if name == "retry" else failed.pk
        assert post(client, name, pk).status_code == expected
        failed.refresh_from_db()
        assert (failed.state != "failed") == (expected == 302)


@pytest.mark.parametrize("name", ["review", "comment", "withdraw", "review_again", "retry"])
def test_a_get_writes_nothing(client_of: ClientOf, admin: User, change: Change, name: str) -> None:
    address = reverse(f"changes:{name}", args=[change.pk])
    assert client_of(admin).get(address).status_code == 405


def test_the_author_does_not_approve_by_hand_made_post(
    client_of: ClientOf, environment: Environment
) -> None:
    own = make_user("approver", environment)
    change = make_change(own, environment)
    given = {"verdict": "approve", "digest": change.digest}
    assert post(client_of(own), "review", change.pk, **given).status_code == 403
    change.refresh_from_db()
    assert change.state == "in_review"


# --- Deciding -------------------------------------------------------------------------------
def test_the_page_says_what_the_click_does(
    client_of: ClientOf, author: User, approver: User, viewer: User, change: Change
) -> None:
    page = client_of(approver).get(detail(change)).content.decode()
    assert "Your approval would complete it." in page
    assert 'value="approve"' in page
    for who, sentence in (
        (author, "You proposed this change, so somebody else reviews it."),
        (viewer, "Your role here does not review changes."),
    ):
        page = client_of(who).get(detail(change)).content.decode()
        assert sentence in page
        assert 'value="approve"' not in page


def test_approving_by_the_page(client_of: ClientOf, approver: User, change: Change) -> None:
    client = client_of(approver)
    page = client.get(detail(change)).content.decode()
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest is not None
    answer = post(client, "review", change.pk, verdict="approve", digest=digest[1])
    assert answer.headers["Location"] == detail(change)
    change.refresh_from_db()
    assert change.state == "approved"
    assert "You approved" in client.get(detail(change)).content.decode()


def test_a_stale_page_shows_the_new_difference_and_keeps_what_was_typed(
    client_of: ClientOf, author: User, approver: User, change: Change, environment: Environment
) -> None:
    shown = change.digest
    submit(author, target(environment, step(body={"size": 4242})), revises=change)
    answer = post(
        client_of(approver),
        "review",
        change.pk,
        verdict="approve",
        digest=shown,
        comment="I typed this",
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "4242" in page
    assert "I typed this" in page
    change.refresh_from_db()
    assert f'name="digest" value="{change.digest}"' in page
    assert change.state == "in_review"
    assert not Review.objects.exists()


@pytest.mark.parametrize("verdict", ["reject", "request_changes"])
def test_who_does_not_approve_says_why(
    client_of: ClientOf, approver: User, change: Change, verdict: str
) -> None:
    client = client_of(approver)
    given = {"verdict": verdict, "digest": change.digest}
    answer = post(client, "review", change.pk, **given)
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert post(client, "review", change.pk, comment="too big", **given).status_code == 302
    change.refresh_from_db()
    assert change.state == ("rejected" if verdict == "reject" else "draft")


def test_a_returned_change_shows_what_was_asked(
    client_of: ClientOf, author: User, approver: User, change: Change
) -> None:
    review_add(
        reviewer=approver,
        change=change,
        verdict="request_changes",
        comment="smaller please",
        digest=change.digest,
    )
    page = client_of(author).get(detail(change)).content.decode()
    assert "smaller please" in page
    assert f'formaction="/revise/{change.pk}"' in page
    others = client_of(approver).get(detail(change)).content.decode()
    assert "/revise/" not in others
    listed = client_of(author).get(reverse("changes:list"), {"tab": "needs"}).content.decode()
    assert change.title in listed


def test_a_decision_that_came_too_late_is_told(
    client_of: ClientOf, approver: User, admin: User, change: Change
) -> None:
    approve(admin, change)
    client = client_of(approver)
    answer = post(client, "review", change.pk, verdict="approve", digest=change.digest)
    assert answer.status_code == 302
    assert "not in review any more" in client.get(detail(change)).content.decode()


def test_a_problem_is_named_with_its_next_step(
    client_of: ClientOf, author: User, approver: User, change: Change, journal: JournalKind
) -> None:
    journal.fail_next("send", problem="forbidden", code="AuthorizationFailed", message="No <role>.")
    run(approve(approver, change))
    page = client_of(author).get(detail(change)).content.decode()
    for text in (
        "The portal&#x27;s identity may not do this",
        "Give the identity the role",
        "AuthorizationFailed",
        "No &lt;role&gt;.",
        "Try again",
    ):
        assert text in page


def test_a_base_that_moves_during_the_review_is_told(
    client_of: ClientOf, approver: User, change: Change, journal: JournalKind
) -> None:
    client = client_of(approver)
    said = "was altered after this was submitted"
    assert said not in client.get(detail(change)).content.decode()
    journal.put("/r/one", {"size": 7})
    assert said in client.get(detail(change)).content.decode()


def test_a_moved_base_offers_the_new_review(
    client_of: ClientOf, author: User, approver: User, change: Change, journal: JournalKind
) -> None:
    journal.put("/r/one", {"size": 31337})
    run(approve(approver, change))
    client = client_of(author)
    assert "Review against the new base" in client.get(detail(change)).content.decode()
    post(client, "review_again", change.pk)
    page = client.get(detail(change)).content.decode()
    assert "31337" in page


# --- What is shown ----------------------------------------------------------------------
def test_the_difference_the_request_and_the_digest_are_on_the_page(
    client_of: ClientOf, author: User, approver: User, environment: Environment
) -> None:
    base = {"size": 1, "path": "./apps/staging", "key": {"$secret": "7"}}
    body = {"size": 1, "path": "./apps/production", "key": {"$secret": "8"}}
    change = submit(
        author, target(environment, step("/r/one", body, base, verb="update")), verb="update"
    )
    page = client_of(approver).get(detail(change)).content.decode()
    assert "PUT /r/one?api-version=2025-04-01" in page
    assert "<del>./apps/staging</del>" in page
    assert "<ins>./apps/production</ins>" in page
    assert "•••• version <ins>8</ins>" in page
    assert change.digest in page


def test_user_text_is_never_markup(
    client_of: ClientOf, author: User, viewer: User, environment: Environment
) -> None:
    evil = "<script>alert(1)</script>"
    change = submit(
        author,
        target(environment, step(body={"a": evil, evil: 1}), name=evil),
        title=evil,
        reason=evil,
    )
    for address in (detail(change), reverse("changes:list") + "?tab=all&q=<script>alert"):
        assert "<script>alert" not in client_of(viewer).get(address).content.decode()


@pytest.mark.parametrize("part", ["decision", "approvals", "targets", "story"])
def test_a_part_asks_for_itself(
    client_of: ClientOf, viewer: User, change: Change, part: str
) -> None:
    client = client_of(viewer)
    headers = {"HX-Request": "true", "HX-Target": part}
    answer = client.get(detail(change), headers=headers)
    assert f'id="{part}"' in answer.content.decode()
    assert "<html" not in answer.content.decode()
    again = client.get(detail(change), headers={**headers, "If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


# --- The list -------------------------------------------------------------------------------
def test_tabs_show_whose_turn_it_is(
    client_of: ClientOf, author: User, approver: User, environment: Environment
) -> None:
    waiting, approved = (make_change(author, environment, n) for n in (1, 2))
    approve(approver, approved)

    def titles(who: User, tab: str) -> set[str]:
        page = client_of(who).get(reverse("changes:list"), {"tab": tab}).content.decode()
        return {change.title for change in (waiting, approved) if f">{change.title}<" in page}

    assert titles(approver, "needs") == {waiting.title}
    assert titles(author, "needs") == set()
    assert titles(author, "mine") == {waiting.title, approved.title}
    assert titles(approver, "mine") == set()
    assert titles(approver, "open") == {waiting.title, approved.title}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "Change 1"}, {1}),
        ({"state": "approved"}, {2}),
        ({"kind": "journal"}, {1, 2, 3}),
        ({"kind": "unheard"}, set()),
        ({"author": "approver"}, {3}),
        ({"author": "Author"}, {1, 2}),
        ({"state": "no such state"}, {1, 2, 3}),
        ({"before": "x"}, {1, 2, 3}),
    ],
)
def test_filters_are_in_the_address(
    client_of: ClientOf,
    author: User,
    approver: User,
    admin: User,
    environment: Environment,
    query: dict[str, str],
    found: set[int],
) -> None:
    makers = (author, author, approver)
    changes = [make_change(who, environment, n) for n, who in enumerate(makers, 1)]
    approve(admin, changes[1])
    page = client_of(admin).get(reverse("changes:list"), {"tab": "all", **query}).content.decode()
    assert {n for n in (1, 2, 3) if f">Change {n}<" in page} == found


def test_a_number_finds_its_change(client_of: ClientOf, viewer: User, change: Change) -> None:
    address = reverse("changes:list")
    for q, there in ((f"#{change.pk}", True), (str(change.pk + 999), False)):
        page = client_of(viewer).get(address, {"tab": "all", "q": q}).content.decode()
        assert (change.title in page) == there


def test_paging_by_key_shows_every_change_once(
    client_of: ClientOf, author: User, viewer: User, environment: Environment
) -> None:
    for n in range(1, 56):
        make_change(author, environment, n)
    client = client_of(viewer)
    seen: list[str] = []
    address = reverse("changes:list") + "?tab=all"
    pages = []
    while address:
        page = client.get(address).content.decode()
        pages.append(address)
        seen += re.findall(r">Change (\d+)<", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        address = reverse("changes:list") + older[1].replace("&amp;", "&") if older else ""
    assert [int(n) for n in seen] == list(range(55, 0, -1))
    assert len(pages) == 3
    newer = re.search(r'rel="prev" href="([^"]+)"', page)
    assert newer is not None
    back = client.get(reverse("changes:list") + newer[1].replace("&amp;", "&")).content.decode()
    assert [int(n) for n in re.findall(r">Change (\d+)<", back)] == list(range(30, 5, -1))


# --- Queries ------------------------------------------------------------------------------
def queries(client: Client, address: str) -> int:
    client.get(address)  # templates, sessions and content types are warm then
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_queries_of_the_list_do_not_grow(
    client_of: ClientOf, author: User, approver: User, environment: Environment
) -> None:
    client = client_of(approver)
    address = reverse("changes:list") + "?tab=all"
    make_change(author, environment)
    few = queries(client, address)
    for n in range(20):
        make_change(author, environment, n)
    assert queries(client, address) == few
    assert few <= 16


def test_queries_of_a_change_do_not_grow_with_its_targets(
    client_of: ClientOf, author: User, approver: User, environment: Environment
) -> None:
    def of(count: int) -> Change:
        targets = [
            target(environment, step(f"/r/{count}-{n}"), name=f"cluster-{n}", cluster_id=n)
            for n in range(count)
        ]
        return approve(approver, submit(author, *targets))

    client = client_of(approver)
    few = queries(client, detail(of(2)))
    assert queries(client, detail(of(40))) == few
    assert few <= 20
