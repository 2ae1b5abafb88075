"""Answers for load balancers and Prometheus: alive, ready, and what waits.

Ready means progress, not processes: a worker that lives and consumes nothing is not ready
(performance text 2.1, zombie consumers).
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from changes.models import Operation
from clusters.models import Connection
from configurations.models import Configuration

# An operation that has been due for longer than this means that nobody applies.
OVERDUE = timedelta(seconds=60)


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; asks nothing of any other part."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and no due operation has been left lying; else 503."""
    try:
        overdue = overdue_operations()
    except DatabaseError:
        return JsonResponse({"ready": False, "why": "The database does not answer."}, status=503)
    if overdue:
        why = f"{overdue} operations are due for more than {OVERDUE.seconds} s: no worker applies."
        return JsonResponse({"ready": False, "why": why}, status=503)
    return JsonResponse({"ready": True})


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Gauges in Prometheus' text format; counts only, no names, so it needs no sign-in."""
    lines: list[str] = []

    def gauge(name: str, help_text: str, samples: dict[str, float]) -> None:
        lines.append(f"# HELP fluxgate_{name} {help_text}")
        lines.append(f"# TYPE fluxgate_{name} gauge")
        lines.extend(f"fluxgate_{name}{labels} {value:g}" for labels, value in samples.items())

    gauge("operations", "ARM writes by state.", counted(Operation.objects.all(), "state"))
    gauge(
        "configurations",
        "Configurations by compliance as last observed.",
        counted(Configuration.objects.filter(gone_at=None), "compliance"),
    )
    gauge("operations_overdue", "ARM writes due for more than 60 s.", {"": overdue_operations()})
    oldest = Connection.objects.filter(enabled=True).aggregate(at=Min("delta_at"))["at"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0
    gauge("fleet_read_age_seconds", "Age of the oldest connection's last fleet read.", {"": age})
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


def overdue_operations() -> int:
    """Operations that should have been claimed a while ago and were not."""
    now = timezone.now()
    return (
        Operation.objects.filter(state__in=["waiting", "sending", "polling"])
        .filter(next_at__lt=now - OVERDUE, problem="")
        .exclude(lease_until__gt=now)
        .exclude(state="waiting", sequence__gt=0)
        .count()
    )


def counted(queryset: object, field: str) -> dict[str, float]:
    """Samples of one label from a grouped count."""
    rows = queryset.order_by().values_list(field).annotate(Count("pk"))  # type: ignore[attr-defined]
    return {f'{{{field}="{value}"}}': count for value, count in rows}
