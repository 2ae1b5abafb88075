"""What Azure says, written to rows: objects, causes, drift, and fleets of them."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from arm import queries
from audit.models import AuditEvent
from clusters.models import Cluster
from configurations import fleet, observe
from configurations.models import Compliance, Configuration, ObjectStatus
from live.services import versions
from tests.factories.clusters import ClusterFactory
from tests.factories.configurations import (
    TUTORIAL,
    ConfigurationFactory,
    failing_statuses,
    healthy_statuses,
    resource,
    status,
)

pytestmark = pytest.mark.django_db


def seen(configuration: Configuration, **changes: Any) -> Configuration:
    body = resource(configuration.arm_id, **changes)
    return observe.configuration_observe(configuration_id=configuration.pk, resource=body)


# --- One ------------------------------------------------------------------------------------
def test_objects_become_rows_in_azures_order(configuration: Configuration) -> None:
    row = seen(configuration)
    assert row.object_count == 6
    assert [it.name for it in row.statuses.all()] == [it["name"] for it in healthy_statuses()]
    assert row.statuses.get(name="nginx").applied_by == "cluster-config/cluster-config-infra"


def test_only_objects_that_changed_are_written(configuration: Configuration) -> None:
    seen(configuration)
    before = set(ObjectStatus.objects.values_list("pk", flat=True))
    statuses = healthy_statuses()
    statuses[2]["complianceState"] = "Pending"
    seen(configuration, statuses=[*statuses[:5], status("HelmChart", "extra")])
    after = ObjectStatus.objects.filter(configuration=configuration)
    kept = before & set(after.values_list("pk", flat=True))
    assert len(kept) == 5
    assert after.get(name="nginx").compliance == "Pending"


def test_a_read_that_brings_nothing_new_moves_no_page(configuration: Configuration) -> None:
    seen(configuration)
    before = versions("configurations", f"configuration:{configuration.pk}")
    seen(configuration)
    assert versions("configurations", f"configuration:{configuration.pk}") == before


def test_the_deepest_failure_is_the_cause(configuration: Configuration) -> None:
    row = seen(configuration, statuses=failing_statuses(), complianceState="Non-Compliant")
    assert row.cause.startswith("nginx: Helm install failed for release")


def test_a_source_that_fails_comes_first(configuration: Configuration) -> None:
    statuses = failing_statuses()
    statuses[0] = status(
        "GitRepository", "cluster-config", "Non-Compliant", reason="GitOperationFailed",
        message="failed to checkout and determine revision: unable to clone 'https://x': "
        "couldn't find remote ref \"refs/heads/nope\"",
    )  # fmt: skip
    row = seen(configuration, statuses=statuses, complianceState="Non-Compliant")
    assert row.cause.startswith("cluster-config: failed to checkout")


def test_who_waits_is_not_the_cause(configuration: Configuration) -> None:
    statuses = failing_statuses()
    del statuses[2]
    row = seen(configuration, statuses=statuses, complianceState="Non-Compliant")
    assert row.cause.startswith("infra: health check failed")


@pytest.mark.parametrize(
    ("changes", "compliance", "severity"),
    [
        ({"complianceState": "Compliant"}, "Compliant", 10),
        ({"complianceState": None}, "Pending", 30),
        ({"complianceState": "Brand-New"}, "Unknown", 40),
        ({"complianceState": "Compliant", "provisioningState": "Failed"}, "Compliant", 50),
        ({"complianceState": "Suspended", "suspend": True}, "Suspended", 20),
    ],
)
def test_states(
    changes: dict[str, Any], compliance: str, severity: int, configuration: Configuration
) -> None:
    row = seen(configuration, **changes)
    assert (row.compliance, row.severity) == (compliance, severity)


def test_wrong_types_are_no_error(configuration: Configuration) -> None:
    row = seen(
        configuration,
        statuses=["x", {"name": 7, "statusConditions": "y"}],  # type: ignore[list-item]
        gitRepository=[],
        kustomizations="none",
        sourceUpdatedAt="0001-01-01T00:00:00",
        statusUpdatedAt=5,
    )
    assert row.kustomization_count == 0
    assert row.source_updated_at is None


def test_the_time_of_a_state_is_that_of_its_change(configuration: Configuration) -> None:
    first = seen(configuration, complianceState="Non-Compliant",
                 statusUpdatedAt="2026-11-23T09:41:00Z")  # fmt: skip
    again = seen(configuration, complianceState="Non-Compliant",
                 statusUpdatedAt="2026-11-23T09:51:00Z")  # fmt: skip
    assert first.compliance_since == again.compliance_since
    assert str(again.compliance_since) == "2026-11-23 09:41:00+00:00"


def test_drift_is_told_once_and_ends(configuration: Configuration) -> None:
    configuration.desired = deepcopy(TUTORIAL)
    configuration.save()
    other = deepcopy(TUTORIAL["gitRepository"])
    other["repositoryRef"]["branch"] = "other"
    for _turn in range(2):
        row = seen(configuration, gitRepository=other)
        assert row.drift_fields == ["gitRepository.repositoryRef.branch"]
    assert AuditEvent.objects.filter(action="configuration.drifted").count() == 1
    assert not seen(configuration).drifted


def test_a_write_under_way_is_not_drift(configuration: Configuration) -> None:
    configuration.desired = {**deepcopy(TUTORIAL), "suspend": True}
    configuration.save()
    assert not seen(configuration, provisioningState="Updating").drifted


def test_a_watch_reads_on_and_ends(configuration: Configuration) -> None:
    observe.configuration_watch(configuration_id=configuration.pk)
    row = seen(configuration)
    assert row.next_read_at is not None
    Configuration.objects.update(watch_until=timezone.now() - timedelta(seconds=1))
    assert seen(configuration).next_read_at is None


def test_a_young_one_that_azure_does_not_know_is_not_gone(cluster: Cluster) -> None:
    young = ConfigurationFactory(cluster=cluster, name="young", observed_at=None)
    assert not observe.configuration_gone(configuration=young)
    old = ConfigurationFactory(cluster=cluster, name="old")
    assert observe.configuration_gone(configuration=old)
    assert not observe.configuration_gone(configuration=old)
    assert AuditEvent.objects.filter(action="configuration.gone").count() == 1


# --- A fleet --------------------------------------------------------------------------------
def graph_row(cluster: Cluster, name: str, **changes: Any) -> dict[str, Any]:
    """A row as Resource Graph gives it: other case of the id, no statuses, no nulls."""
    arm_id = (
        f"{cluster.arm_id_display.replace('resourceGroups', 'resourcegroups')}/providers/"
        f"Microsoft.KubernetesConfiguration/FluxConfigurations/{name}"
    )
    properties = {**deepcopy(TUTORIAL), **changes}
    row = {"id": arm_id, "name": name, "type": "t", **properties}
    return queries.normalise_configuration(row)


def read(cluster: Cluster, *rows: dict[str, Any], sweep_id: int | None = 1, **said: Any) -> None:
    given = {"via": "graph", "complete": False, **said}
    fleet.observe_fleet(cluster.connection, rows, sweep_id=sweep_id, **given)


def test_a_fleet_becomes_rows(cluster: Cluster) -> None:
    read(cluster, graph_row(cluster, "one"), graph_row(cluster, "two"))
    rows = Configuration.objects.order_by("name")
    assert [(it.name, it.compliance, it.adopted) for it in rows] == [
        ("one", "Compliant", True), ("two", "Compliant", True),
    ]  # fmt: skip
    assert AuditEvent.objects.filter(action="configuration.seen").count() == 2
    assert rows[0].arm_id_display.startswith(cluster.arm_id_display)


def test_many_new_ones_are_one_event(cluster: Cluster) -> None:
    read(cluster, *(graph_row(cluster, f"c-{n}") for n in range(30)))
    [event] = AuditEvent.objects.filter(action="configuration.seen")
    assert event.detail["count"] == 30


def test_an_unchanged_fleet_costs_the_same_at_any_size(cluster: Cluster) -> None:
    def cost(count: int) -> int:
        rows = [graph_row(cluster, f"c-{n}") for n in range(count)]
        read(cluster, *rows)
        Configuration.objects.update(read_at=None, next_read_at=None)
        with CaptureQueriesContext(database) as captured:
            read(cluster, *rows, sweep_id=2)
        return len(captured)

    assert cost(3) == cost(100)


def test_rows_of_unknown_clusters_are_left_out(cluster: Cluster) -> None:
    stranger = ClusterFactory.build(name="stranger")
    read(cluster, graph_row(stranger, "one"), {"id": "/nonsense"})
    assert not Configuration.objects.exists()


def test_a_change_for_the_worse_is_read_by_itself(cluster: Cluster) -> None:
    read(cluster, graph_row(cluster, "one"))
    read(cluster, graph_row(cluster, "one", complianceState="Non-Compliant"))
    row = Configuration.objects.get()
    assert row.compliance == Compliance.NON_COMPLIANT
    assert row.next_read_at is not None


def test_an_older_row_does_not_take_back_what_a_get_brought(
    cluster: Cluster, configuration: Configuration
) -> None:
    read(cluster, graph_row(cluster, configuration.name, complianceState="Non-Compliant"))
    configuration.refresh_from_db()
    assert configuration.compliance == Compliance.COMPLIANT


def test_fields_that_graph_does_not_project_stay(
    cluster: Cluster, configuration: Configuration
) -> None:
    configuration.observed = {**configuration.observed, "somethingNew": [1]}
    configuration.read_at = timezone.now() - timedelta(hours=1)
    configuration.save()
    read(cluster, graph_row(cluster, configuration.name, suspend=True))
    configuration.refresh_from_db()
    assert configuration.suspended
    assert configuration.observed["somethingNew"] == [1]


def test_what_a_sweep_did_not_see_is_read_and_not_believed_gone(
    cluster: Cluster, configuration: Configuration
) -> None:
    Configuration.objects.update(read_at=timezone.now() - timedelta(hours=1), sweep_id=1)
    read(cluster, graph_row(cluster, "other"), sweep_id=2)
    read(cluster, sweep_id=2, complete=True)
    configuration.refresh_from_db()
    assert configuration.gone_at is None
    assert configuration.next_read_at is not None
    assert Configuration.objects.get(name="other").next_read_at is None


def test_a_list_brings_the_objects_too(cluster: Cluster) -> None:
    arm_id = graph_row(cluster, "cluster-config")["id"]
    read(cluster, resource(arm_id), via="list")
    assert Configuration.objects.get().object_count == 6
    with CaptureQueriesContext(database) as captured:
        read(cluster, resource(arm_id), via="list")
    assert len(captured) < 12


def test_an_answer_that_is_older_than_a_write_is_thrown_away(configuration: Configuration) -> None:
    Configuration.objects.update(desired_change_id=8, desired={**TUTORIAL, "suspend": True})
    body = resource(configuration.arm_id)
    row = observe.configuration_observe(
        configuration_id=configuration.pk, resource=body, after_change_id=7
    )
    assert not row.drifted
    assert not AuditEvent.objects.filter(action="configuration.drifted").exists()
