"""Keep the inventory like Azure: which reads are due, who does them, and what a sweep concludes.

A connection is read in shards. Every settings.SYNC_DELTA_SECONDS each shard asks what changed;
every settings.SYNC_SWEEP_SECONDS a sweep begins, and then each shard reads all it has, once. When
every shard has, the sweep ends: what it did not see is gone.

Moving `next_at` (a shard) or `sweep_due_at` (a connection) on by compare-and-swap is the claim, so
two beats never start the same read. A claim that comes to nothing costs two minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from arm import ArmError, Gateway, Priority, Throttled
from changes.models import Problem
from clusters.gateways import gateway_for
from clusters.health import connection_problem, problem_from_shards
from clusters.inventory import clusters_write, extensions_write, gone_write, unseen_clusters
from clusters.models import Cluster, Connection, Shard
from clusters.problems import problem_of
from clusters.reads import FleetRows, read_changes, read_whole

log = logging.getLogger(__name__)

GRAPH_SHARD = 100  # subscriptions of one shard where Resource Graph answers (limit: 300)
SMALL_FLEET = 1000  # clusters of a connection that a delta reads too: one page
OVERLAP = timedelta(minutes=3)  # a delta looks back further than the last one: Graph lags
LARGEST_DROP = 0.2  # of what is known; more than this needs a second sweep to be believed
CONFIRM_SECONDS = 60.0
PAUSE_AFTER_PROBLEM = timedelta(seconds=30)
LEASE = timedelta(minutes=2)  # a read that takes longer than this is given to somebody else
OVERDUE = timedelta(seconds=12)  # so late, nobody answers the beat: the sweep process reads


# --- What others do with each read ----------------------------------------------------------
class FleetReader(Protocol):
    """Called with the fluxConfigurations of each read, in ARM's shape, after the clusters.

    `via`: "graph" (rows without `statuses`) or "list". `sweep_id`: None for a delta. `complete` is
    true exactly once in a sweep, in a last call without rows, when every subscription was read
    whole and a drop was confirmed: only then is gone what does not carry this `sweep_id`.
    Never inside a transaction; rows of a cluster that is not known are to be left out. A slow
    reader of an older sweep must not take back a newer mark: marks only grow.
    """

    def __call__(
        self,
        connection: Connection,
        rows: Sequence[dict[str, object]],
        *,
        via: str,
        sweep_id: int | None,
        complete: bool,
    ) -> None: ...


_readers: list[FleetReader] = []


def register_fleet_reader(reader: FleetReader) -> None:
    """Make `reader` hear of every read; call it from AppConfig.ready."""
    if reader not in _readers:
        _readers.append(reader)


# --- What is due ----------------------------------------------------------------------------
def claim_due(*, late_by: timedelta = timedelta(0)) -> tuple[list[int], list[int]]:
    """Claim what is due (for `late_by` at least): ids of connections to sweep, of shards to read.

    Every id goes to one caller only.
    """
    now = timezone.now()
    due = Q(sweep_due_at=None) | Q(sweep_due_at__lte=now - late_by)
    sweeps = [
        pk
        for pk, at in Connection.objects.filter(due, enabled=True).values_list("pk", "sweep_due_at")
        if Connection.objects.filter(pk=pk, sweep_due_at=at).update(
            sweep_due_at=now + timedelta(seconds=settings.SYNC_SWEEP_SECONDS)
        )
    ]
    shards = [
        pk
        for pk, at in Shard.objects.filter(
            connection__enabled=True, next_at__lte=now - late_by
        ).values_list("pk", "next_at")
        if Shard.objects.filter(pk=pk, next_at=at).update(next_at=now + LEASE)
    ]
    return sweeps, shards


def sync_overdue() -> None:
    """Do here what nobody was rung for: for the sweep that runs without a broker. NETWORK."""
    sweeps, shards = claim_due(late_by=OVERDUE)
    for connection_id in sweeps:
        sweep_begin(connection_id)
        shards += _claim_shards_of(connection_id)
    for shard_id in shards:
        shard_read(shard_id)


def _claim_shards_of(connection_id: int) -> list[int]:
    now = timezone.now()
    due = Shard.objects.filter(connection=connection_id, next_at__lte=now)
    return [
        pk
        for pk, at in due.values_list("pk", "next_at")
        if Shard.objects.filter(pk=pk, next_at=at).update(next_at=now + LEASE)
    ]


def sync_soon(connection_id: int, *, sweep: bool = False) -> None:
    """Have a connection read at the next tick: after a write, or because somebody asks."""
    now = timezone.now()
    if sweep:
        Connection.objects.filter(pk=connection_id).update(sweep_due_at=None)
    Shard.objects.filter(connection=connection_id, next_at__gt=now).update(next_at=now)


# --- A sweep begins -------------------------------------------------------------------------
def sweep_begin(connection_id: int) -> None:
    """Number a new sweep, and cut the connection's subscriptions into shards. NETWORK."""
    connection = Connection.objects.filter(pk=connection_id, enabled=True).first()
    if connection is None:
        return
    try:
        subscriptions = subscriptions_of(connection)
    except ArmError as error:
        subscriptions = _subscriptions_known(connection)
        if not subscriptions:
            _connection_failed(connection, error)
            return
        # The reads themselves will say what is wrong, once; the list is only not renewed.
        log.warning("The subscriptions of %s could not be listed: %s", connection, error.code)
    with transaction.atomic():
        Connection.objects.filter(pk=connection_id).update(sweep_id=F("sweep_id") + 1)
        _cut(connection, subscriptions)
    if not subscriptions:
        connection_problem(
            connection_id=connection_id,
            problem=Problem.FORBIDDEN,
            code="NoSubscription",
            message="The identity sees no subscription in the tenant.",
        )


def subscriptions_of(connection: Connection) -> list[str]:
    """The connection's subscriptions in lower case, or all that its identity sees. NETWORK."""
    if connection.subscription_ids:
        return sorted({it.lower() for it in connection.subscription_ids})
    found = gateway_for(connection, priority=Priority.POLL).list_subscriptions()
    return sorted({str(it["subscriptionId"]).lower() for it in found})


def _subscriptions_known(connection: Connection) -> list[str]:
    return sorted({it for shard in connection.shards.all() for it in shard.subscription_ids})


def _cut(connection: Connection, subscriptions: Sequence[str]) -> None:
    size = GRAPH_SHARD if connection.reads == Connection.Reads.GRAPH else 1
    parts = [list(subscriptions[at : at + size]) for at in range(0, len(subscriptions), size)]
    now = timezone.now()
    for position, part in enumerate(parts):
        shard, created = Shard.objects.get_or_create(
            connection=connection,
            position=position,
            defaults={"subscription_ids": part, "next_at": now},
        )
        if shard.subscription_ids != part:
            Shard.objects.filter(pk=shard.pk).update(subscription_ids=part, sweep_id=0)
        if not created:
            Shard.objects.filter(pk=shard.pk, next_at__gt=now).update(next_at=now)
    Shard.objects.filter(connection=connection, position__gte=len(parts)).delete()


def _connection_failed(connection: Connection, error: ArmError) -> None:
    pause = timedelta(seconds=error.retry_after) if error.retry_after else PAUSE_AFTER_PROBLEM
    Connection.objects.filter(pk=connection.pk).update(sweep_due_at=timezone.now() + pause)
    if is_told(error):
        connection_problem(
            connection_id=connection.pk,
            problem=problem_of(error),
            code=error.code,
            message=error.message,
        )


def is_told(error: ArmError) -> bool:
    """Whether people hear of it: our own throttle holding a read back is no problem."""
    return not (isinstance(error, Throttled) and error.status is None)


# --- One shard ------------------------------------------------------------------------------
def shard_read(shard_id: int) -> bool:
    """Read a claimed shard, whole if a sweep wants it; whether that worked. NETWORK."""
    shard = Shard.objects.select_related("connection").filter(pk=shard_id).first()
    if shard is None or not shard.connection.enabled:
        return False
    connection, began = shard.connection, timezone.now()
    sweep_id = connection.sweep_id if shard.sweep_id < connection.sweep_id else None
    try:
        gateway = gateway_for(connection, priority=Priority.POLL)
        rows = _read(gateway, shard, sweep_id)
    except ArmError as error:
        _shard_failed(shard, error)
        return False
    _write(connection, rows, sweep_id)
    _shard_done(shard, rows, sweep_id, began)
    if sweep_id is not None and rows.complete:
        sweep_end(connection.pk, sweep_id)
    return True


def _read(gateway: Gateway, shard: Shard, sweep_id: int | None) -> FleetRows:
    connection = shard.connection
    if sweep_id is not None:
        return read_whole(gateway, shard.subscription_ids, reads=connection.reads)
    known = Cluster.objects.filter(connection=connection, gone_at=None).count()
    return read_changes(
        gateway,
        shard.subscription_ids,
        reads=connection.reads,
        since=(shard.read_at or timezone.now()) - OVERLAP,
        clusters_too=known <= SMALL_FLEET,
    )


def _write(connection: Connection, rows: FleetRows, sweep_id: int | None) -> None:
    given = {"connection": connection, "via": rows.via, "sweep_id": sweep_id}
    clusters_write(resources=rows.clusters, **given)  # type: ignore[arg-type]
    extensions_write(resources=rows.extensions, **given)  # type: ignore[arg-type]
    for reader in _readers:
        reader(connection, rows.configurations, via=rows.via, sweep_id=sweep_id, complete=False)


def _shard_done(shard: Shard, rows: FleetRows, sweep_id: int | None, began: datetime) -> None:
    values: dict[str, object] = {
        "next_at": began + timedelta(seconds=settings.SYNC_DELTA_SECONDS),
        "read_at": began,
        "problem": "",
        "problem_code": "",
        "problem_message": "",
    }
    if sweep_id is not None and rows.complete:
        values |= {"sweep_id": sweep_id, "configurations": len(rows.configurations)}
    with transaction.atomic():
        Shard.objects.filter(pk=shard.pk).update(**values)
        Connection.objects.filter(pk=shard.connection_id).update(delta_at=began)
    problem_from_shards(shard.connection)


def _shard_failed(shard: Shard, error: ArmError) -> None:
    pause = timedelta(seconds=error.retry_after) if error.retry_after else PAUSE_AFTER_PROBLEM
    values: dict[str, object] = {"next_at": timezone.now() + pause}
    if is_told(error):
        log.warning("%s could not be read: %s", shard, error.code)
        values |= {
            "problem": problem_of(error),
            "problem_code": error.code[:100],
            "problem_message": error.message,
        }
    Shard.objects.filter(pk=shard.pk).update(**values)
    problem_from_shards(shard.connection)


# --- A sweep ends ---------------------------------------------------------------------------
def sweep_end(connection_id: int, sweep_id: int) -> bool:
    """Conclude the sweep when every shard was read whole; whether it was believed."""
    now = timezone.now()
    with transaction.atomic():
        connection = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
        shards = list(connection.shards.all())
        if connection.sweep_id != sweep_id or any(it.sweep_id != sweep_id for it in shards):
            return False
        seen = sum(it.configurations for it in shards)
        if _dropped(connection, sweep_id, seen) and not connection.drop_suspected:
            log.warning("%s shows far less than before: a second sweep must say so", connection)
            connection.drop_suspected = True
            connection.sweep_due_at = now + timedelta(seconds=CONFIRM_SECONDS)
            connection.save(update_fields=["drop_suspected", "sweep_due_at"])
            return False
        connection.drop_suspected = False
        connection.sweep_configurations = seen
        connection.sweep_at = now
        connection.save(update_fields=["drop_suspected", "sweep_configurations", "sweep_at"])
        gone_write(connection=connection, sweep_id=sweep_id)
    for reader in _readers:
        reader(connection, [], via=connection.reads, sweep_id=sweep_id, complete=True)
    return True


def _dropped(connection: Connection, sweep_id: int, configurations: int) -> bool:
    known, unseen = unseen_clusters(connection, sweep_id)
    fewer = connection.sweep_configurations - configurations
    return unseen > LARGEST_DROP * known or fewer > LARGEST_DROP * connection.sweep_configurations


SendTask = Callable[[int], object]


def sync_due(*, send_sweep: SendTask, send_read: SendTask) -> None:
    """One beat: claim what is due and hand it out. What cannot be handed out stays claimed for
    one interval, unless it is given back here."""
    sweeps, shards = claim_due()
    for connection_id in sweeps:
        _hand_out(send_sweep, connection_id, _give_back_sweep)
    for shard_id in shards:
        _hand_out(send_read, shard_id, _give_back_shard)


def _hand_out(send: SendTask, pk: int, give_back: SendTask) -> None:
    try:
        send(pk)
    except Exception as error:  # the broker is gone: the sweep process will find it overdue
        log.warning("Could not ring a worker (%s)", type(error).__name__)
        give_back(pk)


def _give_back_sweep(connection_id: int) -> None:
    Connection.objects.filter(pk=connection_id).update(sweep_due_at=timezone.now())


def _give_back_shard(shard_id: int) -> None:
    Shard.objects.filter(pk=shard_id).update(next_at=timezone.now())
