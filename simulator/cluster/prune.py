"""The inventory of a Kustomization, and removing what is no longer in it.

Rules: flux-behaviour sections 3.5 and 3.8.
"""

from __future__ import annotations

from collections.abc import Iterable

from .apply import is_set, owner_labels
from .helm_storage import uninstall
from .objects import Manifest, ObjectKey
from .resources import HELM_GROUP, KUSTOMIZE_GROUP
from .state import ClusterState


def entry(key: ObjectKey, api_version: str) -> dict[str, str]:
    name = key.name.replace(":", "__")
    return {
        "id": f"{key.namespace}_{name}_{key.group}_{key.kind}",
        "v": api_version.rpartition("/")[2],
    }


def inventory_of(manifest: Manifest | None) -> list[ObjectKey]:
    """Return what a Kustomization applied last."""
    inventory = ((manifest or {}).get("status") or {}).get("inventory") or {}
    return [_key(item["id"]) for item in inventory.get("entries") or []]


def _key(text: str) -> ObjectKey:
    namespace, rest = text.split("_", 1)
    name, group, kind = rest.rsplit("_", 2)
    return ObjectKey(group, kind, namespace, name.replace("__", ":"))


def prune(state: ClusterState, owner: Manifest, gone: Iterable[ObjectKey]) -> list[ObjectKey]:
    """Delete objects in reverse order where they still carry the owner's labels."""
    labels = owner_labels(owner).items()
    deleted = []
    for key in reversed(list(gone)):
        manifest = state.store.get(key)
        if manifest is None or is_set(manifest, "prune", "disabled"):
            continue
        if is_set(manifest, "reconcile", "disabled"):
            continue
        if labels <= (manifest["metadata"].get("labels") or {}).items():
            delete_object(state, key)
            deleted.append(key)
    return deleted


def delete_object(state: ClusterState, key: ObjectKey) -> None:
    """Delete an object with what its finalizer takes along."""
    manifest = state.store.get(key)
    if manifest is None:
        return
    suspended = bool((manifest.get("spec") or {}).get("suspend"))
    state.scheduler.forget(key)
    state.folders.pop(key, None)
    if key.group == HELM_GROUP and not suspended:
        uninstall(state, manifest)
    if key.group == KUSTOMIZE_GROUP and not suspended and _removes_objects(manifest):
        prune(state, manifest, inventory_of(manifest))
    if key.group == "" and key.kind == "Namespace":
        for inner in [item for item in state.store.all_keys() if item.namespace == key.name]:
            delete_object(state, inner)
    state.store.delete(key)


def _removes_objects(manifest: Manifest) -> bool:
    policy = manifest["spec"].get("deletionPolicy") or "MirrorPrune"
    return policy in ("Delete", "WaitForTermination") or (
        policy == "MirrorPrune" and bool(manifest["spec"].get("prune"))
    )
