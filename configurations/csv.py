"""The list as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from access.models import User
from configurations import search
from configurations.listing import Query, visible
from configurations.models import Configuration

COLUMNS = (
    "name", "cluster", "environment", "compliance", "stale", "provisioning", "cause", "namespace",
    "source_url", "reference", "commit", "drifted", "observed_at", "arm_id",
)  # fmt: skip


def csv_of(user: User, query: Query) -> StreamingHttpResponse:
    """Every row of the filter, streamed; times are ISO 8601 in UTC."""
    rows = visible(user).filter(search.condition(query.tokens))
    rows = rows.select_related("cluster__environment").order_by("name", "id")
    response = StreamingHttpResponse(
        _lines(rows.iterator(500)), content_type="text/csv; charset=utf-8"
    )
    name = f"configurations-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _lines(rows: Iterator[Configuration]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    before = search.stale_before()

    def take() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow(COLUMNS)
    yield take()
    for row in rows:
        stale = row.observed_at is not None and row.observed_at < before
        values = (
            row.name, row.cluster.name, str(row.cluster.environment or ""), row.compliance,
            "yes" if stale else "no", row.provisioning_state, row.cause, row.namespace,
            row.source_url, row.reference, row.synced_commit, "yes" if row.drifted else "no",
            row.observed_at.isoformat() if row.observed_at else "", row.arm_id_display,
        )  # fmt: skip
        writer.writerow([_safe(value) for value in values])
        yield take()


def _safe(value: str) -> str:
    """A spreadsheet must not take a text from a cluster for a formula (OWASP, CSV injection)."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
