"""Choosing a version by a range, as the semver library that Flux and Helm use does.

A range is alternatives (`||`) of constraints that must all hold: `>=1.0.0 <2.0.0`, `~1.2`,
`^1`, `1.x`, `1.2 - 1.4`, `*`. A pre-release is considered only where the range names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_Version = tuple[int, int, int, tuple[tuple[int, int, str], ...]]

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_PART = re.compile(
    r"(=|==|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?"
    r"(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_NO_PRE = ((2, 0, ""),)


class RangeError(ValueError):
    """The text is not a range; the message is the one of the semver library."""


def best_match(text: str, versions: Iterable[str]) -> str | None:
    """Return the highest version that a range allows. Raises RangeError."""
    alternatives = [_constraints(part) for part in text.split("||")]
    found = [
        (parsed, version)
        for version in versions
        if (parsed := parse(version)) is not None
        and any(_holds(parsed, constraints) for constraints in alternatives)
    ]
    return max(found)[1] if found else None


def parse(text: str) -> _Version | None:
    """Return a version in a form that can be compared; None when it is not one."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    return (int(major), int(minor or 0), int(patch or 0), _pre(pre))


def _pre(text: str | None) -> tuple[tuple[int, int, str], ...]:
    if not text:
        return _NO_PRE
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))


# Operator, the version it names, the first version beyond it, whether a pre-release is named.
_Bounds = tuple[str, _Version, _Version | None, bool]


def _constraints(text: str) -> list[_Bounds]:
    text = _HYPHEN.sub(r">=\1 <=\2", text.strip())
    if not text:
        return [(">=", (0, 0, 0, _NO_PRE), None, False)]
    bounds, position = [], 0
    for found in re.finditer(_PART, text):
        if text[position : found.start()].strip(" ,"):
            break
        bounds.append(_bounds(found))
        position = found.end()
    if not bounds or text[position:].strip(" ,"):
        raise RangeError(f"improper constraint: {text}")
    return bounds


def _bounds(found: re.Match[str]) -> _Bounds:
    operator, *numbers, pre = found.groups()
    given = []
    for number in numbers:
        if number is None or number in "xX*":
            break
        given.append(int(number))
    filled = [*given, 0, 0, 0][:3]
    low: _Version = (filled[0], filled[1], filled[2], _pre(pre))
    return (operator or "=", low, _next(operator or "=", given), bool(pre))


def _next(operator: str, given: list[int]) -> _Version | None:
    """Return the first version beyond what an operator with so many numbers covers."""
    if not given:
        return None
    if operator == "^":
        fixed = next((i for i, number in enumerate(given) if number), len(given) - 1)
    elif operator in ("~", "~>"):
        fixed = min(1, len(given) - 1)
    else:
        fixed = len(given) - 1
    numbers = [*given[:fixed], given[fixed] + 1, 0, 0][:3]
    # The empty tuple sorts before every pre-release, so that these stay outside too.
    return (numbers[0], numbers[1], numbers[2], ())


def _holds(version: _Version, constraints: list[_Bounds]) -> bool:
    named = any(pre for _, _, _, pre in constraints)
    if version[3] != _NO_PRE and not named:
        return False
    return all(_one_holds(version, bounds) for bounds in constraints)


def _one_holds(version: _Version, bounds: _Bounds) -> bool:
    operator, low, beyond, _ = bounds
    within = version >= low and (beyond is None or version < beyond)
    match operator:
        case ">=" | "=>":
            return version >= low
        case ">":
            return version > low if low[3] != _NO_PRE or beyond is None else version >= beyond
        case "<":
            return version < low
        case "<=" | "=<":
            return beyond is None or version < beyond
        case "!=":
            return not within
        case _:
            return within
