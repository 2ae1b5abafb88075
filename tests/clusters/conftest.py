"""A simulated Azure inside the process, and a connection of ours that leads to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport

from clusters import gateways
from clusters.gateways import use_transport
from clusters.models import Connection
from clusters.sync import claim_due, shard_read, sweep_begin
from simulator.inprocess import InProcessSimulator
from tests.factories.clusters import ConnectionFactory
from tests.simulator_fixtures import _sample_identity, azure, simulator

__all__ = ["_sample_identity", "azure", "simulator"]

SECRET_CANARY = "canary-secret-5e2b"


@pytest.fixture
def connection(db: None, simulator: InProcessSimulator) -> Iterator[Connection]:
    """To the simulator, through its in-process door."""
    settings = simulator.settings

    def transport() -> RequestsTransport:
        return RequestsTransport(session=simulator.session(), session_owner=False)

    use_transport(settings["arm_endpoint"], transport)
    gateways._throttle.cache_clear()  # another test may have been told to wait
    gateways._kept.gateways.clear()
    yield ConnectionFactory(
        arm_endpoint=settings["arm_endpoint"],
        authority=settings["authority"],
        tenant_id=settings["tenant_id"],
        client_id=settings["client_id"],
        secret=settings["client_secret"],
        subscription_ids=list(settings["subscription_ids"]),
    )
    use_transport(settings["arm_endpoint"], None)


def sync(connection: Connection) -> None:
    """What one round of beat and workers does."""
    sweeps, shards = claim_due()
    for pk in sweeps:
        sweep_begin(pk)
    shards += claim_due()[1]
    for pk in shards:
        shard_read(pk)
    connection.refresh_from_db()


def sweep(connection: Connection) -> None:
    """A whole sweep, now."""
    Connection.objects.filter(pk=connection.pk).update(sweep_due_at=None)
    sync(connection)
