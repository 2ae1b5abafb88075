"""Durations, ages and version ranges."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulator.cluster.durations import format_age, format_go, parse_go
from simulator.cluster.semver_range import RangeError, best_match

VERSIONS = ["1.0.0", "1.2.0", "1.2.9", "1.3.0-rc.1", "1.10.0", "2.0.0", "v3.1.0", "latest"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(600, "10m0s"), (3600, "1h0m0s"), (30, "30s"), (600.48, "10m0.48s"), (0.75, "750ms")],
)
def test_go_durations(seconds: float, text: str) -> None:
    assert format_go(timedelta(seconds=seconds)) == text
    assert parse_go(text) == timedelta(seconds=seconds)


def test_text_that_is_no_duration() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_go("ten minutes")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5s"), (119, "119s"), (190, "3m10s"), (44 * 60, "44m"), (5 * 3600, "5h"), (90e3, "25h")],
)
def test_ages(seconds: float, text: str) -> None:
    assert format_age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("*", "v3.1.0"),
        ("1.x", "1.10.0"),
        ("~1.2", "1.2.9"),
        ("^1.0.0", "1.10.0"),
        (">=1.0.0 <2.0.0", "1.10.0"),
        (">=1.0.0, <1.2.0", "1.0.0"),
        ("1.0.0 - 1.2.0", "1.2.0"),
        ("1.2.0 || 2.0.0", "2.0.0"),
        (">=1.3.0-alpha <1.4.0", "1.3.0-rc.1"),
        (">=1.3.0 <1.4.0", None),
        ("=1.2.0", "1.2.0"),
        ("5.x", None),
    ],
)
def test_ranges(text: str, version: str | None) -> None:
    assert best_match(text, VERSIONS) == version


def test_text_that_is_no_range() -> None:
    with pytest.raises(RangeError, match="improper constraint: not a range"):
        best_match("not a range", VERSIONS)
