"""What the rows say right after Azure took a write of ours, and when that write has ended.

Runs inside the engine's transaction; the engine records the event of the operation itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from arm import ConfigurationId
from changes.kinds import Step
from changes.models import Operation
from clusters.models import Cluster
from configurations.models import Compliance, Configuration
from configurations.reading import SEVERITY, columns
from live.services import bump

WATCH_AFTER_WRITE = timedelta(minutes=15)


def write_accepted(*, operation: Operation, step: Step, wanted: dict[str, Any] | None) -> None:
    """Azure took the write: show that it is under way, and watch closely from now on.

    `wanted`: the properties that were asked for; None for a delete.
    """
    now = timezone.now()
    if wanted is None:
        _update(step.resource_id, now, provisioning_state="Deleting")
        return
    is_put = step.method == "PUT"
    existing = Configuration.objects.filter(arm_id=step.resource_id).first()
    if existing is None or existing.gone_at is not None:
        _create(existing, operation, step, wanted, now)
    else:
        adopted = existing.adopted and not is_put
        _update(
            step.resource_id,
            now,
            desired=wanted,
            desired_change_id=operation.change_id,
            adopted=adopted,
            provisioning_state="Updating",
            drifted=False,
            drift_fields=[],
        )


def write_finished(*, operation: Operation, step: Step) -> None:
    """It ended, well or not: read the resource at once."""
    now = timezone.now()
    _update(step.resource_id, now, watch_until=now + WATCH_AFTER_WRITE)


def _create(
    existing: Configuration | None,
    operation: Operation,
    step: Step,
    wanted: dict[str, Any],
    now: datetime,
) -> None:
    cluster = Cluster.objects.filter(pk=operation.target.cluster_id or 0).first()
    if cluster is None:
        return
    row = existing or Configuration(arm_id=step.resource_id)
    values = {
        **columns(wanted),
        "cluster": cluster,
        "arm_id_display": _display_id(cluster, step),
        "name": step.resource_name,
        "desired": wanted,
        "desired_change_id": operation.change_id,
        "adopted": False,
        "observed": {},
        "observed_digest": "",
        "observed_at": None,
        "read_at": None,
        "compliance": Compliance.PENDING,
        "severity": SEVERITY[Compliance.PENDING],
        "compliance_since": now,
        "provisioning_state": "Creating",
        "cause": "",
        "cause_code": "",
        "drifted": False,
        "drift_fields": [],
        "gone_at": None,
        "watch_until": now + WATCH_AFTER_WRITE,
        "next_read_at": now,
    }
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    row.statuses.all().delete()
    bump("configurations", f"configuration:{row.pk}", f"cluster:{cluster.pk}")


def _display_id(cluster: Cluster, step: Step) -> str:
    """The id with the cluster's own spelling, as Azure shows it."""
    return f"{cluster.arm_id_display}{ConfigurationId.INFIX}{step.resource_name}"


def _update(resource_id: str, now: datetime, **values: Any) -> None:
    rows = Configuration.objects.filter(arm_id=resource_id, gone_at=None)
    values = {"watch_until": now + WATCH_AFTER_WRITE, "next_read_at": now, **values}
    if rows.update(**values):
        pk, cluster_id = rows.values_list("pk", "cluster_id")[0]
        bump("configurations", f"configuration:{pk}", f"cluster:{cluster_id}")
