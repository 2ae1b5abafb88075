"""What to do when a worker finds that it wrote after its claim had ended.

Azure cannot check our fence, so a worker that was paused between its last look at the clock and
the call may write something old. It notices afterwards, and has the newest write on the resource
checked again: read back, compared, and sent once more if it was overwritten.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from changes.events import operation_event, tick
from changes.models import Change, Operation, ResourceHold
from changes.outbox import enqueue
from changes.states import IN_FLIGHT, move, move_operation


@transaction.atomic
def check_again(late: Operation) -> Operation | None:
    """Have the newest write on this resource verified; returns it, None where there is none."""
    newest = (
        Operation.objects.filter(resource_id=late.resource_id, sent_at__isnull=False)
        .order_by("-sent_at", "-pk")
        .select_related("target")
        .first()
    )
    if newest is None:
        return None
    change = Change.objects.select_for_update().get(pk=newest.change_id)
    newest.refresh_from_db()
    if newest.state in IN_FLIGHT:
        Operation.objects.filter(pk=newest.pk, state=newest.state).update(verify=True)
    elif newest.state == Operation.State.SUCCEEDED and newest.digest == change.digest:
        if change.state in {Change.State.APPLIED, Change.State.FAILED}:
            move(change, to=Change.State.APPLYING)
            # Where somebody proposes for the resource by now, theirs stays: bases are compared.
            ResourceHold.objects.bulk_create(
                [ResourceHold(change=change, resource_id=newest.resource_id)],
                ignore_conflicts=True,
            )
        move_operation(
            newest,
            to=Operation.State.POLLING,
            verify=True,
            operation_url="",
            finished_at=None,
            lease_until=None,
            next_at=timezone.now(),
            accepted_at=timezone.now(),
            fence=newest.fence + 1,
        )
        enqueue([newest.pk])
    else:
        return None
    operation_event("operation.rechecked", newest, late_operation=late.pk)
    tick(change, target=newest.target)
    return newest
