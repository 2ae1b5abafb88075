"""What Azure says of a Helm release: chart, version, revision and failures.

`helmReleaseProperties` (api-version 2025-04-01) holds the counts and the HelmChart's name; chart
and version stand in helm-controller's and source-controller's own messages (Flux 2.7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from configurations.models import ObjectStatus

_IN_RELEASE = re.compile(r"with chart (?P<chart>[^\s@]+)@(?P<version>[^\s:]+)")
_IN_CHART = re.compile(r"'(?P<chart>[^']+)' chart with version '(?P<version>[^']+)'")


@dataclass(frozen=True)
class Release:
    """`chart` is the chart's name, else the HelmChart's; `revision` 0: never installed."""

    chart: str
    version: str
    revision: int
    failures: int
    install_failures: int
    upgrade_failures: int


def release_of(status: ObjectStatus) -> Release | None:
    """None for what is neither a HelmRelease nor a HelmChart."""
    if status.kind == "HelmChart":
        found = _IN_CHART.search(status.message)
        return Release(found["chart"], found["version"], 0, 0, 0, 0) if found else None
    if status.kind != "HelmRelease":
        return None
    facts = status.helm or {}
    messages = [status.message, *(str(it.get("message") or "") for it in status.conditions)]
    found = next((hit for it in messages if (hit := _IN_RELEASE.search(it))), None)
    reference = facts.get("helmChartRef")
    name = str(reference.get("name") or "") if isinstance(reference, dict) else ""
    return Release(
        chart=found["chart"] if found else name,
        version=found["version"] if found else "",
        revision=_count(facts.get("lastRevisionApplied")),
        failures=_count(facts.get("failureCount")),
        install_failures=_count(facts.get("installFailureCount")),
        upgrade_failures=_count(facts.get("upgradeFailureCount")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
