"""What Azure says of configurations, written to our rows: one at a time, and what is due.

A configuration is *watched* while `watch_until` lies ahead: after a write, and while somebody
has its page open. Workers read it every settings.WATCH_SECONDS then; a claim is a
compare-and-swap of `next_read_at`, so that two workers never read the same one at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from arm.errors import ArmError, NotFound, Throttled
from arm.throttle import Priority
from audit.services import record
from changes.models import Change, ChangeTarget
from clusters.gateways import gateway_for
from configurations import diagnosis
from configurations.models import Configuration, ObjectStatus
from configurations.reading import IN_FLIGHT, columns, drift_of, status_rows
from configurations.specification.wire import live_digest
from live.services import bump

log = logging.getLogger(__name__)

BATCH = 20  # reads of one tick of one worker
PAGE_WATCH = timedelta(seconds=60)
TICK_AFTER = timedelta(seconds=30)
PAUSE_AFTER_ERROR = timedelta(seconds=15)
# A configuration that was just made may not be listed yet: not found is not yet gone.
GRACE = timedelta(minutes=2)
_STATUS_FIELDS = (
    "position",
    "compliance",
    "applied_by",
    "reason",
    "message",
    "conditions",
    "helm",
    "changed_at",
)


# --- What is due ----------------------------------------------------------------------------
def observe_due(limit: int = BATCH) -> int:
    """Read the configurations whose time has come; how many were read. NETWORK."""
    now = timezone.now()
    due = Configuration.objects.filter(next_read_at__lte=now, gone_at=None).order_by("next_read_at")
    read = 0
    for pk, next_read_at in due.values_list("pk", "next_read_at")[:limit]:
        # Whoever moves it on has claimed it; a crash costs one interval, nothing more.
        claimed = Configuration.objects.filter(pk=pk, next_read_at=next_read_at).update(
            next_read_at=now + PAUSE_AFTER_ERROR
        )
        if claimed:
            observe_one(pk)
            read += 1
    return read


def observe_one(configuration_id: int) -> bool:
    """Read one configuration from ARM and write what it says; False where that failed. NETWORK."""
    configuration = (
        Configuration.objects.select_related("cluster__connection")
        .filter(pk=configuration_id)
        .first()
    )
    if configuration is None:
        return False
    try:
        gateway = gateway_for(configuration.cluster.connection, priority=Priority.POLL)
        resource = gateway.get_configuration(configuration.arm_id_display or configuration.arm_id)
    except NotFound:
        configuration_gone(configuration=configuration)
        return True
    except Throttled as error:
        _again_in(configuration, timedelta(seconds=error.retry_after or 15))
        return False
    except ArmError as error:
        log.info("Configuration %s could not be read: %s", configuration_id, error.code)
        _again_in(configuration, PAUSE_AFTER_ERROR)
        return False
    configuration_observe(
        configuration_id=configuration_id,
        resource=resource,
        after_change_id=configuration.desired_change_id,
    )
    return True


def _again_in(configuration: Configuration, pause: timedelta) -> None:
    Configuration.objects.filter(pk=configuration.pk).update(next_read_at=timezone.now() + pause)


# --- One resource ---------------------------------------------------------------------------
@transaction.atomic
def configuration_observe(
    *, configuration_id: int, resource: Mapping[str, Any], after_change_id: int | None = None
) -> Configuration:
    """Write what a GET brought: columns, objects, cause and drift; bump only what moved.

    `after_change_id` is the change that was written last when the read began: if another one was
    written meanwhile, the answer may be older than it and is thrown away.
    """
    rows = Configuration.objects.select_for_update(of=("self",)).select_related("cluster")
    configuration: Configuration = rows.get(pk=configuration_id)
    if after_change_id is not None and configuration.desired_change_id != after_change_id:
        return configuration
    now = timezone.now()
    properties = dict(resource.get("properties") or {})
    moved = _write_statuses(configuration, status_rows(properties))
    values = observed_values(configuration, properties, via="get")
    values["object_count"] = configuration.statuses.count()
    values["cause"], values["cause_code"] = diagnosis.cause_of(
        configuration.name, properties, list(configuration.statuses.all())
    )
    values["system_data"] = dict(resource.get("systemData") or {})
    moved |= _differs(configuration, values) or configuration.gone_at is not None
    # The page of one that is watched says how long ago it was read: keep that true.
    aged = configuration.read_at is None or now - configuration.read_at > TICK_AFTER
    newly_drifted = values["drifted"] and not configuration.drifted
    for name, value in values.items():
        setattr(configuration, name, value)
    configuration.observed_at = configuration.read_at = now
    configuration.observed_via = "get"
    configuration.gone_at = None
    configuration.next_read_at = next_read(configuration)
    configuration.save()
    if newly_drifted:
        record_drift(configuration)
    if moved:
        bump(*scopes_of(configuration), *scopes_of_reviews([configuration.pk]))
    elif aged:
        bump(f"configuration:{configuration.pk}")
    return configuration


def observed_values(
    configuration: Configuration, properties: Mapping[str, Any], *, via: str
) -> dict[str, Any]:
    """The columns that follow from `properties` and from what the row said before."""
    kept = {key: value for key, value in properties.items() if key != "statuses"}
    if via == "graph":
        # Resource Graph projects the fields that it knows; the others stay as last read.
        kept = {**configuration.observed, **kept}
    values = columns(properties)
    values["observed"] = kept
    values["observed_digest"] = live_digest(kept)
    values["drift_fields"] = drift_of(configuration.desired, kept)
    values["drifted"] = bool(values["drift_fields"])
    if values["provisioning_state"] in IN_FLIGHT:
        values["drifted"], values["drift_fields"] = False, []
    since = configuration.compliance_since
    changed = values["compliance"] != configuration.compliance or since is None
    values["compliance_since"] = (
        (values["status_updated_at"] or timezone.now()) if changed else since
    )
    return values


def next_read(configuration: Configuration) -> Any:
    """When to read it again by itself; None while nobody watches (the fleet's sync carries it)."""
    now = timezone.now()
    if configuration.watch_until is None or configuration.watch_until <= now:
        return None
    return now + timedelta(seconds=settings.WATCH_SECONDS)


def _differs(configuration: Configuration, values: Mapping[str, Any]) -> bool:
    return any(getattr(configuration, name) != value for name, value in values.items())


def _write_statuses(configuration: Configuration, rows: list[dict[str, Any]]) -> bool:
    """Make the ObjectStatus rows equal to `rows`, touching only what differs; whether any did."""
    existing = {(it.kind, it.namespace, it.name): it for it in configuration.statuses.all()}
    fresh: list[ObjectStatus] = []
    altered: list[ObjectStatus] = []
    for row in rows:
        status = existing.pop((row["kind"], row["namespace"], row["name"]), None)
        if status is None:
            fresh.append(ObjectStatus(configuration=configuration, **row))
        elif any(getattr(status, name) != row[name] for name in _STATUS_FIELDS):
            for name in _STATUS_FIELDS:
                setattr(status, name, row[name])
            altered.append(status)
    if existing:
        ObjectStatus.objects.filter(pk__in=[it.pk for it in existing.values()]).delete()
    ObjectStatus.objects.bulk_create(fresh)
    ObjectStatus.objects.bulk_update(altered, _STATUS_FIELDS, batch_size=200)
    return bool(existing or fresh or altered)


@transaction.atomic
def configuration_gone(*, configuration: Configuration) -> bool:
    """Azure does not know it (any more); whether the row was marked so now."""
    now = timezone.now()
    # Accepted a moment ago and never seen yet: Azure may be behind.
    young = Q(observed_at=None, created_at__gt=now - GRACE)
    rows = Configuration.objects.filter(pk=configuration.pk, gone_at=None)
    if rows.filter(young).update(next_read_at=now + timedelta(seconds=settings.WATCH_SECONDS)):
        return False
    if not rows.update(gone_at=now, next_read_at=None, watch_until=None):
        return False
    record(action="configuration.gone", actor=None, **event_facts(configuration))
    bump(*scopes_of(configuration))
    return True


def record_drift(configuration: Configuration) -> None:
    """Somebody wrote past the portal: who, as far as Azure says."""
    system = configuration.system_data or {}
    record(
        action="configuration.drifted",
        actor=None,
        fields=configuration.drift_fields[:50],
        last_modified_by=str(system.get("lastModifiedBy") or ""),
        last_modified_at=str(system.get("lastModifiedAt") or ""),
        **event_facts(configuration),
    )


def event_facts(configuration: Configuration) -> dict[str, Any]:
    """Who it is about, for an audit event."""
    return {
        "object_type": "configuration",
        "object_id": configuration.pk,
        "object_name": f"{configuration.name} on {configuration.cluster.name}",
        "environment_id": configuration.cluster.environment_id,
        "cluster_id": configuration.cluster_id,
        "configuration_id": configuration.pk,
    }


def scopes_of_reviews(pks: Sequence[int]) -> set[str]:
    """The live scopes of open changes of these: their pages say when a base has moved."""
    waiting = [Change.State.DRAFT, Change.State.IN_REVIEW]
    targets = ChangeTarget.objects.filter(configuration_id__in=pks, change__state__in=waiting)
    return {f"change:{pk}" for pk in targets.values_list("change_id", flat=True)}


def scopes_of(configuration: Configuration) -> tuple[str, ...]:
    """The live scopes of pages that show it."""
    return (
        "configurations",
        f"configuration:{configuration.pk}",
        f"cluster:{configuration.cluster_id}",
    )


# --- Interest -------------------------------------------------------------------------------
def configuration_watch(*, configuration_id: int) -> bool:
    """Somebody has its page open: read it closely for another minute; whether that was written.

    At most one write in 20 s however many pages are open; never shortens the watch of a write.
    """
    now = timezone.now()
    until = now + PAGE_WATCH
    rows = Configuration.objects.filter(pk=configuration_id, gone_at=None).filter(
        Q(watch_until=None) | Q(watch_until__lt=until - timedelta(seconds=20))
    )
    if not rows.update(watch_until=until):
        return False
    rows = Configuration.objects.filter(pk=configuration_id)
    rows.filter(Q(next_read_at=None) | Q(next_read_at__gt=now)).update(next_read_at=now)
    return True
