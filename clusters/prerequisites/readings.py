"""Read what no row of Resource Graph tells: providers, regions and the portal's own rights.

Once a subscription, and once a resource group only where the subscription's rights do not do
(Azure's rights add up downwards), so that ten thousand clusters cost a few calls an hour.

`ScopeReading.found` of a subscription:
    {"providers": {NAMESPACE: {"state": "Registered", "locations": {TYPE: [REGION, ...]}} | WRONG},
     "rights": {"missing": [ACTION, ...]} | WRONG}
of a resource group {"rights": ...}, of a cluster {}: what is read of it goes to its own rows.
WRONG is {"code", "message"}: Azure refused this question and answered others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from arm import (
    ArmError,
    Gateway,
    NotFound,
    Permanent,
    Priority,
    ProviderNotRegistered,
    missing,
)
from arm.checks import CLUSTER_ACTIONS, FEDERATED_ACTIONS, REQUIRED_ACTIONS, REQUIRED_PROVIDERS
from clusters.gateways import gateway_for
from clusters.inventory import clusters_write, extensions_write
from clusters.models import Cluster, Connection, ScopeReading
from clusters.problems import problem_of
from live.services import bump

log = logging.getLogger(__name__)

TAKES_AT_MOST = timedelta(minutes=3)
UNANSWERED = timedelta(seconds=3)  # nobody took it so long: the sweep process does
LATE = timedelta(minutes=2)
AGAIN = timedelta(minutes=5)  # after a read that failed
SOON = timedelta(seconds=5)  # while a registration is under way
AT_ONCE = 50  # readings handed out in one round
ALL_ACTIONS = (
    *REQUIRED_ACTIONS,
    *(action for actions in CLUSTER_ACTIONS.values() for action in actions),
    *FEDERATED_ACTIONS,
)
_TYPES = ("extensions", "fluxconfigurations", "managedclusters", "connectedclusters")
MOVING = ("Registering", "Unregistering")


def scope_name(connection_id: int) -> str:
    """The live scope of what was read through a connection."""
    return f"prerequisites:{connection_id}"


def subscription_scope(subscription_id: str) -> str:
    return f"/subscriptions/{subscription_id}".lower()


# --- Asking ---------------------------------------------------------------------------------
@transaction.atomic
def cluster_ask(*, cluster: Cluster) -> None:
    """Have the cluster itself and all that its prerequisites rest on read now."""
    group = cluster.resource_group.lower()
    scopes = {
        subscription_scope(cluster.subscription_id): ("", None),
        f"{subscription_scope(cluster.subscription_id)}/resourcegroups/{group}": (group, None),
        cluster.arm_id: ("", cluster),
    }
    _ask(
        ScopeReading(
            connection_id=cluster.connection_id,
            scope=scope,
            subscription_id=cluster.subscription_id.lower() if place is None else "",
            resource_group=resource_group,
            cluster=place,
        )
        for scope, (resource_group, place) in scopes.items()
    )


@transaction.atomic
def connection_ask(*, connection: Connection) -> None:
    """Have every scope of the connection read now."""
    readings_plan(connection)
    rows = ScopeReading.objects.filter(connection=connection, cluster=None)
    rows.update(asked_at=timezone.now(), begun_at=None)
    bump(scope_name(connection.pk))
    transaction.on_commit(_ring)


@transaction.atomic
def subscription_ask(*, connection_id: int, subscription_id: str) -> None:
    """Have one subscription read now: something moved there."""
    _ask([_of_subscription(connection_id, subscription_id)])


def _ask(wanted: Iterable[ScopeReading]) -> None:
    rows = list(wanted)
    for row in rows:
        row.asked_at = timezone.now()
    ScopeReading.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "scope"],
        update_fields=["asked_at", "begun_at"],
    )
    bump(*{scope_name(row.connection_id) for row in rows})
    transaction.on_commit(_ring)


def _ring() -> None:
    from clusters.tasks import prerequisites_due

    try:
        prerequisites_due.apply_async(retry=False)
    except Exception as error:  # the broker is gone: readings_overdue finds it
        log.warning("Could not ring a worker (%s)", type(error).__name__)


def asked_at(cluster: Cluster) -> datetime | None:
    """When somebody asked for what the cluster's prerequisites rest on; None: all is answered."""
    rows = ScopeReading.objects.filter(
        Q(cluster=cluster)
        | Q(
            subscription_id=cluster.subscription_id.lower(),
            resource_group__in=("", cluster.resource_group.lower()),
        ),
        connection=cluster.connection_id,
        asked_at__isnull=False,
    )
    return max((it.asked_at for it in rows if it.is_running and it.asked_at), default=None)


# --- Which scopes there are -----------------------------------------------------------------
@transaction.atomic
def readings_plan(connection: Connection | None = None) -> None:
    """Have a row for each scope that matters, and none for others. Flat in queries."""
    connections = Connection.objects.filter(enabled=True)
    if connection is not None:
        connections = connections.filter(pk=connection.pk)
    named = {
        (pk, str(subscription).lower())
        for pk, ids in connections.values_list("pk", "subscription_ids")
        for subscription in ids
    }
    clusters = Cluster.objects.filter(connection__in=connections, gone_at=None).order_by()
    seen = clusters.values_list("connection_id", Lower("subscription_id")).distinct()
    wanted = [_of_subscription(*it) for it in sorted(named | set(seen))]
    readings = ScopeReading.objects.filter(connection__in=connections, cluster=None)
    lacking = {
        (pk, subscription)
        for pk, subscription in readings.filter(resource_group="", may_write=False).values_list(
            "connection_id", "subscription_id"
        )
    }
    if lacking:
        groups = clusters.filter(subscription_id__in={it for _pk, it in lacking})
        pairs = groups.values_list("connection_id", "subscription_id", Lower("resource_group"))
        wanted += [
            _of_group(pk, subscription, group)
            for pk, subscription, group in sorted(set(pairs.distinct()))
            if (pk, subscription) in lacking
        ]
    now = timezone.now()
    for place, row in enumerate(wanted):  # a new fleet is not asked for at once
        row.next_at = now + timedelta(seconds=min(place // 5, 300))
    known = set(readings.values_list("connection_id", "scope"))
    fresh = [row for row in wanted if (row.connection_id, row.scope) not in known]
    ScopeReading.objects.bulk_create(fresh, ignore_conflicts=True)
    keep = {(row.connection_id, row.scope) for row in wanted}
    surplus = [pk for pk, key in _keys(readings) if key not in keep]
    if surplus:
        ScopeReading.objects.filter(pk__in=surplus).delete()


def _keys(rows: QuerySet[ScopeReading]) -> list[tuple[int, tuple[int, str]]]:
    """Of scopes that nobody waits for: one that was just asked for may not be planned."""
    idle = rows.filter(Q(asked_at=None) | Q(read_at__gte=F("asked_at")))
    found = idle.values_list("pk", "connection_id", "scope")
    return [(pk, (connection, scope)) for pk, connection, scope in found]


def _of_subscription(connection_id: int, subscription_id: str) -> ScopeReading:
    return ScopeReading(
        connection_id=connection_id,
        scope=subscription_scope(subscription_id),
        subscription_id=subscription_id.lower(),
    )


def _of_group(connection_id: int, subscription_id: str, group: str) -> ScopeReading:
    scope = f"{subscription_scope(subscription_id)}/resourcegroups/{group}"
    return ScopeReading(
        connection_id=connection_id,
        scope=scope,
        subscription_id=subscription_id,
        resource_group=group,
    )


# --- Reading --------------------------------------------------------------------------------
def readings_due(*, send: Callable[[int], object]) -> int:
    """Hand out what is asked for, then what is due; how many were."""
    now = timezone.now()
    rows = _wanted(now).filter(_free(now)).order_by(F("asked_at").desc(nulls_last=True), "next_at")
    found = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    for pk in found:
        send(pk)
    return len(found)


def readings_overdue() -> None:
    """Do what nobody took: for the sweep that runs without a broker. NETWORK."""
    now = timezone.now()
    asked = Q(asked_at__lte=now - UNANSWERED) & (Q(read_at=None) | Q(read_at__lt=F("asked_at")))
    late = Q(next_at__lte=now - LATE)
    rows = _wanted(now).filter(asked | late).filter(_free(now))
    for pk in list(rows.values_list("pk", flat=True)[:10]):
        reading_run(pk)


def reading_run(reading_id: int) -> bool:
    """Read one scope, if it is wanted and nobody else does; whether it was. NETWORK."""
    now = timezone.now()
    claim = _wanted(now).filter(_free(now), pk=reading_id)
    if not claim.update(begun_at=now):
        return False
    reading = ScopeReading.objects.select_related("connection", "cluster").get(pk=reading_id)
    priority = Priority.INTERACTIVE if reading.is_running else Priority.POLL
    values: dict[str, Any] = {"problem": "", "problem_code": "", "problem_message": ""}
    try:
        values |= _read(gateway_for(reading.connection, priority=priority), reading)
    except ArmError as error:  # what was known before stays, with its age
        values = {
            "problem": problem_of(error),
            "problem_code": error.code[:100],
            "problem_message": error.message,
        }
    _store(reading, values, begun=now)
    return True


def _wanted(now: datetime) -> QuerySet[ScopeReading]:
    asked = Q(asked_at__isnull=False) & (Q(read_at=None) | Q(read_at__lt=F("asked_at")))
    return ScopeReading.objects.filter(asked | Q(next_at__lte=now), connection__enabled=True)


def _free(now: datetime) -> Q:
    return Q(begun_at=None) | Q(begun_at__lt=now - TAKES_AT_MOST)


def _read(gateway: Gateway, reading: ScopeReading) -> dict[str, Any]:
    if reading.cluster is not None:
        _read_cluster(gateway, reading.cluster)
        return {"found": {}, "may_write": None}
    rights = _told(lambda: {"missing": missing(gateway.permissions(reading.scope), ALL_ACTIONS)})
    found: dict[str, Any] = {"rights": rights}
    if not reading.resource_group:
        found["providers"] = {
            name: _told(partial(_provider, gateway, reading.subscription_id, name))
            for name in REQUIRED_PROVIDERS
        }
    lacks = rights.get("missing")
    may_write = None if lacks is None else not set(lacks) & set(REQUIRED_ACTIONS)
    return {"found": found, "may_write": may_write}


def _provider(gateway: Gateway, subscription_id: str, namespace: str) -> dict[str, Any]:
    provider = gateway.provider(subscription_id, namespace)
    locations = {it: provider.locations[it] for it in _TYPES if it in provider.locations}
    return {"state": provider.state, "locations": locations}


def _told(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or what Azure refused it with; other failures are of the whole read."""
    try:
        return ask()
    except (Permanent, NotFound, ProviderNotRegistered) as error:
        return {"code": error.code, "message": error.message}


def _read_cluster(gateway: Gateway, cluster: Cluster) -> None:
    """The same rows that a fleet read writes, of this cluster alone."""
    resource = gateway.get_cluster(cluster.arm_id_display)
    try:
        extensions = gateway.list_extensions(cluster.arm_id_display)
    except (Permanent, NotFound, ProviderNotRegistered) as error:
        log.info("The extensions of %s cannot be listed (%s)", cluster.name, error.code)
        extensions = []
    place: dict[str, Any] = {"connection": cluster.connection, "via": "get", "sweep_id": None}
    clusters_write(resources=[resource], **place)
    extensions_write(resources=extensions, **place)


@transaction.atomic
def _store(reading: ScopeReading, values: Mapping[str, Any], *, begun: datetime) -> None:
    now = timezone.now()
    answered = not values["problem"]
    news = reading.is_running or any(getattr(reading, name) != it for name, it in values.items())
    changes = {**values, "begun_at": None, "next_at": _next(reading, values, now)}
    if answered:
        changes["read_at"] = begun  # who asked meanwhile gets a read of their own
    elif reading.is_running:
        changes["asked_at"] = None  # answered by the problem
    ScopeReading.objects.filter(pk=reading.pk).update(**changes)
    if news:
        places = [f"cluster:{reading.cluster_id}"] if reading.cluster_id else []
        bump(scope_name(reading.connection_id), *places)


def _next(reading: ScopeReading, values: Mapping[str, Any], now: datetime) -> datetime | None:
    if reading.cluster is not None:
        return None
    if values["problem"]:
        return now + AGAIN
    states = [it.get("state") for it in values["found"].get("providers", {}).values()]
    if any(state in MOVING for state in states):
        return now + SOON
    pause = float(settings.PREREQUISITES_SECONDS) * random.uniform(0.9, 1.1)  # noqa: S311
    return now + timedelta(seconds=pause)
