"""Whether an object has become what it is meant to be: the rules of kstatus.

Rule: flux-behaviour section 3.2. Words: Current, InProgress, Failed, NotFound.
"""

from __future__ import annotations

from collections.abc import Iterable

from .objects import Manifest, ObjectKey, condition, is_true
from .resources import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .state import ClusterState
from .workloads import deadline_passed, phase

_FLUX_GROUPS = (SOURCE_GROUP, KUSTOMIZE_GROUP, HELM_GROUP)


def health_of(state: ClusterState, key: ObjectKey) -> str:
    manifest = state.store.get(key)
    if manifest is None:
        return "NotFound"
    if key.group in _FLUX_GROUPS:
        return _flux_health(manifest)
    if key.group == "apps":
        if phase(state, manifest).ready:
            return "Current"
        expired = key.kind == "Deployment" and deadline_passed(state, manifest)
        return "Failed" if expired else "InProgress"
    if key.group == "batch" and key.kind == "Job":
        return "Current" if phase(state, manifest).ready else "InProgress"
    return "Current"


def _flux_health(manifest: Manifest) -> str:
    status = manifest.get("status") or {}
    if is_true(manifest, "Stalled"):
        return "Failed"
    observed = status.get("observedGeneration")
    if observed is not None and observed != manifest["metadata"]["generation"]:
        return "InProgress"
    if is_true(manifest, "Reconciling"):
        return "InProgress"
    ready = condition(manifest, "Ready")
    if ready is None:
        # An object whose controller has not seen it is not ready; a static one never has any.
        return "Current" if is_static(manifest) else "InProgress"
    return "Current" if is_true(manifest, "Ready") else "InProgress"


def is_static(manifest: Manifest) -> bool:
    """Tell whether an object is never reconciled: an OCI HelmRepository gets no conditions."""
    spec = manifest.get("spec") or {}
    return manifest.get("kind") == "HelmRepository" and bool(spec.get("type") == "oci")


def describe(states: Iterable[tuple[ObjectKey, str]]) -> str:
    """Write objects with their states as health-check messages do."""
    return "[" + ", ".join(f"{key} status: '{word}'" for key, word in states) + "]"
