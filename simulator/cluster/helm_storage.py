"""What Helm keeps and writes in a cluster: the secrets of its releases, and their objects."""

from __future__ import annotations

import json
from typing import Protocol

from .objects import Manifest, ObjectKey, content, key_of
from .resources import HELM_GROUP
from .state import ClusterState

_MANAGER = "helm-controller"


class Release(Protocol):
    """The part of a release that its storage needs."""

    key: ObjectKey
    name: str
    storage: str


def write(state: ClusterState, release: Release, number: int, objects: list[Manifest]) -> None:
    """Store the manifests of a revision in the secret that Helm keeps for it."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": _secret_name(release.name, number),
            "namespace": release.storage,
            "labels": {"name": release.name, "owner": "helm", "version": str(number)},
        },
        "stringData": {"release": json.dumps(objects)},
    }
    state.store.apply(secret, manager=_MANAGER, now=state.now)


def roll_back(state: ClusterState, release: Release, number: int) -> None:
    """Make the objects be as an earlier revision had them."""
    key = ObjectKey("", "Secret", release.storage, _secret_name(release.name, number))
    secret = state.store.get(key)
    if secret is not None:
        apply(state, release.key, json.loads(secret["stringData"]["release"]))


def apply(state: ClusterState, owner: ObjectKey, objects: list[Manifest]) -> list[ObjectKey]:
    """Write the objects of a release and remove those that it has no longer."""
    for manifest in objects:
        state.store.apply(manifest, manager=_MANAGER, now=state.now)
    kept = [key_of(manifest) for manifest in objects]
    remove_objects(state, owner, kept)
    return kept


def remove_objects(
    state: ClusterState, owner: ObjectKey, kept: list[ObjectKey] | None = None
) -> None:
    for key in _owned(state, owner):
        if key.kind != "HelmChart" and key not in (kept or []):
            state.store.delete(key)


def uninstall(state: ClusterState, release: Manifest) -> None:
    """Remove a release for good: its objects, its chart and its secrets."""
    owner = key_of(release)
    for key in _owned(state, owner):
        state.scheduler.forget(key)
        state.store.delete(key)
    status = release.get("status") or {}
    storage = status.get("storageNamespace") or owner.namespace
    for item in status.get("history") or []:
        name = _secret_name(item["name"], item["version"])
        state.store.delete(ObjectKey("", "Secret", storage, name))


def drift(state: ClusterState, rendered: list[Manifest]) -> list[str]:
    """Return a line for each object that is not as the release has it."""
    lines = []
    for wanted in rendered:
        key = key_of(wanted)
        current = state.store.get(key)
        if current is None:
            lines.append(f"{key} removed")
        elif content(current) != content(wanted):
            lines.append(f"{key} changed (0 additions, 1 changes, 0 removals)")
    return lines


def _secret_name(name: str, number: int) -> str:
    return f"sh.helm.release.v1.{name}.v{number}"


def _owned(state: ClusterState, owner: ObjectKey) -> list[ObjectKey]:
    labels = {
        f"{HELM_GROUP}/name": owner.name,
        f"{HELM_GROUP}/namespace": owner.namespace,
    }.items()
    return [
        key_of(manifest)
        for manifest in state.store.all()
        if labels <= (manifest["metadata"].get("labels") or {}).items()
    ]
