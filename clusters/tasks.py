"""What workers do for this app; ids only, the database says the rest."""

from __future__ import annotations

from celery import shared_task

from clusters import flux_v1, identity_readings, sync, testing
from clusters.kube import reading as kubernetes
from clusters.prerequisites import readings as prerequisites

SOFT, HARD = 300, 330  # seconds: a large fleet takes a while


@shared_task(ignore_result=True)
def sync_due() -> None:
    """What beat asks for every 5 s: hand out the reads that are due."""
    sync.sync_due(
        send_sweep=lambda pk: sweep_begin.apply_async((pk,), retry=False, expires=120),
        send_read=lambda pk: shard_read.apply_async((pk,), retry=False, expires=120),
    )


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def sweep_begin(connection_id: int) -> None:
    """Begin a sweep of a connection, and hand out its reads at once."""
    sync.sweep_begin(connection_id)
    sync_due()


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def shard_read(shard_id: int) -> None:
    """Read one shard."""
    sync.shard_read(shard_id)


@shared_task(ignore_result=True)
def sync_now(connection_id: int) -> None:
    """Somebody wants to see the newest: sweep a connection now."""
    sync.sync_soon(connection_id, sweep=True)
    sync_due()


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def connection_test(connection_id: int) -> None:
    """Test a connection."""
    testing.connection_test_run(connection_id)


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def identity_reading(reading_id: int) -> None:
    """Look at user-assigned identities."""
    identity_readings.identity_reading_run(reading_id)


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def flux_v1_look() -> None:
    """What beat asks for every 30 s: look for Flux v1 where that is due."""
    flux_v1.flux_v1_look()


@shared_task(ignore_result=True)
def prerequisites_plan() -> None:
    """What beat asks for every minute: know every scope that has clusters."""
    prerequisites.readings_plan()


@shared_task(ignore_result=True)
def prerequisites_due() -> None:
    """What beat asks for every 5 s: hand out the scopes that are due or asked for."""
    prerequisites.readings_due(
        send=lambda pk: prerequisite_reading.apply_async((pk,), retry=False, expires=120)
    )


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def prerequisite_reading(reading_id: int) -> None:
    """Read one scope."""
    prerequisites.reading_run(reading_id)


@shared_task(ignore_result=True, soft_time_limit=SOFT, time_limit=HARD)
def kubernetes_reading(reading_id: int) -> None:
    """Read one tab of a cluster's Kubernetes API, if that is due."""
    kubernetes.reading_run(reading_id)


@shared_task(ignore_result=True)
def kubernetes_readings_due() -> None:
    """What beat asks for every 2 s: hand out the tabs that somebody looks at."""
    kubernetes.readings_due(send=lambda pk: kubernetes_reading.apply_async((pk,), retry=False))
