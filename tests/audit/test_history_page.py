"""What the history shows to whom."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from access.models import Environment, User
from audit import exports
from audit.models import AuditEvent
from audit.services import content_hash, record
from tests.factories.access import client_of, make_user

pytestmark = pytest.mark.django_db
PAGE = "/history/"


def happened(name: str, action: str = "change.approved", **more: Any) -> AuditEvent:
    more = {"actor": None, "object_type": "change", "object_id": 7, **more}
    return record(action=action, object_name=name, **more)


def shown(client: Client, **query: Any) -> list[str]:
    """Names of the objects on the page, newest first."""
    page = client.get(PAGE, query).context["page"]
    return [row.event.object_name for row in page.rows]


# --- Visibility -------------------------------------------------------------------------------
def test_events_are_seen_where_one_may_view(
    viewer: User, outsider: User, admin: User, environment: Environment, elsewhere: Environment
) -> None:
    happened("here", environment_id=environment.pk)
    happened("there", environment_id=elsewhere.pk)
    happened("nowhere")
    assert shown(client_of(viewer)) == ["here"]
    assert shown(client_of(outsider)) == ["there"]
    assert shown(client_of(admin)) == ["nowhere", "there", "here"]
    assert shown(client_of(make_user("viewer"))) == ["nowhere", "there", "here"]


def test_own_acts_are_seen_wherever_they_happened(viewer: User, elsewhere: Environment) -> None:
    happened("mine", actor=viewer, environment_id=elsewhere.pk)
    happened("mine too", actor=viewer)
    happened("not mine", environment_id=elsewhere.pk)
    assert shown(client_of(viewer)) == ["mine too", "mine"]


@pytest.mark.parametrize("address", ["/history/export.csv", "/history/export.jsonl"])
def test_an_export_holds_no_more_than_the_page(
    viewer: User, environment: Environment, elsewhere: Environment, address: str
) -> None:
    happened("is here", environment_id=environment.pk)
    happened("is there", environment_id=elsewhere.pk)
    text = b"".join(client_of(viewer).get(address)).decode()
    assert "is here" in text
    assert "is there" not in text


def test_a_foreign_environment_cannot_be_filtered_by(viewer: User, elsewhere: Environment) -> None:
    happened("there", environment_id=elsewhere.pk)
    assert shown(client_of(viewer), environment=elsewhere.pk) == []


# --- Filters ----------------------------------------------------------------------------------
@pytest.fixture
def story(admin: User, author: User, environment: Environment) -> Client:
    """Four events, and the admin's client."""
    happened("cluster-config", "change.submitted", actor=author, environment_id=environment.pk)
    happened("cluster-config", "change.approved", actor=admin, environment_id=environment.pk)
    happened("aks-weu", "cluster.seen", object_type="cluster", object_id=3)
    happened("Admin", "signin.failed", object_type="person", object_id=admin.pk)
    return client_of(admin)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["Admin", "aks-weu", "cluster-config", "cluster-config"]),
        ({"actor": "Author"}, ["cluster-config"]),
        ({"actor": "nobody"}, []),
        ({"action": "reviews"}, ["cluster-config"]),
        ({"action": "signin.failed"}, ["Admin"]),
        ({"object": "cluster:3"}, ["aks-weu"]),
        ({"object": "cluster:4"}, []),
        ({"object": "person"}, ["Admin"]),
        ({"object": "weu"}, ["aks-weu"]),
        ({"since": "2000-01-01", "until": "2001-01-01"}, []),
        ({"since": "2000-01-01"}, ["Admin", "aks-weu", "cluster-config", "cluster-config"]),
        ({"since": "2000-13-01"}, []),
        ({"environment": "99999"}, []),
        ({"before": "x"}, []),
    ],
)
def test_filters(story: Client, query: dict[str, str], names: list[str]) -> None:
    assert shown(story, **query) == names


def test_the_actor_can_be_named_by_id(story: Client, author: User) -> None:
    assert shown(story, actor=author.pk) == ["cluster-config"]


def test_the_environment_narrows(story: Client, environment: Environment) -> None:
    assert shown(story, environment=environment.pk) == ["cluster-config"] * 2


def test_until_a_day_includes_that_day(story: Client) -> None:
    today = timezone.now().date()
    assert len(shown(story, until=today.isoformat())) == 4
    assert shown(story, until=(today - timedelta(days=1)).isoformat()) == []


def test_the_filter_stays_in_the_links(story: Client) -> None:
    html = story.get(PAGE, {"actor": "Author", "action": "requests"}).content.decode()
    assert "/history/export.csv?actor=Author&amp;action=requests" in html
    assert 'href="?actor=Author&amp;action=reviews"' in html


# --- Paging -----------------------------------------------------------------------------------
def test_pages_older_and_newer_meet(admin: User) -> None:
    for number in range(120):
        happened(f"n{number:03}")
    client = client_of(admin)
    seen: list[str] = []
    before, pages = "", []
    while True:
        page = client.get(PAGE, {"before": before}).context["page"]
        pages.append(page)
        seen += [row.event.object_name for row in page.rows]
        if not page.older:
            break
        before = page.older
    assert seen == [f"n{number:03}" for number in reversed(range(120))]
    back = client.get(PAGE, {"after": pages[2].newer}).context["page"]
    assert [row.event.pk for row in back.rows] == [row.event.pk for row in pages[1].rows]


def test_the_queries_do_not_grow_with_the_events(
    viewer: User, environment: Environment, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(viewer)
    for number in range(60):
        happened(f"n{number}", environment_id=environment.pk, before={"a": 1}, after={"a": 2})
    with django_assert_max_num_queries(6):
        client.get(PAGE)


# --- What an event shows ----------------------------------------------------------------------
def test_an_unknown_act_is_shown(admin: User) -> None:
    happened("thing", "rocket.launched", object_type="rocket")
    html = client_of(admin).get(PAGE).content.decode()
    assert "Fluxgate: rocket.launched thing" in html


def test_what_people_write_is_text(admin: User) -> None:
    happened("<script>alert(1)</script>", reason="<b>{actor}</b>", note="</script><i>")
    html = client_of(admin).get(PAGE).content.decode()
    assert "<script>alert(1)" not in html
    assert "<b>{actor}" not in html
    assert "</script><i>" not in html


def test_before_and_after_are_compared(admin: User) -> None:
    happened("x", before={"a": 1, "b": 2}, after={"a": 1, "b": 3})
    row = client_of(admin).get(PAGE).context["page"].rows[0]
    assert [(line.kind, line.left, line.right) for line in row.lines] == [
        ("same", "{", "{"),
        ("same", '  "a": 1,', '  "a": 1,'),
        ("both", '  "b": 2', '  "b": 3'),
        ("same", "}", "}"),
    ]


def test_long_equal_stretches_are_folded(admin: User) -> None:
    same = {f"k{number:02}": number for number in range(20)}
    happened("x", before={**same, "z": 1}, after={**same, "z": 2})
    lines = client_of(admin).get(PAGE).context["page"].rows[0].lines
    assert [line.kind for line in lines] == ["fold", "same", "same", "same", "both", "same"]
    assert lines[0].folded == 18


def test_a_known_object_is_linked_and_an_unknown_one_is_not(admin: User) -> None:
    happened("Admin", "person.created", object_type="person", object_id=admin.pk)
    happened("gone", "person.created", object_type="person", object_id="")
    happened("what", object_type="whatever")
    rows = client_of(admin).get(PAGE).context["page"].rows
    assert [row.url for row in rows] == ["", "", f"/people/{admin.pk}/"]


def test_new_events_are_counted_for_the_filter(admin: User) -> None:
    client = client_of(admin)
    first = happened("one")
    happened("two")
    happened("other", "signin.failed")

    def asked_since(newest: int) -> str:
        headers = {"HX-Request": "true", "HX-Target": f"new-since-{newest}"}
        return client.get(PAGE, {"action": "reviews"}, headers=headers).content.decode()

    assert f'id="new-since-{first.pk}"' in asked_since(first.pk)
    assert "1 new event." in asked_since(first.pk)
    assert "<h1>" not in asked_since(first.pk)
    assert "new event." not in asked_since(first.pk + 1)


# --- Exports ----------------------------------------------------------------------------------
def test_json_lines_let_anybody_compute_the_hashes(admin: User) -> None:
    happened("one", fact=1.5)
    happened("two", reason="because")
    answer = client_of(admin).get("/history/export.jsonl")
    events = [json.loads(line) for line in b"".join(answer).decode().splitlines()]
    assert [event["object_name"] for event in events] == ["two", "one"]
    for event in events:
        event["at"] = timezone.datetime.fromisoformat(event["at"])
        assert content_hash(AuditEvent(**event)) == event["hash"]


def test_csv_is_safe_in_a_spreadsheet(admin: User) -> None:
    happened("=HYPERLINK(1)")
    answer = client_of(admin).get("/history/export.csv")
    rows = list(csv.DictReader(StringIO(b"".join(answer).decode())))
    assert rows[0]["object_name"] == "'=HYPERLINK(1)"
    assert rows[0]["action"] == "change.approved"


def test_an_export_that_is_cut_says_so(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST", 3)
    monkeypatch.setattr(exports, "_CHUNK", 2)
    for number in range(4):
        happened(str(number))
    lines = b"".join(client_of(admin).get("/history/export.jsonl")).decode().splitlines()
    assert [json.loads(line).get("object_name") for line in lines] == ["3", "2", "1", None]
    assert "newest 3 events" in json.loads(lines[-1])["note"]


def test_an_export_streams_on_the_server_that_runs_it(admin: User) -> None:
    happened("one")

    async def fetch() -> tuple[bool, bytes]:
        client = AsyncClient()
        await client.aforce_login(admin)
        answer = await client.get("/history/export.jsonl")
        return answer.is_async, b"".join([part async for part in answer])

    streams, body = async_to_sync(fetch)()
    assert streams
    assert json.loads(body)["object_name"] == "one"
