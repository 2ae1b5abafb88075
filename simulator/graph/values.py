"""How values compare, convert and sort. None is Kusto's null."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_MISSING = (None, "")


def as_text(value: Any) -> str:
    """``tostring``: null becomes the empty string, objects become JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def as_number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if "." in str(value) else int(str(value))
    except ValueError:
        return None


def as_integer(value: Any) -> int | None:
    number = as_number(value)
    return None if number is None else int(number)


def as_real(value: Any) -> float | None:
    number = as_number(value)
    return None if number is None else float(number)


def as_boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(as_text(value).lower())


def as_moment(value: Any) -> datetime | None:
    """``todatetime``: an aware UTC datetime, or null for what is not a date."""
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(as_text(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_dynamic(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def is_empty(value: Any) -> bool:
    return value in _MISSING if not isinstance(value, dict | list) else False


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right) and left is not None


def same_text(left: Any, right: Any) -> bool:
    return as_text(left).lower() == as_text(right).lower()


def compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Make an ordering comparison that is false for null and for values of different kinds."""

    def safe(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return compare(left, right)
        except TypeError:
            return False

    return safe


def has_term(text: Any, term: Any, *, case: bool = False) -> bool:
    """``has``: the term as a whole word of letters and digits."""
    flags = 0 if case else re.IGNORECASE
    pattern = rf"(?<![A-Za-z0-9]){re.escape(as_text(term))}(?![A-Za-z0-9])"
    return re.search(pattern, as_text(text), flags) is not None


def sort_key(value: Any) -> tuple[int, Any]:
    """Order values of one kind; null comes before all others."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (1, int(value))
    if isinstance(value, int | float):
        return (2, value)
    if isinstance(value, datetime):
        return (3, value.timestamp())
    if isinstance(value, timedelta):
        return (4, value.total_seconds())
    return (5, as_text(value))


def hashable(value: Any) -> Any:
    """Return what stands for a value in a group or a set."""
    return as_text(value) if isinstance(value, dict | list) else value


def to_wire(value: Any) -> Any:
    """Return a JSON value of a result."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return str(value)
    return value
