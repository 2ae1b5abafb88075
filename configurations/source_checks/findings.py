"""What in the built objects depends on the configuration's source or on the extension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MANAGED_SOURCE = "clusterconfig.azure.com/use-managed-source"
SOURCE_KINDS = frozenset(
    {"GitRepository", "OCIRepository", "Bucket", "HelmRepository", "ImageRepository"}
)


def listed(item: Mapping[str, Any]) -> dict[str, str]:
    """Kind, namespace and name: all that is kept of an object, for it may hold anything."""
    metadata = _mapping(item.get("metadata"))
    return {
        "kind": str(item.get("kind") or "")[:100],
        "namespace": str(metadata.get("namespace") or "")[:253],
        "name": str(metadata.get("name") or metadata.get("generateName") or "")[:253],
    }


def findings_in(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each with its `code` and the object: `managed_source` or `azure_provider`."""
    found = []
    for item in objects:
        kind, group = str(item.get("kind")), str(item.get("apiVersion")).partition("/")[0]
        if group == "helm.toolkit.fluxcd.io" and kind == "HelmRelease" and _is_marked(item):
            found.append({"code": "managed_source", **listed(item)})
        is_source = kind in SOURCE_KINDS and group.endswith("toolkit.fluxcd.io")
        if is_source and _mapping(item.get("spec")).get("provider") == "azure":
            found.append({"code": "azure_provider", **listed(item)})
    return found


def _is_marked(item: Mapping[str, Any]) -> bool:
    annotations = _mapping(_mapping(item.get("metadata")).get("annotations"))
    return annotations.get(MANAGED_SOURCE) == "true"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
