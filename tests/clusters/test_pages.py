"""Pages of the fleet: who sees what, what they say, and at how many queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.models import Environment, User
from audit.models import AuditEvent
from changes.models import Change
from clusters.models import Cluster, Connection, EnvironmentRule
from tests.factories.clusters import ClusterFactory, ConnectionFactory, ExtensionFactory

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]

ADMIN_PAGES = ["rules", "connections", "connection_add"]
ADMIN_PAGES_OF_ONE = ["connection", "connection_edit", "connection_remove"]
ADMIN_ACTS = ["connection_test", "connection_sync", "connection_switch"]


@pytest.fixture
def cluster(environment: Environment) -> Cluster:
    found: Cluster = ClusterFactory(name="arc-prod-01", environment=environment)
    return found


# --- Rights ---------------------------------------------------------------------------------
def test_everybody_with_a_role_sees_the_clusters_of_their_environment(
    client_of: ClientOf, viewer: User, outsider: User, admin: User, cluster: Cluster
) -> None:
    for user, sees in ((viewer, True), (outsider, False), (admin, True)):
        client = client_of(user)
        listed = client.get(reverse("clusters:list")).content.decode()
        found = client.get(reverse("clusters:search"), {"q": "arc-prod"}).content.decode()
        detail = client.get(reverse("clusters:detail", args=[cluster.pk]))
        assert ("arc-prod-01" in listed) is sees, user
        assert ("arc-prod-01" in found) is sees, user
        assert detail.status_code == (200 if sees else 404), user


def test_nobody_is_sent_to_sign_in(client_of: ClientOf, cluster: Cluster) -> None:
    for name, arguments in (("list", []), ("search", []), ("detail", [cluster.pk])):
        answer = client_of(None).get(reverse(f"clusters:{name}", args=arguments))
        assert answer.status_code == 302
        assert "sign-in" in answer["Location"]


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_administration_is_for_admins_everywhere(
    client_of: ClientOf, approver: User, admin: User, name: str
) -> None:
    assert client_of(approver).get(reverse(f"clusters:{name}")).status_code == 403
    assert client_of(admin).get(reverse(f"clusters:{name}")).status_code == 200


@pytest.mark.parametrize("name", ADMIN_PAGES_OF_ONE)
def test_a_connection_is_for_admins_everywhere(
    client_of: ClientOf, approver: User, admin: User, name: str
) -> None:
    address = reverse(f"clusters:{name}", args=[ConnectionFactory().pk])
    assert client_of(approver).get(address).status_code == 403
    assert client_of(admin).get(address).status_code == 200


@pytest.mark.parametrize("name", ADMIN_ACTS)
def test_acts_on_a_connection_are_for_admins_and_by_post(
    client_of: ClientOf, approver: User, admin: User, name: str
) -> None:
    address = reverse(f"clusters:{name}", args=[ConnectionFactory().pk])
    assert client_of(approver).post(address).status_code == 403
    assert client_of(admin).get(address).status_code == 405
    assert client_of(admin).post(address).status_code == 302


def test_an_admin_of_one_environment_is_no_admin_of_connections(
    client_of: ClientOf, environment: Environment
) -> None:
    from tests.factories.access import make_user

    local = make_user("admin", environment)
    assert client_of(local).get(reverse("clusters:connections")).status_code == 403


def test_the_install_is_for_authors(
    client_of: ClientOf, viewer: User, author: User, outsider: User, cluster: Cluster
) -> None:
    address = reverse("clusters:install", args=[cluster.pk])
    for user, status in ((viewer, 403), (outsider, 404), (author, 200)):
        assert client_of(user).get(address).status_code == status, user
        assert client_of(user).post(address, {"reason": ""}).status_code == status, user


def test_the_environment_of_a_cluster_is_for_admins(
    client_of: ClientOf, approver: User, admin: User, cluster: Cluster
) -> None:
    address = reverse("clusters:environment", args=[cluster.pk])
    assert client_of(approver).post(address, {"environment": "none"}).status_code == 403
    assert client_of(admin).post(address, {"environment": "none"}).status_code == 302
    cluster.refresh_from_db()
    assert (cluster.environment, cluster.environment_by_hand) == (None, True)
    event = AuditEvent.objects.get(action="cluster.environment_changed")
    assert (event.actor_id, event.detail["before"]) == (admin.pk, "production")


# --- The list -------------------------------------------------------------------------------
def test_the_list_costs_the_same_for_many(
    client_of: ClientOf, viewer: User, environment: Environment
) -> None:
    client = client_of(viewer)
    address = reverse("clusters:list")

    def queries() -> int:
        client.get(address)  # what is asked once in a process is asked now
        with CaptureQueriesContext(
            database,
        ) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    connection = ConnectionFactory()
    ExtensionFactory(cluster__connection=connection, cluster__environment=environment)
    few = queries()
    for _ in range(30):
        ExtensionFactory(cluster__connection=connection, cluster__environment=environment)
    assert queries() == few


def test_a_part_that_has_not_moved_is_304(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    client = client_of(viewer)
    asking = {"HX-Request": "true", "HX-Target": "clusters"}
    first = client.get(reverse("clusters:list"), headers=asking)
    assert b"<html" not in first.content
    assert b"arc-prod-01" in first.content
    again = client.get(reverse("clusters:list"), headers=asking | {"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_the_pages_of_the_list_follow_each_other(
    client_of: ClientOf, viewer: User, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clusters import listing

    monkeypatch.setattr(listing, "PAGE", 2)
    connection = ConnectionFactory()
    for name in ("b", "a", "a", "c", "d"):
        group = f"group-{Cluster.objects.count()}"
        ClusterFactory(
            name=name, resource_group=group, environment=environment, connection=connection
        )
    seen: list[str] = []
    query = listing.Query()
    while True:
        page = listing.page_of(viewer, query)
        seen += [row.name for row in page.rows]
        if not page.next:
            break
        query = listing.Query(after=page.next.removeprefix("?after="))
    assert seen == ["a", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, {"arc", "aks", "off"}),
        ({"q": "AR"}, {"arc"}),
        ({"q": "northeurope"}, {"aks"}),
        ({"kind": "aks"}, {"aks"}),
        ({"state": "offline"}, {"off"}),
        ({"state": "stopped"}, {"aks"}),
        ({"extension": "none"}, {"off"}),
        ({"extension": "failed"}, {"aks"}),
        ({"extension": "ready", "kind": "arc"}, {"arc"}),
        ({"env": "production"}, {"arc", "aks", "off"}),
        ({"env": "nowhere"}, set()),
        ({"kind": "unheard-of"}, {"arc", "aks", "off"}),
    ],
)
def test_filters(
    viewer: User, environment: Environment, asked: dict[str, str], names: set[str]
) -> None:
    from clusters import listing

    same = {"environment": environment, "connection": ConnectionFactory()}
    ExtensionFactory(cluster=ClusterFactory(name="arc", **same))
    aks = ClusterFactory(
        name="aks", kind="managedClusters", connectivity="", power_state="Stopped",
        region="northeurope", **same,
    )  # fmt: skip
    ExtensionFactory(cluster=aks, provisioning_state="Failed")
    ClusterFactory(name="off", connectivity="Offline", **same)
    ClusterFactory(name="gone", gone_at=timezone.now(), **same)
    found = listing.matching(viewer, listing.Query.of(asked))
    assert {row.name for row in found} == names


def test_chips_count_what_they_lead_to(viewer: User, environment: Environment) -> None:
    from clusters import listing

    same = {"environment": environment, "connection": ConnectionFactory()}
    ClusterFactory(connectivity="Offline", **same)
    ExtensionFactory(cluster=ClusterFactory(**same), provisioning_state="Failed")
    for chip in listing.chips_of(viewer, listing.Query()):
        pairs = dict(part.split("=") for part in chip.url.removeprefix("?").split("&") if part)
        assert listing.matching(viewer, listing.Query.of(pairs)).count() == chip.count


def test_nothing_yet_says_what_to_do(client_of: ClientOf, admin: User, viewer: User) -> None:
    page = client_of(admin).get(reverse("clusters:list")).content.decode()
    assert reverse("clusters:connection_add") in page
    page = client_of(viewer).get(reverse("clusters:list")).content.decode()
    assert reverse("clusters:connection_add") not in page
    assert "An admin of Fluxgate connects Azure" in page


def test_a_filter_that_finds_nothing_offers_to_drop_its_parts(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    page = client_of(viewer).get(reverse("clusters:list"), {"q": "zzz", "kind": "arc"})
    assert "Drop text:zzz" in page.content.decode()
    assert 'href="?kind=arc"' in page.content.decode()


# --- One cluster ----------------------------------------------------------------------------
def test_a_cluster_says_what_being_offline_means(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    address = reverse("clusters:detail", args=[cluster.pk])
    assert "48 h" not in client_of(viewer).get(address).content.decode()
    Cluster.objects.update(connectivity="Offline")
    assert "48 h" in client_of(viewer).get(address).content.decode()


def test_a_cluster_with_a_service_principal_says_what_to_run(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    Cluster.objects.update(identity_kind="ServicePrincipal", kind="managedClusters")
    page = client_of(viewer).get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert "--enable-managed-identity" in page


def test_a_failed_extension_is_explained_in_azures_words(
    client_of: ClientOf, author: User, cluster: Cluster
) -> None:
    ExtensionFactory(
        cluster=cluster,
        provisioning_state="Failed",
        error_code="ExtensionCreationFailed",
        error_message="status not populated",
    )
    page = client_of(author).get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert "ExtensionCreationFailed: status not populated" in page
    assert "AAD pod identity takes the requests" in page
    assert "kubectl get azurepodidentityexceptions" in page
    assert reverse("clusters:install", args=[cluster.pk]) not in page


def test_a_cluster_not_seen_for_long_is_unknown_and_not_green(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    Cluster.objects.update(observed_at=timezone.now() - timedelta(hours=1))
    for address in (reverse("clusters:list"), reverse("clusters:detail", args=[cluster.pk])):
        page = client_of(viewer).get(address).content.decode()
        assert "fg-state--stale" in page
        assert "fg-state--good" not in page


def test_the_detail_costs_the_same_for_many(
    client_of: ClientOf, viewer: User, cluster: Cluster
) -> None:
    from tests.portal.fleet import configuration

    client = client_of(viewer)
    address = reverse("clusters:detail", args=[cluster.pk])

    def queries() -> int:
        client.get(address)
        with CaptureQueriesContext(database) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    configuration(cluster, name="first")
    few = queries()
    for number in range(20):
        configuration(cluster, name=f"more-{number}")
    assert queries() == few


def test_asking_for_the_install_makes_a_change_with_its_reason(
    client_of: ClientOf, author: User, cluster: Cluster
) -> None:
    address = reverse("clusters:install", args=[cluster.pk])
    answer = client_of(author).post(address, {"reason": "Flux is wanted here"})
    change = Change.objects.get()
    assert answer["Location"] == reverse("changes:detail", args=[change.pk])
    assert (change.kind, change.verb, change.reason) == (
        "flux_extension",
        "install",
        "Flux is wanted here",
    )
    again = client_of(author).post(address, {"reason": "Twice"}).content.decode()
    assert "already asks to write" in again
    page = client_of(author).get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert reverse("changes:detail", args=[change.pk]) in page


# --- Rules ----------------------------------------------------------------------------------
def test_rules_move_clusters_with_one_event(
    client_of: ClientOf, admin: User, environment: Environment, elsewhere: Environment
) -> None:
    same = {"connection": ConnectionFactory()}
    mine = ClusterFactory(tags={"Team": "web"}, **same)
    held = ClusterFactory(
        tags={"team": "web"}, environment=elsewhere, environment_by_hand=True, **same
    )
    client = client_of(admin)
    add = reverse("clusters:rule_add")
    client.post(add, {"tag": "team", "value": "*", "environment": elsewhere.pk})
    client.post(add, {"tag": "team", "value": "Web", "environment": environment.pk})
    mine.refresh_from_db()
    assert mine.environment == elsewhere  # the first that matches wins
    client.post(reverse("clusters:rule_move", args=[1]))
    mine.refresh_from_db()
    held.refresh_from_db()
    assert (mine.environment, held.environment) == (environment, elsewhere)
    event = AuditEvent.objects.filter(action="environment.rules_changed").first()
    assert event is not None
    assert event.detail["moved"] == [f"{mine.name}: elsewhere → production"]
    assert AuditEvent.objects.filter(action="environment.rules_changed").count() == 3
    page = client.get(reverse("clusters:rules")).content.decode()
    assert mine.name in page
    client.post(reverse("clusters:rule_remove", args=[0]))
    mine.refresh_from_db()
    assert mine.environment == elsewhere


def test_a_rule_stands_once(client_of: ClientOf, admin: User, environment: Environment) -> None:
    rule = {"tag": "team", "value": "web", "environment": environment.pk}
    client_of(admin).post(reverse("clusters:rule_add"), rule)
    answer = client_of(admin).post(reverse("clusters:rule_add"), rule)
    assert answer.status_code == 422
    assert EnvironmentRule.objects.count() == 1


# --- Connections ----------------------------------------------------------------------------
def test_a_connection_with_a_problem_says_it_in_azures_words_with_the_next_step(
    client_of: ClientOf, admin: User
) -> None:
    found: Connection = ConnectionFactory(
        problem="sign_in_lost",
        problem_code="SignInFailed",
        problem_message="AADSTS7000222: The provided client secret keys are expired.",
        problem_since=timezone.now(),
    )
    for address in (
        reverse("clusters:connections"),
        reverse("clusters:connection", args=[found.pk]),
    ):
        page = client_of(admin).get(address).content.decode()
        assert "AADSTS7000222" in page
        assert "Enter a new client secret" in page
