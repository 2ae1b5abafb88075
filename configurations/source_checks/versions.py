"""The tag that a range of versions leads to, as Flux chooses it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import semver
from django.utils.translation import gettext as _

from configurations.source_checks.problems import CheckRefused

_PART = re.compile(
    r"(>=|<=|>|<|!=|=|~|\^)?\s*v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?([-+]\S+)?"
)


def best_tag(wanted: str, tags: Iterable[str]) -> str:
    """The highest tag in the range. Raises CheckRefused."""
    alternatives = [_bounds(part) for part in wanted.split("||")]
    found = [
        (version, tag)
        for tag in tags
        if (version := _version(tag)) is not None
        and any(_within(version, bounds) for bounds in alternatives)
    ]
    if not found:
        raise CheckRefused(
            "reference_missing",
            _("No tag of the repository is in the range."),
            f"no match found for semver: {wanted}",
        )
    return max(found, key=lambda it: it[0])[1]


Bound = tuple[str, semver.Version]


def _bounds(text: str) -> list[Bound]:
    """All of them must hold. `1.2.x`, `~1.2` and `^1` become a lower and an upper bound."""
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text.strip())
    if text in {"", "*", "x", "X"}:
        return [(">=", semver.Version(0))]
    found: list[Bound] = []
    rest = text
    while rest := rest.lstrip(" ,"):
        match = _PART.match(rest)
        if match is None:
            raise CheckRefused(
                "reference", _("This range of versions is not understood here."), text
            )
        found += _bound(match)
        rest = rest[match.end() :]
    return found


def _bound(match: re.Match[str]) -> list[Bound]:
    operator, major, minor, patch, pre = match.groups()
    given = [int(major)]
    for number in (minor, patch):
        if number is None or number in "xX*":
            break
        given.append(int(number))
    filled = (*given, 0, 0)[:3]
    low = semver.Version.parse(".".join(map(str, filled)) + (pre or ""))
    if operator in {">", ">=", "<", "<=", "!="}:
        return [(operator, low)]
    if operator == "^":
        place = next((at for at, number in enumerate(given) if number), len(given) - 1)
    elif operator == "~":
        place = min(1, len(given) - 1)
    elif len(given) == 3:
        return [("=", low)]
    else:
        place = len(given) - 1
    above = [*given[:place], given[place] + 1, 0, 0][:3]
    return [(">=", low), ("<", semver.Version(*above))]


def _within(version: semver.Version, bounds: list[Bound]) -> bool:
    """A pre-release is only meant where the range names one."""
    if version.prerelease and not any(bound.prerelease for _operator, bound in bounds):
        return False
    holds = {
        ">": version.__gt__, ">=": version.__ge__, "<": version.__lt__, "<=": version.__le__,
        "=": version.__eq__, "!=": version.__ne__,
    }  # fmt: skip
    return all(holds[operator](bound) for operator, bound in bounds)


def _version(tag: str) -> semver.Version | None:
    try:
        return semver.Version.parse(tag.removeprefix("v"), optional_minor_and_patch=True)
    except ValueError:
        return None
