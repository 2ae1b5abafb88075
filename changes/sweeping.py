"""The work that must go on without broker and workers, and what other apps add to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.utils import timezone

from changes.claim import due
from changes.engine import advance
from changes.expiry import change_expire_due
from changes.models import WorkerBeat
from changes.outbox import ring, sweep_outbox

log = logging.getLogger(__name__)

ROUND_SECONDS = 30.0  # a round ends after this long, so that everybody's due work gets its turn
BATCH = 100

_registered: list[Callable[[], object]] = []


def register(work: Callable[[], object]) -> None:
    """Add work that every sweep does: a function that looks for what is due, and does it briefly.

    Call it from AppConfig.ready. What it raises is logged and stops nobody else.
    """
    if work not in _registered:
        _registered.append(work)


def beat(name: str) -> None:
    """Note that this part makes progress."""
    WorkerBeat.objects.update_or_create(name=name, defaults={"progress_at": timezone.now()})


def sweep_once(
    *, name: str = "sweep", stopping: Callable[[], bool] = lambda: False
) -> dict[int, float]:
    """One round: expire, ring what a crash left, advance what is due, then do others' due work.

    Returns when the caller should itself look again at operations for which no bell could be
    rung: {operation id: time.monotonic()}.
    """
    _guarded(change_expire_due)
    _guarded(sweep_outbox)
    again = advance_due(stopping=stopping)
    beat(name)
    for work in _registered:
        if stopping():
            break
        _guarded(work)
    return again


def advance_due(*, stopping: Callable[[], bool] = lambda: False) -> dict[int, float]:
    """Move on every operation that is due, until none is or the time of the round is up."""
    deadline = time.monotonic() + ROUND_SECONDS
    again: dict[int, float] = {}
    for operation_id in list(due().values_list("pk", flat=True)[:BATCH]):
        if stopping() or time.monotonic() > deadline:
            break
        again.update(advance_and_ring(operation_id))
    return again


def advance_and_ring(operation_id: int) -> dict[int, float]:
    """Advance one operation and ring its next bell; {id: when} if no bell went out."""
    try:
        delay = advance(operation_id)
    except Exception:
        log.exception("Operation %s could not be moved on", operation_id)
        return {}
    if delay is None or ring(operation_id, countdown=delay):
        return {}
    return {operation_id: time.monotonic() + delay}


def _guarded(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("Due work failed: %s", getattr(work, "__qualname__", work))
