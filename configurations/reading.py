"""From ARM's JSON to our columns: pure, without database or network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from configurations.models import Compliance
from configurations.specification.graph import layers
from configurations.specification.models import SOURCE_BODIES
from configurations.specification.wire import differing_fields, live_digest, normalised

SEVERITY: dict[str, int] = {
    Compliance.NON_COMPLIANT: 50,
    Compliance.UNKNOWN: 40,
    Compliance.PENDING: 30,
    Compliance.SUSPENDED: 20,
    Compliance.COMPLIANT: 10,
}
FAILED = frozenset({"Failed", "Canceled"})  # provisioning
IN_FLIGHT = frozenset({"Creating", "Updating", "Deleting"})  # provisioning
AT_FAULT = frozenset({"Failed", "Canceled"})  # the last write did not reach the cluster


def columns(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The lean columns of a Configuration, but those that need its statuses or its past.

    `properties` as ARM sent them; wrong types give empty columns, never an error.
    """
    kind = _text(properties.get("sourceKind")) or "GitRepository"
    source = _mapping(properties.get(SOURCE_BODIES.get(kind, "")))
    compliance = compliance_of(properties)
    provisioning = _text(properties.get("provisioningState"))
    return {
        "namespace": (_text(properties.get("namespace")) or "default")[:253],
        "scope": (_text(properties.get("scope")) or "cluster")[:20],
        "source_kind": kind[:30],
        "source_url": _text(source.get("url"))[:600],
        "reference": reference_of(source)[:200],
        "synced_commit": _text(properties.get("sourceSyncedCommitId"))[:300],
        "compliance": compliance,
        "severity": 50 if provisioning in FAILED else SEVERITY[compliance],
        "provisioning_state": provisioning[:40],
        "error_message": _text(properties.get("errorMessage")),
        "suspended": properties.get("suspend") is True,
        "kustomization_count": len(kustomizations_of(properties)),
        "source_updated_at": moment(properties.get("sourceUpdatedAt")),
        "status_updated_at": moment(properties.get("statusUpdatedAt")),
    }


def compliance_of(properties: Mapping[str, Any]) -> str:
    """ARM's value; none yet is Pending, one that this version does not know is Unknown."""
    value = properties.get("complianceState")
    if value in (None, ""):
        return Compliance.PENDING
    return str(value) if value in Compliance.values else Compliance.UNKNOWN


def kustomizations_of(properties: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Name -> entry in the order of apply, without the removed ones.

    By name within a step: PostgreSQL does not keep the order of JSON's keys.
    """
    entries = {
        str(name): it
        for name, it in sorted(_mapping(properties.get("kustomizations")).items())
        if isinstance(it, Mapping)
    }
    graph = {name: _names(it.get("dependsOn")) for name, it in entries.items()}
    return {name: entries[name] for step in layers(graph) for name in step}


def _names(value: object) -> list[str]:
    return [str(it) for it in value] if isinstance(value, list) else []


def reference_of(source: Mapping[str, Any]) -> str:
    """ "main", "v1.2.0", ">=1.0.0", or for a bucket or blob its container."""
    reference = _mapping(source.get("repositoryRef"))
    for key in ("branch", "tag", "semver", "commit", "digest"):
        if reference.get(key):
            return _text(reference[key])
    return _text(source.get("bucketName")) or _text(source.get("containerName"))


def short_commit(revision: str) -> str:
    """ "9ad31c0" of "main@sha1:9ad31c0…" and of "main/9ad31c0…"."""
    last = re.split(r"[:/@]", revision)[-1]
    return last[:7] if re.fullmatch(r"[0-9a-f]{40,64}", last) else revision[:40]


def drift_of(desired: Mapping[str, Any] | None, observed: Mapping[str, Any]) -> list[str]:
    """The fields in which Azure differs from what was approved last; [] where nothing was."""
    if desired is None or live_digest(desired) == live_digest(observed):
        return []
    return differing_fields(normalised(desired), normalised(observed))


def status_rows(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`statuses` as values of ObjectStatus rows, in ARM's order; a repeated object counts once."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    statuses = properties.get("statuses")
    for status in statuses if isinstance(statuses, list) else []:
        if not isinstance(status, Mapping):
            continue
        row = _status_row(status)
        rows.setdefault((row["kind"], row["namespace"], row["name"]), row)
    return [{**row, "position": position} for position, row in enumerate(rows.values())]


def _status_row(status: Mapping[str, Any]) -> dict[str, Any]:
    given = status.get("statusConditions")
    conditions = [it for it in given if isinstance(it, Mapping)] if isinstance(given, list) else []
    ready = main_condition(conditions)
    owner = _mapping(status.get("appliedBy"))
    helm = status.get("helmReleaseProperties")
    return {
        "kind": _text(status.get("kind"))[:60],
        "namespace": _text(status.get("namespace"))[:253],
        "name": _text(status.get("name"))[:253],
        "compliance": compliance_of(status),
        "applied_by": "/".join(
            it for it in (_text(owner.get("namespace")), _text(owner.get("name"))) if it
        ),
        "reason": _text(ready.get("reason"))[:100],
        "message": _text(ready.get("message")).strip("'"),
        "conditions": [dict(it) for it in conditions],
        "helm": dict(helm) if isinstance(helm, Mapping) else None,
        "changed_at": moment(ready.get("lastTransitionTime")),
    }


def main_condition(conditions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Ready, or the first one where there is none."""
    for condition in conditions:
        if condition.get("type") == "Ready":
            return condition
    return conditions[0] if conditions else {}


def moment(value: object) -> datetime | None:
    """ARM's time; None for anything else. Without a zone it is UTC."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year > 1 else None  # .NET's "never" is the year 1


def _text(value: object) -> str:
    return value.replace("\0", "�") if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
