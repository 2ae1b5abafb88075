"""The objects of a cluster as its API shows them: with what is derived, without secrets."""

from __future__ import annotations

from typing import Any

from simulator.cluster.objects import Manifest, key_of
from simulator.cluster.resources import Resource
from simulator.cluster.state import ClusterState
from simulator.cluster.workloads import WORKLOADS, expand, with_status

_DERIVED = ("Pod", "ReplicaSet")


def objects_of(
    state: ClusterState, resource: Resource, version: str, namespace: str | None
) -> list[Manifest]:
    """Return the objects of a kind, in the version that was asked for."""
    found = state.store.of_kind(resource.group, resource.kind, namespace)
    if resource.kind == "Event":
        found = [item for item in state.events if _within(item, namespace)]
    if resource.kind in _DERIVED:
        found = found + _derived(state, resource.kind, namespace)
        found.sort(key=key_of)
    api_version = resource.group_version(version)
    shown = (_public(with_status(state, item)) for item in found)
    return [item | {"apiVersion": api_version} for item in shown]


def _within(manifest: Manifest, namespace: str | None) -> bool:
    return namespace is None or manifest["metadata"]["namespace"] == namespace


def _derived(state: ClusterState, kind: str, namespace: str | None) -> list[Manifest]:
    workloads = [
        item for item in state.store.all() if item["kind"] in WORKLOADS and _within(item, namespace)
    ]
    return [part for item in workloads for part in expand(state, item) if part["kind"] == kind]


def _public(manifest: Manifest) -> Manifest:
    """Leave out the values of a secret; how many there are stays known."""
    if manifest["kind"] != "Secret":
        return manifest
    hidden = ("data", "stringData")
    names = {name for field in hidden for name in manifest.get(field) or {}}
    rest = {field: value for field, value in manifest.items() if field not in hidden}
    return rest | {"data": dict.fromkeys(sorted(names), "")}


def selected(manifest: Manifest, labels: str, fields: str) -> bool:
    """Tell whether an object meets a label selector and a field selector."""
    found = manifest["metadata"].get("labels") or {}
    return all(_label_holds(term, found) for term in _terms(labels)) and all(
        _field_holds(term, manifest) for term in _terms(fields)
    )


def _terms(text: str) -> list[str]:
    """Divide a selector at its commas, not at those inside of `in (a,b)`."""
    terms, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            terms.append(text[start:position])
            start = position + 1
    terms.append(text[start:])
    return [term.strip() for term in terms if term.strip()]


def _label_holds(term: str, labels: dict[str, str]) -> bool:
    for word in (" notin ", " in "):
        name, found, rest = term.partition(word)
        if found:
            values = [value.strip() for value in rest.strip("() ").split(",")]
            return (labels.get(name.strip()) in values) == (word == " in ")
    if "!=" in term:
        name, _, value = term.partition("!=")
        return labels.get(name.strip()) != value.strip()
    if "=" in term:
        name, _, value = term.replace("==", "=").partition("=")
        return labels.get(name.strip()) == value.strip()
    return term[1:] not in labels if term.startswith("!") else term in labels


def _field_holds(term: str, manifest: Manifest) -> bool:
    negative = "!=" in term
    path, _, wanted = term.replace("!=", "=").replace("==", "=").partition("=")
    value: Any = manifest
    for part in path.strip().split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return (str("" if value is None else value) == wanted.strip()) != negative
