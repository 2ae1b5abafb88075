"""Durations as Go writes and reads them (`10m0s`), and ages as kubectl prints them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|h|m|s)")


def format_go(duration: timedelta) -> str:
    """Write a duration as Go's `time.Duration.String` does: `10m0s`, `1h0m0s`, `480ms`."""
    seconds = duration.total_seconds()
    if seconds == 0:
        return "0s"
    if seconds < 0:
        return "-" + format_go(-duration)
    if seconds < 1:
        return f"{_number(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{_number(rest)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def parse_go(text: str) -> timedelta:
    """Read a Go duration. Raises ValueError when the text is not one."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text!r}")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def format_age(age: timedelta) -> str:
    """Write an age as kubectl does: the more it is, the coarser (`45s`, `3m10s`, `44m`, `2d3h`)."""
    seconds = max(0, int(age.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _pair(first: int, first_unit: str, second: int, second_unit: str) -> str:
    return f"{first}{first_unit}" + (f"{second}{second_unit}" if second else "")
