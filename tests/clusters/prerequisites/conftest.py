"""The simulated Azure of the tutorial, its fleet read, and readings as workers make them."""

from __future__ import annotations

import pytest

from clusters.models import Cluster, Connection, ScopeReading
from clusters.prerequisites import readings
from clusters.prerequisites.checks import Check, checks_of
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import _sample_identity, azure, connection, simulator, sweep

__all__ = ["_sample_identity", "azure", "connection", "simulator"]

CONFIGURATION = "Microsoft.KubernetesConfiguration"


@pytest.fixture
def fleet(connection: Connection) -> Connection:
    """The connection, with its two clusters seen."""
    sweep(connection)
    return connection


def read(connection: Connection) -> None:
    """What beat and workers do when somebody asks, until nothing is left to ask."""
    readings.connection_ask(connection=connection)
    readings.readings_due(send=readings.reading_run)
    readings.readings_plan()
    ScopeReading.objects.filter(read_at=None).update(next_at="2020-01-01T00:00:00Z")
    readings.readings_due(send=readings.reading_run)


def check(name: str, code: str) -> Check:
    """One prerequisite of a cluster as its page shows it."""
    cluster = Cluster.objects.select_related("connection", "extension").get(name=name)
    [found] = [it for it in checks_of(cluster) if it.code == code]
    return found


def only(simulator: InProcessSimulator, *actions: str, scope: str = "") -> None:
    """The portal's identity may this, and nothing else."""
    simulator.control.revoke("fluxgate")
    simulator.control.grant("fluxgate", scope="", actions=["*/read"])
    simulator.control.grant("fluxgate", scope=scope or "", actions=[*actions, "*/read"])
