"""Let reviews and approvals lapse that nobody used in time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from changes.errors import ChangeRefused
from changes.events import change_event, tick
from changes.models import Change
from changes.states import move
from changes.submit import WITHDRAWABLE, drop_waiting

BATCH = 200


def change_expire_due() -> int:
    """Expire what is past its time and of which nothing was sent; how many."""
    due = Change.objects.filter(state__in=WITHDRAWABLE, expires_at__lte=timezone.now())
    return sum(_expire(change_id) for change_id in due.values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def _expire(change_id: int) -> bool:
    change = Change.objects.select_for_update().get(pk=change_id)
    if change.state not in WITHDRAWABLE or change.expires_at > timezone.now():
        return False
    before = change.state
    try:
        move(change, to=Change.State.EXPIRED)
    except ChangeRefused:  # a worker began to send in this moment
        return False
    drop_waiting(change, note="expired")
    change_event("change.expired", change, actor=None, was=before)
    tick(change)
    return True
