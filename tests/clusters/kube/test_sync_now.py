"""Flux is asked to look now: one annotation on source and kustomizations, and nothing else."""

from __future__ import annotations

import pytest

from audit.models import AuditEvent
from clusters.models import Cluster
from configurations.models import Configuration
from configurations.sync_now import sync_ask, sync_run
from tests.factories.access import UserFactory
from tests.simulator_fixtures import SimulatorProcess


@pytest.fixture
def configuration(aks: Cluster) -> Configuration:
    return Configuration.objects.get(cluster=aks, name="cluster-config")


def run(configuration: Configuration) -> dict[str, str]:
    asked = sync_ask(by=UserFactory(), configuration=configuration)
    assert asked is not None
    assert sync_run(asked.pk)
    asked.refresh_from_db()
    assert not asked.is_open
    return dict(asked.problem)


def test_the_source_is_asked_first_and_then_each_kustomization(
    configuration: Configuration, door: SimulatorProcess
) -> None:
    assert run(configuration) == {}
    sent = [it for it in door.control("kubernetes_requests") if it["method"] != "GET"]
    assert [(it["method"], it["path"].split("/", 5)[-1]) for it in sent] == [
        ("PATCH", "cluster-config/gitrepositories/cluster-config"),
        ("PATCH", "cluster-config/kustomizations/cluster-config-infra"),
        ("PATCH", "cluster-config/kustomizations/cluster-config-apps"),
    ]
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True))[-2:] == [
        "configuration.sync_asked", "configuration.sync_done",
    ]  # fmt: skip


def test_a_credential_that_may_not_patch_is_named_and_recorded(
    configuration: Configuration, door: SimulatorProcess
) -> None:
    forbid = ["patch gitrepositories"]
    door.control("set_kubernetes", cluster_id=door.azure.aks, forbid=forbid)
    problem = run(configuration)
    assert (problem["code"], problem["verb"], problem["resource"]) == (
        "forbidden", "patch", "gitrepositories",
    )  # fmt: skip
    assert AuditEvent.objects.latest("id").action == "configuration.sync_failed"


def test_a_second_request_waits_for_the_first(configuration: Configuration) -> None:
    assert sync_ask(by=UserFactory(), configuration=configuration) is not None
    assert sync_ask(by=UserFactory(), configuration=configuration) is None
