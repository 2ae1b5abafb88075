"""A page answers whole or in part, and not at all when nothing that it shows has moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from access.models import Role, RoleAssignment, User
from live import pages
from live.services import bump

pytestmark = pytest.mark.django_db

TEMPLATE = """{% load partials %}<h1>{{ title }}</h1>
{% partialdef rows inline %}<ul id="rows"><li>{{ title }}</li></ul>{% endpartialdef %}
{% partialdef ask inline %}<form id="ask">{% csrf_token %}{{ title }}</form>{% endpartialdef %}"""


@pytest.fixture(autouse=True)
def _page(tmp_path: Any, settings: Any) -> None:
    (tmp_path / "page.html").write_text(TEMPLATE)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages age in steps; the tests live within one."""
    monkeypatch.setattr(pages.time, "time", lambda: 1_000_000.0)


def person(name: str, role: str = Role.VIEWER) -> User:
    user = User.objects.create_user(name)
    RoleAssignment.objects.create(user=user, role=role, environment=None)
    return user


class Visit:
    """Asks the page `page.html` the way a browser does, and counts how often it was computed."""

    def __init__(self, **options: Any) -> None:
        self.options = {"parts": ("rows", "ask"), "scopes": ("configurations",)} | options
        self.computed = 0

    def context(self) -> Mapping[str, Any]:
        self.computed += 1
        return {"title": f"Fleet {self.computed}"}

    def get(
        self,
        user: User | AnonymousUser,
        *,
        part: str = "",
        etag: str = "",
        path: str = "/page/",
        **headers: str,
    ) -> HttpResponse:
        if part:
            headers |= {"hx-request": "true", "hx-target": part}
        if etag:
            headers["if-none-match"] = etag
        request: HttpRequest = RequestFactory(headers=headers).get(path)
        request.user = user
        request.META["CSRF_COOKIE"] = "a" * 32
        request._messages = CookieStorage(request)  # type: ignore[attr-defined]
        self.request = request
        return pages.render_page(request, "page.html", self.context, **self.options)


def test_whole_page_or_the_part_that_asks_for_itself() -> None:
    ann, visit = person("ann"), Visit()
    whole = visit.get(ann).content.decode()
    assert "<h1>" in whole
    assert '<ul id="rows">' in whole
    part = visit.get(ann, part="rows").content.decode()
    assert "<h1>" not in part
    assert part.strip().startswith('<ul id="rows">')


def test_a_part_may_be_of_the_template_that_the_page_extends(tmp_path: Path) -> None:
    body = "{% load partials %}{% partialdef head inline %}<p id='head'>of the base</p>"
    (tmp_path / "base_page.html").write_text(body + "{% endpartialdef %}")
    visit = Visit(parts={"head": "base_page.html", "rows": "page.html"})
    ann = person("ann")
    assert b"of the base" in visit.get(ann, part="head").content
    assert b'<ul id="rows">' in visit.get(ann, part="rows").content


def test_an_unknown_target_or_a_boosted_link_gets_the_whole_page() -> None:
    ann, visit = person("ann"), Visit()
    assert b"<h1>" in visit.get(ann, part="other").content
    boosted = visit.get(ann, part="rows", **{"hx-boosted": "true"})
    assert b"<h1>" in boosted.content


def test_unchanged_is_304_and_computes_nothing() -> None:
    ann, visit = person("ann"), Visit()
    first = visit.get(ann)
    again = visit.get(ann, etag=first["ETag"])
    assert again.status_code == 304
    assert again.content == b""
    assert again["ETag"] == first["ETag"]
    assert visit.computed == 1


def test_a_bump_of_a_scope_makes_it_new() -> None:
    ann, visit = person("ann"), Visit()
    first = visit.get(ann)
    bump("clusters")
    assert visit.get(ann, etag=first["ETag"]).status_code == 304
    bump("configurations")
    moved = visit.get(ann, etag=first["ETag"])
    assert moved.status_code == 200
    assert moved["ETag"] != first["ETag"]


@pytest.mark.parametrize(
    "change",
    [{"path": "/page/?q=x"}, {"cookie": "fg-theme=dark"}, {"part": "rows"}],
    ids=["address", "theme", "part"],
)
def test_the_etag_covers_what_the_answer_depends_on(change: dict[str, str]) -> None:
    ann, visit = person("ann"), Visit()
    first = visit.get(ann)
    assert visit.get(ann, etag=first["ETag"], **change).status_code == 200


def test_another_person_never_matches() -> None:
    visit = Visit(shared=True)
    first = visit.get(person("ann"))
    assert visit.get(person("bob"), etag=first["ETag"]).status_code == 200


def test_an_aged_answer_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ann, visit = person("ann"), Visit()
    first = visit.get(ann)
    monkeypatch.setattr(pages.time, "time", lambda: 1_000_000.0 + pages.FRESH_SECONDS)
    assert visit.get(ann, etag=first["ETag"]).status_code == 200


def test_bodies_of_parts_are_kept_whole_pages_are_not() -> None:
    ann, visit = person("ann"), Visit()
    assert visit.get(ann, part="rows").content == visit.get(ann, part="rows").content
    assert visit.computed == 1
    visit.get(ann)
    visit.get(ann)
    assert visit.computed == 3


def test_a_body_is_shared_only_when_said_and_only_with_equal_rights() -> None:
    ann, bob, cat = person("ann"), person("bob"), person("cat", Role.ADMIN)
    own = Visit()
    own.get(ann, part="rows")
    own.get(bob, part="rows")
    assert own.computed == 2
    cache.clear()
    shared = Visit(shared=True)
    shared.get(ann, part="rows")
    shared.get(bob, part="rows")
    assert shared.computed == 1
    shared.get(cat, part="rows")
    assert shared.computed == 2


def test_a_part_with_a_csrf_token_is_never_kept() -> None:
    ann, visit = person("ann"), Visit(shared=True)
    assert b"csrfmiddlewaretoken" in visit.get(ann, part="ask").content
    visit.get(ann, part="ask")
    assert visit.computed == 2


def test_a_page_with_a_message_is_not_kept_by_anybody() -> None:
    ann, visit = person("ann"), Visit()
    first = visit.get(ann)
    request = visit.request
    messages.add_message(request, messages.INFO, "Approved.")
    request.META["HTTP_IF_NONE_MATCH"] = first["ETag"]
    answer = pages.render_page(request, "page.html", visit.context, **visit.options)
    assert answer.status_code == 200
    assert "ETag" not in answer
    assert "no-store" in answer["Cache-Control"]


def test_headers_keep_shared_caches_out() -> None:
    answer = Visit().get(person("ann"))
    assert {"no-cache", "private"} == {part.strip() for part in answer["Cache-Control"].split(",")}
    assert {"Cookie", "HX-Request", "HX-Target"} <= {
        name.strip() for name in answer["Vary"].split(",")
    }


def test_without_scopes_nothing_is_conditional() -> None:
    answer = Visit(scopes=()).get(person("ann"))
    assert "ETag" not in answer
    assert "no-store" in answer["Cache-Control"]


def test_a_304_costs_the_rights_and_the_versions(django_assert_num_queries: Any) -> None:
    ann, visit = person("ann"), Visit()
    etag = visit.get(ann)["ETag"]
    ann = User.objects.get(pk=ann.pk)
    with django_assert_num_queries(2):
        assert visit.get(ann, etag=etag).status_code == 304
