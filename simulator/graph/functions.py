"""The scalar and aggregate functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.graph import values

Scalar = Callable[..., Any]


def _coalesce(*arguments: Any) -> Any:
    return next((value for value in arguments if not values.is_empty(value)), None)


def _case(*arguments: Any) -> Any:
    for condition, value in zip(arguments[:-1:2], arguments[1::2], strict=False):
        if condition:
            return value
    return arguments[-1]


def _substring(text: Any, start: Any, length: Any = None) -> str:
    whole = values.as_text(text)
    first = int(start)
    return whole[first:] if length is None else whole[first : first + int(length)]


def _split(text: Any, separator: Any, index: Any = None) -> Any:
    parts = values.as_text(text).split(values.as_text(separator))
    if index is None:
        return parts
    return [parts[int(index)]] if -len(parts) <= int(index) < len(parts) else []


def _extract(pattern: Any, group: Any, text: Any) -> str:
    match = re.search(values.as_text(pattern), values.as_text(text))
    return "" if match is None else match.group(int(group)) or ""


def _bin(value: Any, size: Any) -> Any:
    if value is None or not size:
        return None
    if isinstance(value, datetime):
        start = datetime(1, 1, 1, tzinfo=UTC)
        return start + ((value - start) // size) * size
    return (value // size) * size


def _bag_keys(bag: Any) -> list[str] | None:
    return list(bag) if isinstance(bag, dict) else None


def _pack(*pairs: Any) -> dict[str, Any]:
    return {
        values.as_text(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=False)
    }


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _index_of(items: Any, value: Any) -> int:
    return items.index(value) if isinstance(items, list) and value in items else -1


def scalars(now: Callable[[], datetime]) -> dict[str, Scalar]:
    """Return the functions by their lower-cased names; ``now`` is the simulation's clock."""
    text = values.as_text

    def ago(span: timedelta) -> datetime:
        return now() - span

    return {
        "ago": ago,
        "now": now,
        "tostring": text,
        "tolower": lambda value: text(value).lower(),
        "toupper": lambda value: text(value).upper(),
        "toint": values.as_integer,
        "tolong": values.as_integer,
        "todouble": values.as_real,
        "toreal": values.as_real,
        "tobool": values.as_boolean,
        "todatetime": values.as_moment,
        "datetime": values.as_moment,
        "toguid": text,
        "todynamic": values.as_dynamic,
        "parse_json": values.as_dynamic,
        "dynamic": values.as_dynamic,
        "isempty": values.is_empty,
        "isnotempty": lambda value: not values.is_empty(value),
        "isnull": lambda value: value is None,
        "isnotnull": lambda value: value is not None,
        "not": lambda value: None if value is None else not value,
        "coalesce": _coalesce,
        "iff": lambda condition, yes, no: yes if condition else no,
        "iif": lambda condition, yes, no: yes if condition else no,
        "case": _case,
        "strcat": lambda *parts: "".join(text(part) for part in parts),
        "strcat_array": lambda items, separator: text(separator).join(
            text(item) for item in items or []
        ),
        "strlen": lambda value: len(text(value)),
        "substring": _substring,
        "split": _split,
        "indexof": lambda value, part: text(value).find(text(part)),
        "trim": lambda pattern, value: re.sub(f"^(?:{pattern})+|(?:{pattern})+$", "", text(value)),
        "replace": lambda value, old, new: text(value).replace(text(old), text(new)),
        "replace_string": lambda value, old, new: text(value).replace(text(old), text(new)),
        "extract": _extract,
        "array_length": _length,
        "array_index_of": _index_of,
        "set_has_element": lambda items, value: _index_of(items, value) >= 0,
        "bag_keys": _bag_keys,
        "pack": _pack,
        "bag_pack": _pack,
        "bin": _bin,
        "floor": _bin,
        "min_of": lambda *numbers: min(n for n in numbers if n is not None),
        "max_of": lambda *numbers: max(n for n in numbers if n is not None),
    }


Aggregate = Callable[[Iterable[Any]], Any]


def _present(items: Iterable[Any]) -> list[Any]:
    return [item for item in items if item is not None]


def _distinct(items: Iterable[Any]) -> list[Any]:
    found = {values.hashable(item): item for item in _present(items)}
    return list(found.values())


def _average(items: Iterable[Any]) -> float | None:
    present = _present(items)
    return sum(present) / len(present) if present else None


# Aggregates over the values of one expression.
AGGREGATES: dict[str, Aggregate] = {
    "sum": lambda items: sum(_present(items)),
    "avg": _average,
    "min": lambda items: min(_present(items), key=values.sort_key, default=None),
    "max": lambda items: max(_present(items), key=values.sort_key, default=None),
    "dcount": lambda items: len(_distinct(items)),
    "make_list": _present,
    "make_set": _distinct,
    "makelist": _present,
    "makeset": _distinct,
    "any": lambda items: next(iter(_present(items)), None),
    "take_any": lambda items: next(iter(_present(items)), None),
}
