"""The objects of a simulated cluster: what its API server would keep in etcd."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .resources import ResourceRegistry

Manifest = dict[str, Any]

_SERVER_SIDE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


class ObjectKey(NamedTuple):
    """What names an object: API group, kind, namespace (empty for cluster scope), name."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


def group_of(manifest: Manifest) -> str:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0]


def key_of(manifest: Manifest) -> ObjectKey:
    metadata = manifest.get("metadata") or {}
    return ObjectKey(
        group_of(manifest),
        str(manifest.get("kind", "")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name", "")),
    )


def timestamp(moment: datetime) -> str:
    """Write a moment as Kubernetes does, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def content(manifest: Manifest) -> Manifest:
    """Return what its author wrote: without status and without what the server adds."""
    metadata = {
        name: value
        for name, value in (manifest.get("metadata") or {}).items()
        if name not in _SERVER_SIDE and value
    }
    rest = {name: value for name, value in manifest.items() if name != "status"}
    return rest | {"metadata": metadata}


def conditions(manifest: Manifest | None) -> list[Manifest]:
    """Return the conditions of an object, also when it has none or is not there."""
    found: list[Manifest] = ((manifest or {}).get("status") or {}).get("conditions") or []
    return found


def condition(manifest: Manifest | None, kind: str) -> Manifest | None:
    return next((item for item in conditions(manifest) if item["type"] == kind), None)


def is_true(manifest: Manifest | None, kind: str) -> bool:
    found = condition(manifest, kind)
    return bool(found and found["status"] == "True")


class ObjectStore:
    """Objects by key. A stored manifest is never changed in place, only replaced.

    A reader in another thread therefore sees each object whole without taking a lock.
    """

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._objects: dict[ObjectKey, Manifest] = {}
        self._version = 1000
        self._registry: ResourceRegistry | None = None

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._objects

    @property
    def version(self) -> int:
        """A number that grows with every write."""
        return self._version

    @property
    def registry(self) -> ResourceRegistry:
        if self._registry is None:
            kind = "CustomResourceDefinition"
            self._registry = ResourceRegistry(self.of_kind("apiextensions.k8s.io", kind))
        return self._registry

    def get(self, key: ObjectKey) -> Manifest | None:
        return self._objects.get(key)

    def all(self) -> list[Manifest]:
        return list(self._objects.values())

    def of_kind(self, group: str, kind: str, namespace: str | None = None) -> list[Manifest]:
        """Return the objects of a kind by namespace and name; None means every namespace."""
        found = [
            (key, manifest)
            for key, manifest in list(self._objects.items())
            if key.group == group
            and key.kind == kind
            and (namespace is None or key.namespace == namespace)
        ]
        return [manifest for _, manifest in sorted(found, key=lambda pair: pair[0])]

    def has_namespace(self, name: str) -> bool:
        return ObjectKey("", "Namespace", "", name) in self._objects

    def apply(self, manifest: Manifest, *, manager: str, now: datetime) -> str:
        """Make an object be as written; return `created`, `configured` or `unchanged`."""
        key = key_of(manifest)
        wanted = content(manifest)
        current = self._objects.get(key)
        if current is not None and content(current) == wanted:
            return "unchanged"
        old = (current or {}).get("metadata") or {}
        generation = int(old.get("generation", 0))
        if current is None or _without_metadata(current) != _without_metadata(wanted):
            generation += 1
        self._version += 1
        metadata = wanted["metadata"] | {
            "uid": old.get("uid") or self._uid(key),
            "creationTimestamp": old.get("creationTimestamp") or timestamp(now),
            "generation": generation,
            "resourceVersion": str(self._version),
            "managedFields": [
                {"manager": manager, "operation": "Apply", "time": now.isoformat()},
            ],
        }
        stored = wanted | {"metadata": metadata}
        if current is not None and "status" in current:
            stored["status"] = current["status"]
        self._replace(key, stored)
        return "created" if current is None else "configured"

    def set_status(self, key: ObjectKey, status: Manifest) -> None:
        current = self._objects.get(key)
        if current is None or current.get("status") == status:
            return
        self._version += 1
        metadata = current["metadata"] | {"resourceVersion": str(self._version)}
        self._replace(key, current | {"metadata": metadata, "status": status})

    def delete(self, key: ObjectKey) -> bool:
        """Remove an object, and with a Namespace all that is in it. Tell whether it was there."""
        if self._objects.pop(key, None) is None:
            return False
        self._version += 1
        if key.kind == "CustomResourceDefinition":
            self._registry = None
        if key.group == "" and key.kind == "Namespace":
            for inner in [item for item in self._objects if item.namespace == key.name]:
                self.delete(inner)
        return True

    def all_keys(self) -> list[ObjectKey]:
        return list(self._objects)

    def snapshot(self) -> Manifest:
        return {"version": self._version, "objects": self.all()}

    def restore(self, data: Manifest) -> None:
        self._version = int(data["version"])
        self._objects = {key_of(manifest): manifest for manifest in data["objects"]}
        self._registry = None

    def _replace(self, key: ObjectKey, manifest: Manifest) -> None:
        self._objects[key] = manifest
        if key.kind == "CustomResourceDefinition":
            self._registry = None

    def _uid(self, key: ObjectKey) -> str:
        # From the cluster, the object and the write that made it: the same in every run.
        text = f"{self._cluster_id}|{'|'.join(key)}|{self._version}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def _without_metadata(manifest: Manifest) -> Manifest:
    return {name: value for name, value in manifest.items() if name not in ("metadata", "status")}


_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_subdomain_name(name: str) -> bool:
    """Tell whether a name is what most kinds ask for: an RFC 1123 subdomain."""
    return len(name) <= 253 and _NAME.fullmatch(name) is not None
