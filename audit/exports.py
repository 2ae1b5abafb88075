"""The current filter as CSV or JSON Lines, streamed.

JSON Lines keeps every column with its exact value, so that whoever has the file can compute each
hash again (audit.services.content_hash says over what).
"""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from audit.models import AuditEvent
from audit.pages import plain

MOST = 100_000  # events in one export
_CHUNK = 1000


class _Echo:
    """csv wants a file; this hands each line straight back."""

    def write(self, line: str) -> str:
        return line


def as_csv(request: HttpRequest, events: QuerySet[AuditEvent]) -> StreamingHttpResponse:
    """One line an event, newest first."""
    return _answer(request, _csv_lines(events), "text/csv; charset=utf-8", "fluxgate-history.csv")


def as_json_lines(request: HttpRequest, events: QuerySet[AuditEvent]) -> StreamingHttpResponse:
    """One JSON object a line, newest first."""
    return _answer(request, _json_lines(events), "application/jsonl", "fluxgate-history.jsonl")


def _csv_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    names = [field.attname for field in AuditEvent._meta.concrete_fields]
    yield writer.writerow(names)
    for values in plain(_capped(events)):
        values["detail"] = json.dumps(values["detail"], ensure_ascii=False, sort_keys=True)
        yield writer.writerow([_cell(values[name]) for name in names])
    if note := _note(events):
        yield writer.writerow([note])


def _json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    for values in plain(_capped(events)):
        yield json.dumps(values, ensure_ascii=False) + "\n"
    if note := _note(events):
        yield json.dumps({"note": note}, ensure_ascii=False) + "\n"


def _capped(events: QuerySet[AuditEvent]) -> Iterator[AuditEvent]:
    """The newest MOST events, read a chunk at a time: no cursor stays open between two chunks."""
    left, chunk = MOST, list(events.order_by("-pk")[: min(_CHUNK, MOST)])
    while chunk:
        yield from chunk
        left -= len(chunk)
        older = events.filter(pk__lt=chunk[-1].pk).order_by("-pk")
        chunk = list(older[: min(_CHUNK, left)])


def _note(events: QuerySet[AuditEvent]) -> str:
    """A sentence when the filter finds more than one export holds."""
    if not events.order_by("-pk")[MOST : MOST + 1].exists():
        return ""
    return _(
        "Only the newest %(most)d events are in this file. Narrow the filter for older ones."
    ) % {"most": MOST}


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return "" if value is None else value


def _answer(
    request: HttpRequest, lines: Iterator[str], content_type: str, filename: str
) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _in_threads(lines) if isinstance(request, ASGIRequest) else lines,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Cache-Control": "no-store",
        },
    )


async def _in_threads(lines: Iterator[str]) -> AsyncIterator[str]:
    """For ASGI, which would first gather all of a plain iterator in memory."""

    def batch() -> str:
        return "".join(islice(lines, _CHUNK))

    while text := await sync_to_async(batch)():
        yield text
