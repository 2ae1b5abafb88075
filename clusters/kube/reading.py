"""Read a tab of a cluster's Kubernetes API while somebody looks at it.

A page asks (`reading_watch`), a worker reads (`reading_run`) every settings.KUBERNETES_SECONDS for
as long as the page is open, and the rows hold what it saw. A claim moves `next_at` on by
compare-and-swap, so that no two workers read the same tab at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clusters.kube.access import door_to, scope_of
from clusters.kube.door import KubernetesProblem
from clusters.kube.tables import VIEWS, Shown, read_table
from clusters.models import Cluster, KubernetesReading
from live.services import bump

log = logging.getLogger(__name__)

WATCH = timedelta(seconds=60)
KEPT = timedelta(minutes=10)  # after the last look at it
TAKES_AT_MOST = timedelta(minutes=2)
PAUSE_AFTER_PROBLEM = timedelta(seconds=20)
UNANSWERED = timedelta(seconds=6)  # nobody took it so long: the sweep process does
TICK_AFTER = timedelta(seconds=20)  # an open page says how old it is: keep that true
MOST_PAGES = 20  # of one cluster at a time
BATCH = 20


# --- Interest -------------------------------------------------------------------------------
def reading_watch(
    *, cluster: Cluster, view: str, namespace: str = "", table: str = "", after: str = ""
) -> KubernetesReading:
    """Somebody looks at this tab: have it read for another minute. Little is written.

    A page that was read a moment ago is not read again at once, however often it is asked for.
    """
    now = timezone.now()
    page = hashlib.sha256(json.dumps([view, namespace, table, after]).encode()).hexdigest()
    names = {"view": view, "namespace": namespace, "table": table, "after": after}
    reading, created = KubernetesReading.objects.get_or_create(
        cluster=cluster, page=page, defaults={**names, "watch_until": now + WATCH, "next_at": now}
    )
    if created:
        _forget_old(cluster, reading)
    elif reading.watch_until < now + WATCH - timedelta(seconds=20):
        slept = reading.watch_until < now
        values: dict[str, Any] = {"watch_until": now + WATCH} | ({"next_at": now} if slept else {})
        KubernetesReading.objects.filter(pk=reading.pk).update(**values)
        if not slept:
            return reading
    else:
        return reading
    transaction.on_commit(lambda: _ring(reading.pk))
    return reading


def _forget_old(cluster: Cluster, newest: KubernetesReading) -> None:
    others = cluster.kubernetes_readings.exclude(pk=newest.pk)
    others.filter(watch_until__lt=timezone.now() - KEPT).delete()
    surplus = others.order_by("-watch_until").values_list("pk", flat=True)[MOST_PAGES:]
    KubernetesReading.objects.filter(pk__in=list(surplus)).delete()


def _ring(reading_id: int) -> None:
    from clusters.tasks import kubernetes_reading

    try:
        kubernetes_reading.apply_async((reading_id,), retry=False)
    except Exception as error:  # the broker is gone: readings_overdue finds it
        log.warning("Could not ring a worker (%s)", type(error).__name__)


# --- What is due ----------------------------------------------------------------------------
def readings_due(*, send: Callable[[int], object]) -> None:
    """Hand out what is watched and due."""
    now = timezone.now()
    due = KubernetesReading.objects.filter(next_at__lte=now, watch_until__gt=now)
    for pk in due.order_by("next_at").values_list("pk", flat=True)[:BATCH]:
        send(pk)


def readings_overdue() -> None:
    """Read what nobody took: for the sweep that runs without a broker. NETWORK."""
    now = timezone.now()
    late = KubernetesReading.objects.filter(next_at__lte=now - UNANSWERED, watch_until__gt=now)
    for pk in late.values_list("pk", flat=True)[:BATCH]:
        reading_run(pk)


def reading_run(reading_id: int) -> bool:
    """Read a tab if it is due and nobody else does; whether that was done here. NETWORK."""
    now = timezone.now()
    rows = KubernetesReading.objects.filter(pk=reading_id, next_at__lte=now)
    if not rows.update(next_at=now + TAKES_AT_MOST):
        return False
    reading = KubernetesReading.objects.select_related("cluster__connection").get(pk=reading_id)
    try:
        tables = _read(reading)
    except KubernetesProblem as problem:
        facts = {"code": problem.code, "message": problem.message, **problem.facts}
        _keep(reading, problem=facts, pause=PAUSE_AFTER_PROBLEM)
    else:
        pause = timedelta(seconds=settings.KUBERNETES_SECONDS)
        _keep(reading, tables=tables, problem={}, read_at=timezone.now(), pause=pause)
    return True


def _read(reading: KubernetesReading) -> list[Shown]:
    view = VIEWS[reading.view]
    with door_to(reading.cluster) as door:
        return [
            read_table(door, table, namespace=reading.namespace, after=reading.after)
            for table in view.only(reading.table)
        ]


@transaction.atomic
def _keep(reading: KubernetesReading, *, pause: timedelta, **values: Any) -> None:
    """Write what was seen; open pages hear of it when it differs or has aged."""
    now = timezone.now()
    aged = reading.tried_at is None or now - reading.tried_at > TICK_AFTER
    moved = any(getattr(reading, it) != values[it] for it in ("tables", "problem") if it in values)
    if moved or aged:
        values["tried_at"] = now
    KubernetesReading.objects.filter(Q(pk=reading.pk)).update(next_at=now + pause, **values)
    if moved or aged:
        bump(scope_of(reading.cluster_id))
