"""Two JSON values side by side, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

CONTEXT = 3


@dataclass(frozen=True)
class Line:
    """A row of the table: numbers are 1-based, None on the side where there is no line.

    `css` is same, add, del, change or fold; a fold says how many equal lines it hides.
    """

    css: str
    left_number: int | None = None
    left: str = ""
    right_number: int | None = None
    right: str = ""
    hidden: int = 0


def diff(left: Any, right: Any) -> list[Line]:
    """The lines of both as indented JSON with sorted keys; long equal parts are folded."""
    one, other = _lines(left), _lines(right)
    rows: list[Line] = []
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            rows += _equal(one, a, b, c, is_first=a == 0, is_last=b == len(one))
        else:
            rows += _changed(one, other, a, b, c, d)
    return rows


def _equal(
    one: list[str], a: int, b: int, c: int, *, is_first: bool, is_last: bool
) -> Iterator[Line]:
    head = 0 if is_first else CONTEXT
    tail = 0 if is_last else CONTEXT
    hidden = b - a - head - tail
    for at in range(a, b):
        if hidden > 1 and a + head <= at < b - tail:
            if at == a + head:
                yield Line("fold", hidden=hidden)
            continue
        yield Line("same", at + 1, one[at], c + at - a + 1, one[at])


def _changed(
    one: list[str], other: list[str], a: int, b: int, c: int, d: int
) -> Iterator[Line]:
    for step in range(max(b - a, d - c)):
        left, right = a + step, c + step
        has_left, has_right = left < b, right < d
        yield Line(
            "change" if has_left and has_right else "del" if has_left else "add",
            left + 1 if has_left else None,
            one[left] if has_left else "",
            right + 1 if has_right else None,
            other[right] if has_right else "",
        )


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
