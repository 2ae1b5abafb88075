"""The values of a HelmRelease, and what else it needs before it can act."""

from __future__ import annotations

from typing import Any

import yaml

from .objects import Manifest, ObjectKey
from .source_access import read_secret
from .state import ClusterState


class ValuesError(Exception):
    """Values cannot be read; the text is the one of helm-controller."""


def values_of(state: ClusterState, release: Manifest) -> Manifest:
    """Merge `valuesFrom` in order, then `values`. Raises ValuesError."""
    namespace = release["metadata"]["namespace"]
    merged: Manifest = {}
    for ref in release["spec"].get("valuesFrom") or []:
        kind, name = ref["kind"], ref["name"]
        field = ref.get("valuesKey") or "values.yaml"
        about = f"could not resolve {kind} chart values reference '{namespace}/{name}'"
        about += f" with key '{field}'"
        content = _content(state, kind, namespace, name)
        if content is None or field not in content:
            if ref.get("optional"):
                continue
            absent = f'{kind.lower()}s "{name}" not found'
            fault = absent if content is None else f"missing key '{field}' in {kind} referenced"
            raise ValuesError(f"{about}: {fault}")
        merged = _merge(merged, _read(ref, content[field], about))
    return _merge(merged, release["spec"].get("values") or {})


def _content(state: ClusterState, kind: str, namespace: str, name: str) -> dict[str, str] | None:
    if kind == "Secret":
        return read_secret(state, namespace, name)
    manifest = state.store.get(ObjectKey("", "ConfigMap", namespace, name))
    return None if manifest is None else dict(manifest.get("data") or {})


def _read(ref: Manifest, text: str, about: str) -> Manifest:
    if ref.get("targetPath"):
        value: Any = text
        for part in reversed(str(ref["targetPath"]).split(".")):
            value = {part: value}
        found: Manifest = value
        return found
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValuesError(f"{about}: unable to read values: {error}") from None
    return document if isinstance(document, dict) else {}


def _merge(low: Manifest, high: Manifest) -> Manifest:
    result = dict(low)
    for name, value in high.items():
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _merge(old, value) if both and old is not None else value
    return result
