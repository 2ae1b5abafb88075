"""What the history page shows of events: rows, days, and comparisons of before and after."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import SequenceMatcher
from functools import cached_property
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from audit import actions, links
from audit.models import AuditEvent

ROWS = 50
_CONTEXT = 3  # equal lines around a difference
_MOST_LINES = 400  # of a comparison; beyond that both sides are shown as they are


@dataclass(frozen=True)
class Line:
    """One line of a comparison: a number and text on each side, and what it is."""

    kind: str  # same, both, add, del, fold
    left_number: int | None = None
    left: str = ""
    right_number: int | None = None
    right: str = ""
    folded: int = 0


@dataclass(frozen=True)
class Row:
    """An event as the page shows it."""

    event: AuditEvent

    @property
    def look(self) -> actions.Action:
        return actions.look(self.event.action)

    @property
    def sentence(self) -> str:
        return actions.sentence(self.event)

    @property
    def under(self) -> str:
        return actions.under(self.event)

    @property
    def url(self) -> str:
        return links.url_of(self.event)

    @property
    def short_hash(self) -> str:
        return f"{self.event.hash[:4]}…{self.event.hash[-4:]}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The details apart from what has its own place on the page."""
        own_place = {"before", "after", "digest"}
        return {key: value for key, value in self.event.detail.items() if key not in own_place}

    @property
    def digest(self) -> str:
        digest = self.event.detail.get("digest", "")
        return digest if isinstance(digest, str) else ""

    @cached_property
    def lines(self) -> list[Line]:
        """Before and after side by side; empty when the event has neither."""
        before, after = self.event.detail.get("before"), self.event.detail.get("after")
        if before is None and after is None:
            return []
        return compare(_pretty(before), _pretty(after))


@dataclass(frozen=True)
class Page:
    """One page of events, newest first."""

    rows: Sequence[Row]
    newer: str  # the id to page up from, "" on the first page
    older: str  # the id to page down from, "" on the last page

    @property
    def days(self) -> Iterator[tuple[date, list[Row]]]:
        """Rows by day, in UTC."""
        for day, rows in groupby(self.rows, key=lambda row: row.event.at.date()):
            yield day, list(rows)

    @property
    def newest_id(self) -> int:
        return self.rows[0].event.pk if self.rows else 0


def page_of(events: QuerySet[AuditEvent], *, before: str, after: str) -> Page:
    """ROWS events older than `before` or newer than `after` (ids as text, "" for neither)."""
    if after:
        found = list(events.filter(pk__gt=id_of(after)).order_by("pk")[: ROWS + 1])
        more_newer, more_older = len(found) > ROWS, True
        found = found[:ROWS][::-1]
    else:
        if before:
            events = events.filter(pk__lt=id_of(before))
        found = list(events.order_by("-pk")[: ROWS + 1])
        more_newer, more_older = bool(before), len(found) > ROWS
        found = found[:ROWS]
    rows = [Row(event) for event in found]
    return Page(
        rows=rows,
        newer=str(found[0].pk) if found and more_newer else "",
        older=str(found[-1].pk) if found and more_older else "",
    )


def compare(left: Sequence[str], right: Sequence[str]) -> list[Line]:
    """Lines side by side; equal stretches beyond a little context are folded."""
    if len(left) + len(right) > 2 * _MOST_LINES:
        left, right = left[:_MOST_LINES], right[:_MOST_LINES]
    lines: list[Line] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += _same(left, i1, i2, j1, last=i2 == len(left) and j2 == len(right))
        else:
            lines += _changed(left[i1:i2], i1, right[j1:j2], j1)
    return lines


def _same(left: Sequence[str], i1: int, i2: int, j1: int, *, last: bool) -> Iterator[Line]:
    head = 0 if i1 == 0 else _CONTEXT
    tail = 0 if last else _CONTEXT
    hidden = range(i1 + head, i2 - tail)
    for index in range(i1, i2):
        if len(hidden) > 1 and index in hidden:
            if index == hidden.start:
                yield Line("fold", folded=len(hidden))
            continue
        yield Line("same", index + 1, left[index], j1 + index - i1 + 1, left[index])


def _changed(left: Sequence[str], i1: int, right: Sequence[str], j1: int) -> Iterator[Line]:
    for offset in range(max(len(left), len(right))):
        has_left, has_right = offset < len(left), offset < len(right)
        yield Line(
            "both" if has_left and has_right else "del" if has_left else "add",
            i1 + offset + 1 if has_left else None,
            left[offset] if has_left else "",
            j1 + offset + 1 if has_right else None,
            right[offset] if has_right else "",
        )


def _pretty(value: Any) -> list[str]:
    if value is None:
        return []
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


def id_of(text: str) -> int:
    """An id from the address; what is none finds nothing older and nothing newer than it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def today_and_yesterday() -> tuple[date, date]:
    """For the words before a day's date."""
    today = timezone.now().date()
    return today, today - timedelta(days=1)


def plain(events: Iterable[AuditEvent]) -> Iterator[dict[str, Any]]:
    """Every column of each event, as exports give it; times are ISO 8601 in UTC."""
    names = [field.attname for field in AuditEvent._meta.concrete_fields]
    for event in events:
        values = {name: getattr(event, name) for name in names}
        values["at"] = event.at.isoformat(timespec="microseconds")
        yield values
