"""Claim an operation by lease and fence, and write back only while the claim holds.

The lease says until when nobody else takes the operation; the fence, which grows with every
claim, says whose word counts. A worker that was paused past its lease finds that its fence is
old: its write-back meets no row and alters nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from changes.apply import STOPPING
from changes.models import Change, Operation
from changes.states import IN_FLIGHT, IN_PLAY, OPERATION_TRANSITIONS, is_allowed

LEASE = timedelta(seconds=90)
# A write takes 60 s at most (arm's deadline for one call); 5 s for clocks that differ.
SEND_NEEDS = timedelta(seconds=65)


class LeaseLost(Exception):  # noqa: N818 (what happened, not a fault)
    """Another worker has claimed the operation since: whatever was meant to be written is void."""


@dataclass
class Lease:
    """One worker's claim on one operation; `operation` follows what is written back."""

    operation: Operation
    fence: int
    until: datetime

    def has_time_to_send(self) -> bool:
        """Whether a write that starts now surely ends before somebody else may claim."""
        return self.until - timezone.now() >= SEND_NEEDS

    def write_back(self, **values: Any) -> None:
        """Update the operation if this claim still holds; LeaseLost if not."""
        old = self.operation.state
        new = values.get("state", old)
        if new != old and not is_allowed(OPERATION_TRANSITIONS, old, new):
            raise ValueError(f"An operation does not go from {old} to {new}.")
        mine = Operation.objects.filter(pk=self.operation.pk, fence=self.fence, state=old)
        if mine.update(**values) != 1:
            raise LeaseLost(f"operation {self.operation.pk}, fence {self.fence}")
        for name, value in values.items():
            setattr(self.operation, name, value)
        if values.get("lease_until"):
            self.until = values["lease_until"]


def due(now: datetime | None = None) -> QuerySet[Operation]:
    """Operations that a worker may claim now, longest due first.

    Only of changes that are approved, for the content that was approved, each after the steps
    before it, and none while another write runs on its resource.
    """
    now = now or timezone.now()
    siblings = Operation.objects.filter(digest=OuterRef("digest"))
    earlier = siblings.filter(target=OuterRef("target"), sequence__lt=OuterRef("sequence"))
    stopped = siblings.filter(
        change=OuterRef("change"), state=Operation.State.FAILED, problem__in=STOPPING
    )
    running = Operation.objects.filter(lane=OuterRef("lane"), state__in=IN_FLIGHT)
    may_start = (
        ~Exists(earlier.exclude(state=Operation.State.SUCCEEDED))
        & ~Exists(stopped)
        & ~Exists(running)
    )
    return (
        Operation.objects.filter(
            Q(lease_until=None) | Q(lease_until__lt=now),
            state__in=IN_PLAY,
            next_at__lte=now,
            digest=F("change__digest"),
            change__state__in=[Change.State.APPROVED, Change.State.APPLYING],
        )
        .filter(~Q(state=Operation.State.WAITING) | may_start)
        .order_by("next_at", "pk")
    )


@transaction.atomic
def claim(operation_id: int) -> Lease | None:
    """Take this operation for 90 s if it is due and nobody else has it; else None."""
    now = timezone.now()
    rows = due(now).filter(pk=operation_id).select_related("change", "target")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    operation = rows.first()
    if operation is None:
        return None
    fence, until = operation.fence + 1, now + LEASE
    claimed = Operation.objects.filter(pk=operation_id, fence=operation.fence).update(
        fence=fence, lease_until=until
    )
    if claimed != 1:
        return None
    operation.fence, operation.lease_until = fence, until
    return Lease(operation=operation, fence=fence, until=until)
