"""The overview: problems first, only what the person may see, and a constant number of queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Environment, User
from changes.inbox import waiting_for_review_by
from configurations import search
from configurations.models import Configuration
from live.services import bump
from portal.overview import Overview
from tests.portal import fleet

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def test_counts_are_of_visible_configurations_only(
    viewer: User, environment: Environment, elsewhere: Environment
) -> None:
    here, there = fleet.cluster(environment), fleet.cluster(elsewhere)
    fleet.configuration(here, "a", "Compliant")
    fleet.configuration(here, "b", "Non-Compliant")
    fleet.configuration(there, "c", "Non-Compliant")
    counts = Overview(viewer).counts
    assert (counts.compliant, counts.non_compliant, counts.total) == (1, 1, 2)


def test_what_was_not_seen_lately_is_unknown_never_compliant(
    viewer: User, environment: Environment
) -> None:
    on = fleet.cluster(environment)
    old = search.stale_before() - timedelta(seconds=1)
    fleet.configuration(on, "a", "Compliant", observed_at=old)
    fleet.configuration(on, "b", "Unknown")
    fleet.configuration(on, "c", "Compliant")
    counts = Overview(viewer).counts
    assert (counts.compliant, counts.unknown, counts.stale) == (1, 2, 1)


def test_each_number_is_that_of_the_list_behind_it(admin: User, environment: Environment) -> None:
    on = fleet.cluster(environment)
    old = search.stale_before() - timedelta(minutes=1)
    states = ["Compliant", "Compliant", "Non-Compliant", "Pending", "Suspended", "Unknown"]
    for number, state in enumerate(states):
        fleet.configuration(on, f"c{number}", state)
    fleet.configuration(on, "stale", "Compliant", observed_at=old)
    fleet.configuration(on, "drifted", "Compliant", drifted=True)
    overview = Overview(admin)
    numbers = vars(overview.counts)
    numbers |= {"drifted": overview.drifted, "unmanaged": overview.unmanaged}
    for name, address in overview.listed().items():
        words = parse_qs(urlsplit(address).query)["q"][0]
        found = Configuration.objects.filter(search.condition(search.parse(words)))
        assert found.count() == numbers[name], words


def test_a_configuration_that_is_gone_is_not_counted(
    viewer: User, environment: Environment
) -> None:
    fleet.configuration(fleet.cluster(environment), gone_at=timezone.now())
    assert Overview(viewer).counts.total == 0


def test_causes_are_counted_by_the_entry_of_the_rule_book(
    environment: Environment, viewer: User
) -> None:
    """The words differ, since each names its own branch; what is wrong is the same."""
    on = fleet.cluster(environment)
    for name in ("a", "b"):
        fleet.configuration(
            on,
            name,
            "Non-Compliant",
            cause=f"{name}: couldn't find it",
            cause_code="branch_missing",
        )
    # Read before the book knew it: recognised by its text.
    text = 'c: unable to clone: couldn\'t find remote ref "refs/heads/c"'
    fleet.configuration(on, "c", "Non-Compliant", cause=text)
    (cause,) = Overview(viewer).causes
    assert cause.configurations == 3
    assert cause.title == "The branch does not exist in the repository."


def test_the_same_cause_is_told_once_and_the_worst_first(
    viewer: User, environment: Environment
) -> None:
    for _ in range(3):
        on = fleet.cluster(environment)
        fleet.configuration(on, "a", "Non-Compliant", cause="Path not found", severity=40)
    worst = fleet.cluster(environment)
    fleet.configuration(worst, "b", "Non-Compliant", cause="Source sign-in refused", severity=50)
    first, second = Overview(viewer).causes
    assert (first.title, first.configurations, first.where) == (
        "Source sign-in refused",
        1,
        worst.name,
    )
    assert (second.title, second.configurations, len(second.clusters)) == ("Path not found", 3, 3)


def test_needs_you_names_changes_that_this_person_may_decide(
    author: User, approver: User, viewer: User, outsider: User, environment: Environment
) -> None:
    change = fleet.change(author, fleet.configuration(fleet.cluster(environment)))
    assert list(waiting_for_review_by(approver)) == [change]
    for nobody in (author, viewer, outsider):
        assert list(waiting_for_review_by(nobody)) == []


def test_a_decided_change_needs_you_no_more_until_its_content_changes(
    author: User, approver: User, environment: Environment
) -> None:
    change = fleet.change(author, fleet.configuration(fleet.cluster(environment)))
    fleet.approve(change, approver)
    assert list(waiting_for_review_by(approver)) == []
    change.digest = "f" * 64
    change.save()
    assert list(waiting_for_review_by(approver)) == [change]


def test_ones_own_change_never_needs_oneself(approver: User, environment: Environment) -> None:
    fleet.change(approver, fleet.configuration(fleet.cluster(environment)))
    assert list(waiting_for_review_by(approver)) == []


def test_the_number_of_queries_does_not_grow_with_the_fleet(
    author: User, admin: User, environment: Environment, client_of: ClientOf
) -> None:
    def asked() -> int:
        bump("configurations")
        with CaptureQueriesContext(
            database,
        ) as queries:
            assert client_of(admin).get("/").status_code == 200
        return len(queries)

    def grow(clusters: int) -> None:
        for _ in range(clusters):
            on = fleet.cluster(environment)
            fleet.configuration(on, "a")
            bad = fleet.configuration(on, "b", "Non-Compliant", cause=on.name, drifted=True)
            fleet.change(author, bad)
            fleet.change(author, bad, "applied")

    grow(1)
    few = asked()
    grow(12)
    assert asked() == few


def test_an_unchanged_overview_costs_no_query_of_the_fleet(
    viewer: User, environment: Environment, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from live import pages

    monkeypatch.setattr(pages.time, "time", lambda: 1_000_000.0)
    fleet.configuration(fleet.cluster(environment))
    client = client_of(viewer)
    client.get("/")  # sets the CSRF cookie, which the answer depends on
    etag = client.get("/")["ETag"]
    with CaptureQueriesContext(database) as queries:
        answer = client.get("/", headers={"if-none-match": etag})
    assert answer.status_code == 304
    tables = " ".join(query["sql"] for query in queries)
    assert "configurations_configuration" not in tables
    assert "clusters_cluster" not in tables


def test_the_part_fetches_itself(
    viewer: User, environment: Environment, client_of: ClientOf
) -> None:
    fleet.configuration(
        fleet.cluster(environment), "apps", "Non-Compliant", cause="Chart not found"
    )
    answer = client_of(viewer).get("/", headers={"hx-request": "true", "hx-target": "overview"})
    html = answer.content.decode()
    assert html.strip().startswith('<div class="fg-col" id="overview"')
    assert "Chart not found" in html
    assert "<html" not in html


def test_a_fresh_portal_says_what_to_do(admin: User, viewer: User, client_of: ClientOf) -> None:
    html = client_of(admin).get("/").content.decode()
    assert "No clusters yet" in html
    assert "Connect Azure" in html
    assert "Ask an admin" in client_of(viewer).get("/").content.decode()


@pytest.mark.parametrize(
    ("sweep_at", "words"),
    [(None, "Azure is being read"), ("now", "Azure shows no clusters")],
)
def test_a_connected_portal_without_clusters_says_why(
    sweep_at: Any, words: str, admin: User, client_of: ClientOf
) -> None:
    fleet.connection(sweep_at=timezone.now() if sweep_at else None)
    assert words in client_of(admin).get("/").content.decode()


def test_without_a_role_the_page_says_so(environment: Environment, client_of: ClientOf) -> None:
    fleet.cluster(environment)
    nobody = User.objects.create_user("nobody")
    assert "No clusters for you yet" in client_of(nobody).get("/").content.decode()


def test_a_connection_that_fails_is_named_and_links_admins_to_it(
    admin: User, environment: Environment, client_of: ClientOf
) -> None:
    fleet.connection(problem="sign_in_lost", problem_since=timezone.now())
    fleet.cluster(environment)
    html = client_of(admin).get("/").content.decode()
    assert "The sign-in to Azure is lost" in html
    assert "nothing was changed" in html


def test_agents_out_of_reach_come_first_and_lead_to_their_list(
    admin: User, environment: Environment, client_of: ClientOf
) -> None:
    for value in ("Connected", "Offline", "Expired", "Connecting", ""):
        fleet.cluster(environment, connectivity=value)
    assert Overview(admin).connectivity == [
        ("Offline", 2, "?state=offline"),
        ("Connecting", 1, ""),
        ("Connected", 1, "?state=connected"),
    ]
    html = client_of(admin).get("/clusters/?state=offline").content.decode()
    assert html.count('<tr role="row" id="') == 2


def test_a_bar_fills_its_width() -> None:
    from portal.overview import Counts

    slices = Counts(compliant=187, non_compliant=6, pending=9, suspended=4, unknown=6).slices
    assert [piece.css for piece in slices] == ["good", "bad", "busy", "held", "unknown"]
    assert slices[0].start == "0.00%"
    end = float(slices[-1].start[:-1]) + float(slices[-1].width[:-1])
    assert 99 < end <= 100
    assert Counts().slices == []
