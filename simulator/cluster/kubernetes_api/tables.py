"""Objects as tables with the columns that kubectl prints.

Rules: flux-behaviour sections 5 and 6.1 for Flux's kinds, Kubernetes' own printers for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from simulator.cluster.durations import format_age
from simulator.cluster.objects import Manifest, condition, moment
from simulator.cluster.resources import (
    AZURE_GROUP,
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    SOURCE_GROUP,
    Resource,
)

Cell = Callable[[Manifest, datetime], object]
# Title, how to make the cell, whether it is for `-o wide` alone.
Column = tuple[str, Cell, bool]

_NONE = "<none>"


def table(
    resource: Resource, version: str, objects: list[Manifest], now: datetime, include: str
) -> Manifest:
    """Return a meta.k8s.io/v1 Table; `include` is Metadata, Object or None."""
    columns = _columns(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1"},
        "columnDefinitions": [
            {
                "name": title,
                "type": "string",
                "format": "name" if title == "Name" else "",
                "description": title,
                "priority": 1 if wide else 0,
            }
            for title, _, wide in columns
        ],
        "rows": [
            {"cells": [cell(item, now) for _, cell, _ in columns], "object": _object(item, include)}
            for item in objects
        ],
    }


def _object(manifest: Manifest, include: str) -> Manifest | None:
    if include == "None":
        return None
    if include == "Object":
        return manifest
    kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return kind | {"metadata": manifest["metadata"]}


def _path(text: str, default: object = "") -> Cell:
    parts = text.split(".")

    def cell(manifest: Manifest, now: datetime) -> object:
        value: Any = manifest
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def _age(manifest: Manifest, now: datetime) -> object:
    return format_age(now - moment(manifest["metadata"]["creationTimestamp"]))


def _ready(field: str) -> Cell:
    return lambda manifest, now: (condition(manifest, "Ready") or {}).get(field, "")


def _ready_of(have: str, want: str, default: int = 0) -> Cell:
    first, second = _path(have, 0), _path(want, default)
    return lambda manifest, now: f"{first(manifest, now)}/{second(manifest, now)}"


def _pod_ready(manifest: Manifest, now: datetime) -> object:
    statuses = (manifest.get("status") or {}).get("containerStatuses") or []
    ready = sum(bool(item["ready"]) for item in statuses)
    return f"{ready}/{len(manifest['spec'].get('containers') or [])}"


def _pod_word(manifest: Manifest, now: datetime) -> object:
    status = manifest.get("status") or {}
    for item in status.get("containerStatuses") or []:
        for kind in ("waiting", "terminated"):
            if kind in item["state"]:
                return item["state"][kind]["reason"]
    return status.get("phase", "Unknown")


def _restarts(manifest: Manifest, now: datetime) -> object:
    statuses = (manifest.get("status") or {}).get("containerStatuses") or []
    return sum(int(item["restartCount"]) for item in statuses)


def _ports(manifest: Manifest, now: datetime) -> object:
    shown = [
        f"{item['port']}{':' + str(item['nodePort']) if item.get('nodePort') else ''}"
        f"/{item.get('protocol', 'TCP')}"
        for item in manifest["spec"].get("ports") or []
    ]
    return ",".join(shown) or _NONE


def _external_ip(manifest: Manifest, now: datetime) -> object:
    if manifest["spec"].get("type") == "ExternalName":
        return manifest["spec"].get("externalName", _NONE)
    ingress = ((manifest.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return ",".join(item["ip"] for item in ingress) or _NONE


def _pairs(path: str) -> Cell:
    read = _path(path, {})

    def cell(manifest: Manifest, now: datetime) -> object:
        found = read(manifest, now)
        pairs = found.items() if isinstance(found, dict) else ()
        return ",".join(f"{name}={value}" for name, value in sorted(pairs)) or _NONE

    return cell


def _count(field: str) -> Cell:
    return lambda manifest, now: len(manifest.get(field) or {})


def _containers(field: str) -> Cell:
    def cell(manifest: Manifest, now: datetime) -> object:
        pod = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
        return ",".join(str(item.get(field, "")) for item in pod.get("containers") or [])

    return cell


def _source_url(manifest: Manifest, now: datetime) -> object:
    for field in ("gitRepository", "bucket", "azureBlob", "ociRepository"):
        body = manifest["spec"].get(field)
        if body:
            return body.get("url", "")
    return ""


def _event_object(manifest: Manifest, now: datetime) -> object:
    about = manifest["involvedObject"]
    return f"{about['kind'].lower()}/{about['name']}"


def _event_age(manifest: Manifest, now: datetime) -> object:
    return format_age(now - moment(manifest["lastTimestamp"]))


def _role(manifest: Manifest, now: datetime) -> object:
    return f"{manifest['roleRef']['kind']}/{manifest['roleRef']['name']}"


def _node_state(manifest: Manifest, now: datetime) -> object:
    return "Ready" if (condition(manifest, "Ready") or {}).get("status") == "True" else "NotReady"


def _job_state(manifest: Manifest, now: datetime) -> object:
    return "Complete" if (manifest.get("status") or {}).get("succeeded") else "Running"


def _plain(*columns: tuple[str, Cell]) -> list[Column]:
    return [(title, cell, False) for title, cell in columns]


_AGE = ("Age", _age)
_READY = (("Ready", _ready("status")), ("Status", _ready("message")))
_WIDE_PODS: list[Column] = [
    ("Containers", _containers("name"), True),
    ("Images", _containers("image"), True),
    ("Selector", _pairs("spec.selector.matchLabels"), True),
]

# Columns after NAME.
_COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "Namespace"): _plain(("Status", _path("status.phase")), _AGE),
    ("", "Node"): _plain(
        ("Status", _node_state),
        ("Roles", _path("metadata.roles", _NONE)),
        _AGE,
        ("Version", _path("status.nodeInfo.kubeletVersion")),
    ),
    ("", "Pod"): [
        *_plain(("Ready", _pod_ready), ("Status", _pod_word), ("Restarts", _restarts), _AGE),
        ("IP", _path("status.podIP", _NONE), True),
        ("Node", _path("spec.nodeName", _NONE), True),
        ("Nominated Node", _path("status.nominatedNodeName", _NONE), True),
        ("Readiness Gates", _path("status.readinessGates", _NONE), True),
    ],
    ("", "Service"): [
        *_plain(
            ("Type", _path("spec.type")),
            ("Cluster-IP", _path("spec.clusterIP", _NONE)),
            ("External-IP", _external_ip),
            ("Port(s)", _ports),
            _AGE,
        ),
        ("Selector", _pairs("spec.selector"), True),
    ],
    ("", "ConfigMap"): _plain(("Data", _count("data")), _AGE),
    ("", "Secret"): _plain(("Type", _path("type", "Opaque")), ("Data", _count("data")), _AGE),
    ("", "ServiceAccount"): _plain(("Secrets", _count("secrets")), _AGE),
    ("", "PersistentVolumeClaim"): _plain(
        ("Status", _path("status.phase")),
        ("Volume", _path("spec.volumeName")),
        ("Capacity", _path("spec.resources.requests.storage")),
        _AGE,
    ),
    ("apps", "Deployment"): [
        *_plain(
            ("Ready", _ready_of("status.readyReplicas", "status.replicas")),
            ("Up-to-date", _path("status.updatedReplicas", 0)),
            ("Available", _path("status.availableReplicas", 0)),
            _AGE,
        ),
        *_WIDE_PODS,
    ],
    ("apps", "StatefulSet"): [
        *_plain(("Ready", _ready_of("status.readyReplicas", "status.replicas")), _AGE),
        *_WIDE_PODS[:2],
    ],
    ("apps", "DaemonSet"): _plain(
        ("Desired", _path("status.desiredNumberScheduled", 0)),
        ("Current", _path("status.currentNumberScheduled", 0)),
        ("Ready", _path("status.numberReady", 0)),
        ("Up-to-date", _path("status.updatedNumberScheduled", 0)),
        ("Available", _path("status.numberAvailable", 0)),
        ("Node Selector", _pairs("spec.template.spec.nodeSelector")),
        _AGE,
    ),
    ("apps", "ReplicaSet"): [
        *_plain(
            ("Desired", _path("status.replicas", 0)),
            ("Current", _path("status.replicas", 0)),
            ("Ready", _path("status.readyReplicas", 0)),
            _AGE,
        ),
        *_WIDE_PODS,
    ],
    ("batch", "Job"): _plain(
        ("Status", _job_state),
        ("Completions", _ready_of("status.succeeded", "spec.completions", 1)),
        _AGE,
    ),
    ("rbac.authorization.k8s.io", "RoleBinding"): _plain(("Role", _role), _AGE),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _plain(("Role", _role), _AGE),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _plain(
        ("Created At", _path("metadata.creationTimestamp"))
    ),
    (SOURCE_GROUP, "GitRepository"): _plain(("URL", _path("spec.url")), _AGE, *_READY),
    (SOURCE_GROUP, "OCIRepository"): _plain(("URL", _path("spec.url")), *_READY, _AGE),
    (SOURCE_GROUP, "HelmRepository"): _plain(("URL", _path("spec.url")), _AGE, *_READY),
    (SOURCE_GROUP, "Bucket"): _plain(("Endpoint", _path("spec.endpoint")), _AGE, *_READY),
    (SOURCE_GROUP, "HelmChart"): _plain(
        ("Chart", _path("spec.chart")),
        ("Version", _path("spec.version")),
        ("Source Kind", _path("spec.sourceRef.kind")),
        ("Source Name", _path("spec.sourceRef.name")),
        _AGE,
        *_READY,
    ),
    (KUSTOMIZE_GROUP, "Kustomization"): _plain(_AGE, *_READY),
    (HELM_GROUP, "HelmRelease"): _plain(_AGE, *_READY),
    (AZURE_GROUP, "FluxConfig"): _plain(
        ("Scope", _path("spec.scope")),
        ("URL", _source_url),
        ("Provision", _path("status.provisioningState")),
        _AGE,
    ),
}
_NAME: Column = ("Name", _path("metadata.name"), False)
_EVENT = _plain(
    ("Last Seen", _event_age),
    ("Type", _path("type")),
    ("Reason", _path("reason")),
    ("Object", _event_object),
    ("Message", _path("message")),
)
_CREATED_AT = ("Role", "ClusterRole")


def _columns(resource: Resource) -> list[Column]:
    if resource.kind == "Event":
        return _EVENT
    if resource.kind in _CREATED_AT:
        return [_NAME, ("Created At", _path("metadata.creationTimestamp"), False)]
    return [_NAME, *_COLUMNS.get((resource.group, resource.kind), _plain(_AGE))]
