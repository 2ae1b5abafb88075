"""What the agent tells Azure about a configuration.

Rule: flux-behaviour section 6.2: which objects are listed, in which order, and how their Ready
condition becomes a compliance state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .agent import Properties, config_key, kustomization_keys, public_key, source_key
from .health import is_static
from .objects import Manifest, ObjectKey, condition, conditions, moment, timestamp
from .prune import inventory_of
from .resources import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .source_controller import artifact_of
from .state import ClusterState

# Kinds that are told of, in the order in which they follow their Kustomization.
_CHILDREN = (
    (SOURCE_GROUP, "HelmRepository"),
    (HELM_GROUP, "HelmRelease"),
    (SOURCE_GROUP, "HelmChart"),
    (SOURCE_GROUP, "GitRepository"),
    (SOURCE_GROUP, "OCIRepository"),
    (SOURCE_GROUP, "Bucket"),
    (KUSTOMIZE_GROUP, "Kustomization"),
)
# What goes on inside a controller is left out of what Azure shows.
_NOT_TOLD = ("Reconciling", "Stalled")


@dataclass(frozen=True)
class ConfigurationReport:
    """The read-only part of a configuration, as the service holds it.

    `statuses` are wire objects (ObjectStatusDefinition); the times are aware UTC or None.
    """

    compliance_state: str = "Pending"
    statuses: list[dict[str, Any]] = field(default_factory=list)
    source_synced_commit_id: str | None = None
    source_updated_at: datetime | None = None
    status_updated_at: datetime | None = None
    repository_public_key: str = ""
    error_message: str = ""


def make_report(state: ClusterState, name: str, properties: Properties) -> ConfigurationReport:
    """Describe a configuration as the cluster sees it now, without the time of the report."""
    source = source_key(name, properties)
    statuses = [_status(state, source, None)]
    for kustomization in kustomization_keys(name, properties):
        statuses.append(_status(state, kustomization, None))
        for child in _children(inventory_of(state.store.get(kustomization))):
            statuses.append(_status(state, child, kustomization))
    artifact = artifact_of(state.store.get(source)) or {}
    told = [status for status in statuses if status is not None]
    return ConfigurationReport(
        compliance_state=_overall(properties, told),
        statuses=told,
        source_synced_commit_id=artifact.get("revision"),
        source_updated_at=moment(artifact["lastUpdateTime"]) if artifact else None,
        repository_public_key=public_key(state, name, properties),
    )


def record_sync(
    state: ClusterState, name: str, properties: Properties, report: ConfigurationReport
) -> None:
    """Note in the FluxConfig of the cluster what was told last."""
    key = config_key(name, properties)
    manifest = state.store.get(key)
    if manifest is None or report.source_updated_at is None:
        return
    state.store.set_status(
        key,
        (manifest.get("status") or {})
        | {
            "lastSyncedCommit": report.source_synced_commit_id,
            "lastSourceSyncedTime": timestamp(report.source_updated_at),
            "observedGeneration": manifest["metadata"]["generation"],
        },
    )


def _children(applied: Iterable[ObjectKey]) -> list[ObjectKey]:
    kinds = {kind: place for place, kind in enumerate(_CHILDREN)}
    found = [key for key in applied if key[:2] in kinds]
    return sorted(found, key=lambda key: (kinds[key.group, key.kind], key))


def compliance_of(manifest: Manifest) -> str:
    if (manifest.get("spec") or {}).get("suspend"):
        return "Suspended"
    ready = condition(manifest, "Ready")
    if ready is None:
        return "Compliant" if is_static(manifest) else "Pending"
    return {"True": "Compliant", "False": "Non-Compliant"}.get(ready["status"], "Pending")


def _overall(properties: Properties, statuses: list[dict[str, Any]]) -> str:
    if properties.get("suspend"):
        return "Suspended"
    states = {status["complianceState"] for status in statuses}
    if "Non-Compliant" in states:
        return "Non-Compliant"
    return "Pending" if "Pending" in states or not states else "Compliant"


def _status(
    state: ClusterState, key: ObjectKey, applied_by: ObjectKey | None
) -> dict[str, Any] | None:
    manifest = state.store.get(key)
    if manifest is None:
        return None
    shown = [item for item in conditions(manifest) if item["type"] not in _NOT_TOLD]
    shown.sort(key=lambda item: item["type"] != "Ready")
    owner = applied_by and {"name": applied_by.name, "namespace": applied_by.namespace}
    return {
        "name": key.name,
        "namespace": key.namespace,
        "kind": key.kind,
        "complianceState": compliance_of(manifest),
        "appliedBy": owner,
        "statusConditions": [
            {
                "lastTransitionTime": moment(item["lastTransitionTime"]).isoformat(),
                "message": item["message"],
                "reason": item["reason"],
                "status": item["status"],
                "type": item["type"],
            }
            for item in shown
        ],
        "helmReleaseProperties": _release(manifest) if key.kind == "HelmRelease" else None,
    }


def _release(manifest: Manifest) -> dict[str, Any]:
    status = manifest.get("status") or {}
    namespace, _, name = str(status.get("helmChart") or "").rpartition("/")
    history = status.get("history") or []
    return {
        "failureCount": status.get("failures", 0),
        "helmChartRef": {"name": name, "namespace": namespace} if name else None,
        "installFailureCount": status.get("installFailures", 0),
        "lastRevisionApplied": history[0]["version"] if history else 0,
        "upgradeFailureCount": status.get("upgradeFailures", 0),
    }
