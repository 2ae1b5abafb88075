"""A simulator as a process of its own, over HTTPS, and our cluster row that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import gateways
from clusters.models import Cluster, Connection
from tests.clusters.conftest import sweep
from tests.factories.clusters import ConnectionFactory
from tests.simulator_fixtures import (
    SimulatorProcess,
    git_configuration,
    simulator_process,
)

__all__ = ["simulator_process"]

FLUX = "/providers/Microsoft.KubernetesConfiguration"


@pytest.fixture(scope="session")
def azure_process(simulator_process: SimulatorProcess) -> SimulatorProcess:
    """The tutorial's configuration, applied on the AKS cluster, Compliant."""
    azure = simulator_process.azure
    extension = {
        "identity": {"type": "SystemAssigned"},
        "properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True},
    }
    for path, body in (
        (f"{azure.aks}{FLUX}/extensions/flux", extension),
        (f"{azure.aks}{FLUX}/fluxConfigurations/cluster-config", git_configuration()),
    ):
        status, _answer = simulator_process.control(
            "edit", resource_id=path, method="PUT", body=body
        )
        assert status == 201
    simulator_process.control("run_until_idle")
    return simulator_process


@pytest.fixture
def door(azure_process: SimulatorProcess) -> Iterator[SimulatorProcess]:
    """The process with an empty record; what a test alters of the cluster's API is put back."""
    azure_process.control("clear_journal")
    yield azure_process
    for cluster in (azure_process.azure.aks, azure_process.azure.arc):
        azure_process.control(
            "set_kubernetes", cluster_id=cluster, entra=False, unreachable=False, expired=False,
            forbid=[],
        )  # fmt: skip


@pytest.fixture
def over_https(db: None, door: SimulatorProcess) -> Connection:
    """A connection over the network, with the Kubernetes API switched on; swept once."""
    settings = door.settings
    gateways._throttle.cache_clear()
    gateways._kept.gateways.clear()
    made: Connection = ConnectionFactory(
        arm_endpoint=settings["arm_endpoint"],
        authority=settings["authority"],
        ca_file=settings["ca_file"],
        tenant_id=settings["tenant_id"],
        client_id=settings["client_id"],
        secret=settings["client_secret"],
        subscription_ids=list(settings["subscription_ids"]),
        kubernetes=True,
    )
    sweep(made)
    return made


@pytest.fixture
def aks(over_https: Connection) -> Cluster:
    return over_https.clusters.get(name="flux-demo-aks")


@pytest.fixture
def arc(over_https: Connection) -> Cluster:
    return over_https.clusters.get(name="flux-demo-arc")


@pytest.fixture
def arc_kubeconfig(door: SimulatorProcess) -> str:
    """What an admin of the Arc cluster would paste."""
    return Path(door.settings["kubeconfigs"]["flux-demo-arc"]["path"]).read_text()
