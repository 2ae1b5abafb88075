"""What a read of the whole fleet says of configurations, written to our rows: many at a time.

Rows are compared before they are written. Resource Graph lags behind ARM and brings no object
statuses, so what a GET has brought is never taken back by an older row, and a configuration that
changed and needs a look is read by itself soon after. A sweep that did not see one has it read,
too: only ARM's own 404 makes it gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from arm import ConfigurationId, InvalidId
from audit.services import record
from clusters.models import Cluster, Connection
from configurations.models import Configuration
from configurations.observe import (
    configuration_observe,
    event_facts,
    observed_values,
    record_drift,
    scopes_of,
    scopes_of_reviews,
)
from live.services import bump

log = logging.getLogger(__name__)

CHUNK = 400  # rows in one transaction: brief locks, few queries
EVENTS_EACH = 20  # more new ones in a chunk become one event
LAG = timedelta(minutes=3)  # Resource Graph may still show what was so long ago
_COLUMNS = (
    "namespace", "scope", "source_kind", "source_url", "reference", "synced_commit", "compliance",
    "severity", "provisioning_state", "error_message", "suspended", "kustomization_count",
    "source_updated_at", "status_updated_at", "observed", "observed_digest", "drift_fields",
    "drifted", "compliance_since",
)  # fmt: skip
_WRITTEN = (*_COLUMNS, "cause", "cause_code", "observed_at", "observed_via", "sweep_id",
            "next_read_at", "gone_at", "arm_id_display")  # fmt: skip


def observe_fleet(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    via: str,
    sweep_id: int | None,
    complete: bool,
) -> None:
    """A clusters.sync.FleetReader: see there for what the arguments mean."""
    by_id: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        try:
            by_id[ConfigurationId.parse(str(row["id"])).key] = row
        except (InvalidId, KeyError):
            log.warning("Not the id of a configuration: %s", row.get("id"))
    for chunk in _chunks(by_id):
        if via == "list":
            _observe_listed(connection, chunk, sweep_id)
        else:
            _observe_chunk(connection, chunk, via, sweep_id)
    if complete and sweep_id is not None:
        look_for_unseen(connection, sweep_id)


@transaction.atomic
def _observe_chunk(
    connection: Connection, by_id: Mapping[str, Mapping[str, Any]], via: str, sweep_id: int | None
) -> None:
    now = timezone.now()
    known = _known(by_id)
    clusters = _clusters_of(connection, [it for it in by_id if it not in known])
    fresh: list[Configuration] = []
    changed: list[Configuration] = []
    drifted: list[Configuration] = []
    seen: list[int] = []
    for arm_id, resource in by_id.items():
        row = known.get(arm_id)
        if row is None:
            cluster = clusters.get(_cluster_key(arm_id))
            if cluster is not None:
                fresh.append(_fresh(cluster, arm_id, resource, now, via, sweep_id))
            continue
        if _knows_better(row, resource, now):
            seen.append(row.pk)
            continue
        values = observed_values(row, resource.get("properties") or {}, via=via)
        if row.gone_at is None and all(getattr(row, it) == values[it] for it in _COLUMNS):
            seen.append(row.pk)
            continue
        if values["drifted"] and not row.drifted:
            drifted.append(row)
        _take(row, values, now, via, sweep_id)
        changed.append(row)
    _mark_seen(seen, now, via, sweep_id)
    Configuration.objects.bulk_update(changed, _WRITTEN, batch_size=100)
    Configuration.objects.bulk_create(fresh, batch_size=100)
    for row in drifted:
        record_drift(row)
    _tell_of_fresh(connection, fresh)
    touched = [*fresh, *changed]
    if touched:
        scopes = {scope for row in touched for scope in scopes_of(row)}
        bump(*scopes, *scopes_of_reviews([row.pk for row in changed]))


def _known(by_id: Mapping[str, Any]) -> dict[str, Configuration]:
    rows = Configuration.objects.select_for_update(of=("self",)).filter(arm_id__in=list(by_id))
    return {row.arm_id: row for row in rows.select_related("cluster")}


def _clusters_of(connection: Connection, arm_ids: Sequence[str]) -> dict[str, Cluster]:
    wanted = {_cluster_key(arm_id) for arm_id in arm_ids}
    if not wanted:
        return {}
    rows = Cluster.objects.filter(connection=connection, arm_id__in=wanted)
    return {row.arm_id: row for row in rows}


def _cluster_key(arm_id: str) -> str:
    return ConfigurationId.parse(arm_id).cluster.key


def _knows_better(row: Configuration, resource: Mapping[str, Any], now: datetime) -> bool:
    """Whether what we hold is newer than this row of Resource Graph."""
    if row.gone_at is not None:
        return row.gone_at > now - LAG
    if row.read_at is not None and row.read_at > now - LAG:
        return True
    # A write of ours was just taken: its own reads say how it goes.
    return row.watch_until is not None and row.watch_until > now and row.next_read_at is not None


def _take(
    row: Configuration, values: Mapping[str, Any], now: datetime, via: str, sweep_id: int | None
) -> None:
    """Write the values to the row, and ask for its own read where that would tell more."""
    for name, value in values.items():
        setattr(row, name, value)
    row.gone_at = None
    row.observed_at, row.observed_via = now, via
    row.sweep_id = max(row.sweep_id, sweep_id or 0)
    if row.severity <= 10:
        row.cause = row.cause_code = ""
    if row.severity > 10 or row.read_at is not None:
        row.next_read_at = now


def _fresh(
    cluster: Cluster,
    arm_id: str,
    resource: Mapping[str, Any],
    now: datetime,
    via: str,
    sweep_id: int | None,
) -> Configuration:
    row = Configuration(
        cluster=cluster,
        arm_id=arm_id,
        arm_id_display=f"{cluster.arm_id_display}{ConfigurationId.INFIX}{_name(arm_id, resource)}",
        name=_name(arm_id, resource),
    )
    _take(row, observed_values(row, resource.get("properties") or {}, via=via), now, via, sweep_id)
    return row


def _name(arm_id: str, resource: Mapping[str, Any]) -> str:
    return str(resource.get("name") or ConfigurationId.parse(arm_id).name)[:63]


def _mark_seen(pks: Sequence[int], now: datetime, via: str, sweep_id: int | None) -> None:
    """Unchanged rows: one statement says that they were looked at."""
    if not pks:
        return
    values: dict[str, Any] = {"observed_at": now, "observed_via": via}
    if sweep_id is not None:
        values["sweep_id"] = Greatest(F("sweep_id"), sweep_id)
    Configuration.objects.filter(pk__in=pks, gone_at=None).update(**values)


def _tell_of_fresh(connection: Connection, fresh: Sequence[Configuration]) -> None:
    if len(fresh) <= EVENTS_EACH:
        for row in fresh:
            record(action="configuration.seen", actor=None, **event_facts(row))
        return
    record(
        action="configuration.seen",
        actor=None,
        object_type="connection",
        object_id=connection.pk,
        object_name=f"{len(fresh)} on {connection.name}",
        count=len(fresh),
    )


# --- List per cluster -----------------------------------------------------------------------
def _observe_listed(
    connection: Connection, by_id: Mapping[str, Mapping[str, Any]], sweep_id: int | None
) -> None:
    """Whole resources, statuses included: each is as good as a GET."""
    _observe_chunk(connection, by_id, "list", sweep_id)
    rows = Configuration.objects.filter(arm_id__in=list(by_id), gone_at=None)
    wanted = rows.filter(Q(next_read_at__isnull=False) | Q(read_at=None))
    for pk, arm_id in wanted.values_list("pk", "arm_id"):
        configuration_observe(configuration_id=pk, resource=by_id[arm_id])


# --- Not seen -------------------------------------------------------------------------------
def look_for_unseen(connection: Connection, sweep_id: int) -> int:
    """Have those read that a complete sweep did not see; how many. ARM's 404 decides."""
    now = timezone.now()
    rows = Configuration.objects.filter(
        cluster__connection=connection, gone_at=None, sweep_id__lt=sweep_id
    ).exclude(read_at__gt=now - LAG)
    return rows.filter(Q(next_read_at=None) | Q(next_read_at__gt=now)).update(next_read_at=now)


def _chunks(by_id: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    items = iter(by_id.items())
    while chunk := dict(islice(items, CHUNK)):
        yield chunk
