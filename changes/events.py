"""One audit event and the ticks of the open pages, for everything that happens to a change."""

from __future__ import annotations

from typing import Any

from access.models import User
from audit.services import record
from changes.models import Change, ChangeTarget, Operation
from live.services import bump


def change_event(
    action: str, change: Change, *, actor: User | None, reason: str = "", **detail: Any
) -> None:
    """Record `action` on the change, in its transaction.

    Cluster, configuration and environment are named where all targets share one.
    """
    targets = list(
        ChangeTarget.objects.filter(change=change)
        .order_by()
        .values_list("cluster_id", "configuration_id", "environment_id")
        .distinct()[:2000]
    )
    shared = [
        found.pop() if len(found) == 1 else None for found in map(set, zip(*targets, strict=True))
    ]
    cluster_id, configuration_id, environment_id = shared or (None, None, None)

    record(
        action=action,
        actor=actor,
        object_type="change",
        object_id=change.pk,
        object_name=f"#{change.pk} {change.title}",
        environment_id=environment_id,
        cluster_id=cluster_id,
        configuration_id=configuration_id,
        change_id=change.pk,
        reason=reason,
        digest=change.digest,
        revision=change.revision,
        **detail,
    )


def operation_event(
    action: str, operation: Operation, *, actor: User | None = None, **detail: Any
) -> None:
    """Record `action` on one operation, in its transaction."""
    target = operation.target
    record(
        action=action,
        actor=actor,
        object_type="operation",
        object_id=operation.pk,
        object_name=operation.resource_name,
        environment_id=target.environment_id,
        cluster_id=target.cluster_id,
        configuration_id=target.configuration_id,
        change_id=operation.change_id,
        verb=operation.verb,
        kind=operation.kind,
        resource_id=operation.resource_id,
        digest=operation.digest,
        attempt=operation.attempt,
        **detail,
    )


def tick(change: Change, *, target: ChangeTarget | None = None) -> None:
    """Tell the pages that show the change, or only this target of it; last in a transaction."""
    scopes = {"changes", f"change:{change.pk}"}
    targets = [target] if target is not None else list(change.targets.all())
    for each in targets:
        if each.cluster_id is not None:
            scopes.add(f"cluster:{each.cluster_id}")
        if each.configuration_id is not None:
            scopes.add(f"configuration:{each.configuration_id}")
    bump(*scopes)
