"""The difference that a reviewer reads: live now on the left, after this change on the right.

Both sides are JSON, one value a line, keys sorted; secrets are "•••• version n". Lines that stay
are folded, words that differ are marked. Everything is made on the server, so the page needs no
script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from changes.kinds import Step, Wire

CONTEXT = 3  # lines kept around a difference
_WORDS = re.compile(r"[\w./:@-]+|\s+|.")
_KEY = re.compile(r'^(\s*)"([^"]+)": ')


@dataclass(frozen=True)
class Line:
    """One line of JSON and the path of its value: "properties.kustomizations.apps.prune"."""

    text: str
    path: str


@dataclass(frozen=True)
class Part:
    """A piece of a line; `marked` differs from the other side."""

    text: str
    marked: bool = False


@dataclass(frozen=True)
class Row:
    """One row of the table: `kind` is same, both, del, add or fold."""

    kind: str
    left_number: int = 0
    left: tuple[Part, ...] = ()
    right_number: int = 0
    right: tuple[Part, ...] = ()
    path: str = ""
    folded: int = 0  # lines
    names: str = ""  # of the keys that are folded away


@dataclass
class Diff:
    """All rows, and how many lines came and went."""

    rows: list[Row] = field(default_factory=list)
    added: int = 0
    removed: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.added and not self.removed


def after(step: Step) -> Wire | None:
    """The resource as the step would leave it; a PATCH is merged into the base (RFC 7396)."""
    if step.method == "DELETE":
        return None
    if step.method == "PATCH":
        merged = merge(step.base, step.body)
        return merged if isinstance(merged, dict) else None
    return step.body


def merge(base: Any, patch: Any) -> Any:
    """JSON merge patch: null takes a key away, objects merge, everything else replaces."""
    if not isinstance(patch, Mapping) or "$secret" in patch:
        return patch
    result = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def diff(base: Wire | None, body: Wire | None, *, fold: bool = True) -> Diff:
    """Compare two resources; None is a resource that does not exist."""
    left, right = json_lines(base), json_lines(body)
    matcher = SequenceMatcher(
        a=[line.text.rstrip(",") for line in left],
        b=[line.text.rstrip(",") for line in right],
        autojunk=False,
    )
    found = Diff()
    blocks = matcher.get_opcodes()
    for index, (tag, i, j, k, m) in enumerate(blocks):
        if tag == "equal":
            same = [_same(i + n + 1, left[i + n], k + n + 1, right[k + n]) for n in range(j - i)]
            found.rows += (
                _folded(same, first=index == 0, last=index == len(blocks) - 1) if fold else same
            )
        else:
            found.removed += j - i
            found.added += m - k
            found.rows += _changed(left[i:j], i, right[k:m], k)
    return found


def json_lines(value: Wire | None) -> list[Line]:
    """The value as lines of indented JSON; none for None."""
    return [] if value is None else list(_lines(value, "", "", "", ""))


def _lines(value: Any, path: str, indent: str, before: str, behind: str) -> Iterator[Line]:
    inner: list[tuple[str, Any, str]]  # path, value, text before it
    if isinstance(value, Mapping) and set(value) == {"$secret"}:
        yield Line(f'{indent}{before}"•••• version {value["$secret"]}"{behind}', path)
        return
    if isinstance(value, Mapping) and value:
        opening, closing = "{", "}"
        inner = [
            (f"{path}.{key}" if path else key, value[key], f"{_scalar(key)}: ")
            for key in sorted(value)
        ]
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        opening, closing = "[", "]"
        inner = [(f"{path}.{index}", item, "") for index, item in enumerate(value)]
    else:
        yield Line(f"{indent}{before}{_scalar(value)}{behind}", path)
        return
    yield Line(f"{indent}{before}{opening}", path)
    for index, (inner_path, item, text) in enumerate(inner):
        comma = "," if index < len(inner) - 1 else ""
        yield from _lines(item, inner_path, indent + "  ", text, comma)
    yield Line(f"{indent}{closing}{behind}", "")


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _same(left_number: int, left: Line, right_number: int, right: Line) -> Row:
    return Row(
        "same",
        left_number,
        (Part(left.text),),
        right_number,
        (Part(right.text),),
        right.path,
    )


def _changed(left: list[Line], i: int, right: list[Line], k: int) -> list[Row]:
    """Pair the lines of the same value, then those that are left over one by one."""
    rows = []
    by_path = {line.path: n for n, line in enumerate(right) if line.path}
    used: set[int] = set()
    position = 0
    for n, line in enumerate(left):
        partner = by_path.get(line.path) if line.path else None
        if partner is None or partner < position:
            rows.append(Row("del", i + n + 1, (Part(line.text),), path=line.path))
            continue
        rows += _added(right, k, position, partner)
        old, new = _marked(line.text, right[partner].text)
        rows.append(Row("both", i + n + 1, old, k + partner + 1, new, right[partner].path))
        used.add(partner)
        position = partner + 1
    return rows + _added(right, k, position, len(right))


def _added(right: list[Line], k: int, start: int, end: int) -> list[Row]:
    return [
        Row("add", right_number=k + n + 1, right=(Part(right[n].text),), path=right[n].path)
        for n in range(start, end)
    ]


def _marked(old: str, new: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both lines in parts, the words that differ marked."""
    left, right = _WORDS.findall(old), _WORDS.findall(new)
    old_parts: list[Part] = []
    new_parts: list[Part] = []
    for tag, i, j, k, m in SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes():
        if left[i:j]:
            old_parts.append(Part("".join(left[i:j]), tag != "equal"))
        if right[k:m]:
            new_parts.append(Part("".join(right[k:m]), tag != "equal"))
    return tuple(old_parts), tuple(new_parts)


def _folded(rows: list[Row], *, first: bool, last: bool) -> list[Row]:
    """Keep what is next to a difference; one row stands for the rest."""
    head = 0 if first else CONTEXT
    tail = 0 if last else CONTEXT
    hidden = rows[head : len(rows) - tail]
    if len(hidden) < 3:
        return rows
    fold = Row(
        "fold",
        left_number=hidden[0].left_number,
        right_number=hidden[0].right_number,
        folded=len(hidden),
        names=_names(hidden),
    )
    return [*rows[:head], fold, *rows[len(rows) - tail :]]


def _names(rows: list[Row]) -> str:
    """The outermost keys of folded lines, a few."""
    found = [_KEY.match(row.right[0].text) for row in rows]
    keys = [(len(match[1]), match[2]) for match in found if match]
    if not keys:
        return ""
    least = min(depth for depth, _name in keys)
    names = [name for depth, name in keys if depth == least]
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
