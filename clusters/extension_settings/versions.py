"""Versions of microsoft.flux: which is newest, which are supported, which way an upgrade goes.

Rules: the tutorial (the newest version and the two before it are supported) and azure-contract
3.3 (from 1.20.4 or older one steps through 1.21.0 to 1.22.2; 1.23.0 no longer serves the beta
interfaces of Flux). Which versions there are is data: known_versions.json beside this, or the file
that FLUXGATE_FLUX_VERSIONS_PATH names, with its date and source, which pages show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SHIPPED = Path(__file__).with_name("known_versions.json")
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


@dataclass(frozen=True)
class Release:
    """One version that exists; `flux` and `note` are "" where nothing is known of them."""

    version: str
    flux: str = ""
    note: str = ""
    published: str = ""  # year and month


@dataclass(frozen=True)
class Known:
    """The table: when and from what it was written, newest version first."""

    updated: str  # ISO date
    source: str
    releases: tuple[Release, ...]

    @property
    def newest(self) -> Release:
        return self.releases[0]


def known() -> Known:
    """The table that is in force; ImproperlyConfigured for a file that is none."""
    return read_known(Path(settings.FLUX_VERSIONS_PATH or SHIPPED))


@lru_cache(maxsize=4)
def read_known(path: Path) -> Known:
    """The table in this file; read once a process."""
    try:
        content = json.loads(path.read_text())
        releases = [_release(entry) for entry in content["versions"]]
        if not releases:
            raise ValueError("no versions")
        releases.sort(key=lambda it: parse(it.version) or (0, 0, 0), reverse=True)
        return Known(str(content["updated"]), str(content["source"]), tuple(releases))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImproperlyConfigured(
            f"FLUXGATE_FLUX_VERSIONS_PATH: {path} is no table of versions ({error})."
        ) from error


def _release(entry: dict[str, Any]) -> Release:
    version = str(entry["version"])
    if parse(version) is None:
        raise ValueError(f"{version!r} is no version")
    rest = {name: str(entry.get(name) or "") for name in ("flux", "note", "published")}
    return Release(version=version, **rest)


def is_older(text: str, than: str) -> bool:
    """Whether both are versions and the first is the older one."""
    one, other = parse(text), parse(than)
    return one is not None and other is not None and one < other


def newest(seen: Iterable[str]) -> str:
    """The newest of what runs anywhere in the fleet and of what the table knows of."""
    texts = [*seen, known().newest.version]
    return max((version, text) for text in texts if (version := parse(text)) is not None)[1]


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
