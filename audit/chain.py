"""Check the chain: is every event as it was written, and is none missing in between."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from audit.models import AuditEvent
from audit.services import GENESIS, content_hash

_CHUNK = 2000  # events in memory at a time


class Fault(StrEnum):
    """What is wrong with the first broken event."""

    CONTENT = "content"  # its content is not what its hash was made of
    LINK = "link"  # the event before it is not the one that it was chained to


@dataclass(frozen=True, kw_only=True)
class Report:
    """How far the chain holds.

    `head` is the hash of the last event that was checked and held. Whoever cuts events off the
    end leaves a whole, shorter chain: only a head noted elsewhere shows that (`found_noted`).
    """

    checked: int
    head: str
    broken_id: int | None = None
    fault: Fault | None = None
    found_noted: bool | None = None  # None: no head was given to look for

    @property
    def ok(self) -> bool:
        """Nothing broken, and the noted head, if one was given, is in the chain."""
        return self.broken_id is None and self.found_noted is not False


def verify(from_id: int | None = None, *, noted_head: str = "") -> Report:
    """Check every event from `from_id` (default: the first) to the last, in one pass.

    With `from_id` the event before it is trusted. `noted_head` is a hash that an earlier report
    gave and that must still be there.
    """
    events = AuditEvent.objects.order_by("id")
    previous = GENESIS
    if from_id is not None:
        before = events.filter(id__lt=from_id).last()
        previous = before.hash if before else GENESIS
        events = events.filter(id__gte=from_id)
    found = (noted_head == previous) if noted_head else None
    checked = 0
    for event in events.iterator(chunk_size=_CHUNK):
        fault = _fault(event, previous)
        if fault:
            return Report(
                checked=checked, head=previous, broken_id=event.pk, fault=fault, found_noted=found
            )
        previous = event.hash
        checked += 1
        if noted_head == previous:
            found = True
    return Report(checked=checked, head=previous, found_noted=found)


def _fault(event: AuditEvent, previous: str) -> Fault | None:
    if content_hash(event) != event.hash:
        return Fault.CONTENT
    return Fault.LINK if event.previous_hash != previous else None
