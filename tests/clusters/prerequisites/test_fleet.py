"""Ten thousand clusters: one way of judging in Python and SQL, flat queries, few calls to Azure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import User
from arm.checks import REQUIRED_ACTIONS
from clusters.models import Cluster, Connection, ScopeReading
from clusters.prerequisites import overview, readings
from clusters.prerequisites.checks import State, checks_of
from clusters.prerequisites.failing import FAILURES, counts_of, failing
from clusters.prerequisites.risks import prerequisite_risks
from simulator.inprocess import InProcessSimulator
from tests.clusters.prerequisites.conftest import CONFIGURATION, read
from tests.factories.clusters import (
    SUBSCRIPTION,
    ClusterFactory,
    ConnectionFactory,
    ExtensionFactory,
)

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
OTHER = "6f1c0d2e-0000-4000-8000-000000000002"


def reading(
    connection: Connection,
    subscription: str,
    group: str = "",
    *,
    may_write: bool = True,
    state: str = "Registered",
    regions: tuple[str, ...] = ("westeurope",),
) -> ScopeReading:
    """As a worker would have stored it."""
    places = {"extensions": list(regions), "fluxconfigurations": list(regions)}
    provider = {"state": state, "locations": places}
    fine = {"state": "Registered", "locations": {}}
    providers = {
        CONFIGURATION: provider,
        "Microsoft.Kubernetes": fine,
        "Microsoft.ContainerService": fine,
    }
    missing = [] if may_write else list(REQUIRED_ACTIONS)
    found: dict[str, Any] = {"rights": {"missing": missing}}
    scope = f"/subscriptions/{subscription}" + (f"/resourcegroups/{group}" if group else "")
    return ScopeReading.objects.create(
        connection=connection,
        scope=scope,
        subscription_id=subscription,
        resource_group=group,
        read_at=timezone.now(),
        next_at=timezone.now() + timedelta(hours=1),
        found=found if group else found | {"providers": providers},
        may_write=may_write,
    )


@pytest.fixture
def mixed() -> Connection:
    """Clusters that fail one thing each, and some that fail nothing."""
    connection: Connection = ConnectionFactory(subscription_ids=[SUBSCRIPTION, OTHER])
    reading(connection, SUBSCRIPTION)
    reading(connection, OTHER, may_write=False, state="NotRegistered", regions=("westeurope",))
    reading(connection, OTHER, "poor-rg", may_write=False)
    reading(connection, OTHER, "fleet-rg", may_write=True)
    aks = {"connection": connection, "kind": "managedClusters", "connectivity": ""}
    ClusterFactory(**aks, identity_kind="ServicePrincipal", power_state="Running")
    ClusterFactory(**aks, power_state="Stopped")
    ClusterFactory(connection=connection, connectivity="Offline")
    ClusterFactory(connection=connection, connectivity="Expired")
    past = timezone.now() - timedelta(days=1)
    ClusterFactory(connection=connection, certificate_expires_at=past)
    ClusterFactory(connection=connection, region="norwayeast")
    ClusterFactory(connection=connection, subscription_id=OTHER)
    ClusterFactory(connection=connection, subscription_id=OTHER, resource_group="Poor-RG")
    ExtensionFactory(cluster=ClusterFactory(connection=connection), provisioning_state="Failed")
    ExtensionFactory(cluster=ClusterFactory(connection=connection))
    ClusterFactory(connection=connection, flux_v1=["old"], flux_v1_at=timezone.now())
    return connection


def test_sql_and_python_judge_every_cluster_alike(mixed: Connection) -> None:
    for cluster in Cluster.objects.select_related("connection", "extension"):
        told = {it.code.partition(":")[0] for it in checks_of(cluster) if it.state == State.FAILED}
        asked = {it for it in FAILURES if Cluster.objects.filter(failing(it), pk=cluster.pk)}
        assert told == asked, cluster.name


def test_each_failure_is_counted_once(mixed: Connection) -> None:
    found = {failure.code: n for failure, n in counts_of(mixed.clusters.all())}
    assert found == {
        "identity": 1,
        "running": 1,
        "connected": 2,
        "certificate": 1,
        "provider": 2,
        "rights": 1,
        "region": 1,
        "extension": 1,
        "flux_v1": 1,
    }


def test_a_count_leads_to_these_clusters(
    client_of: ClientOf, admin: User, mixed: Connection
) -> None:
    page = client_of(admin).get(reverse("clusters:connection_prerequisites", args=[mixed.pk]))
    address = f"{reverse('clusters:list')}?failed=rights&amp;connection={mixed.pk}"
    assert address in page.content.decode()
    listed = client_of(admin).get(address.replace("&amp;", "&"))
    assert [row.resource_group for row in listed.context["page"].rows] == ["Poor-RG"]


@pytest.mark.parametrize("more", [{"failed": "nonsense"}, {"connection": "9" * 40}])
def test_an_unknown_filter_is_left_out(
    client_of: ClientOf, admin: User, mixed: Connection, more: dict[str, str]
) -> None:
    answer = client_of(admin).get(reverse("clusters:list"), more)
    assert len(answer.context["page"].rows) == Cluster.objects.count()


def test_queries_stay_flat_in_clusters_and_subscriptions(
    mixed: Connection, django_assert_max_num_queries: Any
) -> None:
    for round_ in range(2):
        for n in range(20):
            subscription = f"6f1c0d2e-0000-4000-8001-{round_:04}{n:08}"
            reading(mixed, subscription, may_write=False)
            ClusterFactory(connection=mixed, subscription_id=subscription)
        with django_assert_max_num_queries(5):
            overview.of_connection(mixed)
        with django_assert_max_num_queries(12):
            readings.readings_plan()
        clusters = list(Cluster.objects.select_related("connection", "extension"))
        with django_assert_max_num_queries(1):
            list(prerequisite_risks(clusters))


def test_a_fleet_costs_azure_calls_by_subscription_and_not_by_cluster(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    ClusterFactory.create_batch(
        50, connection=fleet, subscription_id=str(fleet.subscription_ids[0]).lower()
    )
    simulator.control.clear_requests()
    read(fleet)
    asked = simulator.control.requests()
    # Three providers and the rights of one subscription; its rights do for every group.
    assert sum(asked.values()) <= 5, asked


def test_groups_are_planned_only_where_the_subscription_does_not_do(mixed: Connection) -> None:
    readings.readings_plan()
    planned = ScopeReading.objects.exclude(resource_group="")
    assert {(it.subscription_id, it.resource_group) for it in planned} == {
        (OTHER, "fleet-rg"),
        (OTHER, "poor-rg"),
    }
    ScopeReading.objects.filter(subscription_id=OTHER, resource_group="").update(may_write=True)
    readings.readings_plan()
    assert not ScopeReading.objects.exclude(resource_group="").exists()


def test_nothing_is_read_twice_at_once(fleet: Connection) -> None:
    readings.connection_ask(connection=fleet)
    row = ScopeReading.objects.get(resource_group="", cluster=None)
    ScopeReading.objects.update(begun_at=timezone.now())
    assert not readings.reading_run(row.pk)
