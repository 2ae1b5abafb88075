"""Bells that survive a crash: written with the act, rung after commit, swept if left behind.

A message only rings; which operation is due is what the database says. So a broker that is
away costs time, never work, and no request waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.pools import producers as producers_by_connection

from changes.crash_points import BEFORE_BELL, crash_point
from changes.models import Operation, Outbox

log = logging.getLogger(__name__)

OPERATION = "operation"
PUBLISH_SECONDS = 0.5  # the longest that one bell may take
RELAY_SECONDS = 0.3  # a request rings no longer than this; the sweep takes the rest
QUIET_SECONDS = 5.0  # after a failed publish this process leaves the broker alone
LONGEST_COUNTDOWN = 10.0  # what is due later is found by the sweep

_quiet_until = 0.0


def enqueue(operation_ids: Iterable[int]) -> None:
    """Write the bells in the current transaction and ring them after its commit."""
    now = timezone.now()
    rows = Outbox.objects.bulk_create(
        Outbox(topic=OPERATION, key=str(pk), created_at=now) for pk in operation_ids
    )
    transaction.on_commit(lambda: _ring_after_commit(rows))


def _ring_after_commit(rows: list[Outbox]) -> None:
    crash_point(BEFORE_BELL)
    relay(rows)


def relay(rows: Iterable[Outbox], *, seconds: float = RELAY_SECONDS) -> int:
    """Ring these bells until the time is up or the broker does not answer; how many rang."""
    deadline = time.monotonic() + seconds
    rung = []
    for row in rows:
        if time.monotonic() > deadline or not ring(int(row.key)):
            break
        rung.append(row.pk)
    if rung:
        Outbox.objects.filter(pk__in=rung).delete()
    return len(rung)


def ring(operation_id: int, *, countdown: float = 0.0) -> bool:
    """Tell a worker that this operation may move on; False when no message went out."""
    global _quiet_until
    from changes.tasks import operation_advance  # tasks import the engine, which rings

    if countdown > LONGEST_COUNTDOWN or time.monotonic() < _quiet_until:
        return False
    producers = _producers()
    try:
        with producers.acquire(block=True, timeout=PUBLISH_SECONDS) as producer:
            operation_advance.apply_async(
                (operation_id,), countdown=countdown, retry=False, producer=producer
            )
    except Exception as problem:  # whatever the broker's client raises: the sweep finds the work
        _quiet_until = time.monotonic() + QUIET_SECONDS
        producers.force_close_all(close_pool=False)
        log.warning("The broker does not take messages (%s); the sweep goes on.", problem)
        return False
    return True


def _producers() -> Any:
    """Connections for ringing only: they give up sooner than those that workers listen on."""
    options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "socket_connect_timeout": PUBLISH_SECONDS,
        "socket_timeout": PUBLISH_SECONDS,
    }
    return producers_by_connection[current_app.connection_for_write(transport_options=options)]


def sweep_outbox() -> None:
    """Ring what a crash left behind; forget bells of operations that have been claimed."""
    claimed = Operation.objects.filter(fence__gt=0).values_list("pk", flat=True)
    rows = list(Outbox.objects.filter(topic=OPERATION).order_by("pk")[:500])
    done = {str(pk) for pk in claimed.filter(pk__in=[int(row.key) for row in rows])}
    Outbox.objects.filter(pk__in=[row.pk for row in rows if row.key in done]).delete()
    relay([row for row in rows if row.key not in done], seconds=2.0)
