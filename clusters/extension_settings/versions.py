"""Versions of microsoft.flux: which is newest, which are supported, which way an upgrade goes.

Rules: the tutorial (the newest version and the two before it are supported) and azure-contract
3.3 (from 1.20.4 or older one steps through 1.21.0 to 1.22.2; 1.23.0 no longer serves the beta
interfaces of Flux).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NEWEST_KNOWN = "1.24.1"  # August 2026, Flux 2.7.5
LAST_BEFORE_STEP = "1.20.4"
STEP_FIRST, STEP_LAST = "1.21.0", "1.22.2"
BETA_APIS_GONE = "1.23.0"
SUPPORTED_BACK = 2  # minor versions before the newest

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,9})(?:[-+].*)?", re.ASCII)
Version = tuple[int, int, int]


def parse(text: str) -> Version | None:
    """(1, 24, 1) for "1.24.1"; None for what is no version."""
    match = _VERSION.fullmatch(text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def is_older(text: str, than: str) -> bool:
    """Whether both are versions and the first is the older one."""
    one, other = parse(text), parse(than)
    return one is not None and other is not None and one < other


def newest(seen: Iterable[str]) -> str:
    """The newest of what runs anywhere in the fleet and of what this release knows of."""
    found = [(version, text) for text in seen if (version := parse(text)) is not None]
    return max([*found, (parse(NEWEST_KNOWN) or (0, 0, 0), NEWEST_KNOWN)])[1]


def is_supported(text: str, *, newest: str) -> bool | None:
    """Whether Azure supports it (N-2 by minor version); None where it is no version."""
    have, last = parse(text), parse(newest)
    if have is None or last is None:
        return None
    return have[0] >= last[0] and have[1] >= last[1] - SUPPORTED_BACK


def needs_step(installed: str, wanted: str) -> bool:
    """Whether the way leads through STEP_FIRST…STEP_LAST and `wanted` lies behind them."""
    have = parse(installed)
    return (
        have is not None
        and have <= (parse(LAST_BEFORE_STEP) or have)
        and is_older(STEP_LAST, wanted)
    )


def loses_beta_apis(installed: str, wanted: str) -> bool:
    """Whether the beta interfaces that manifests may still name go away on this way."""
    target = parse(wanted)
    gone = parse(BETA_APIS_GONE)
    return is_older(installed, BETA_APIS_GONE) and target is not None and target >= (gone or target)
