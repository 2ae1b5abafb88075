"""Public Helm charts as the simulator knows them: versions, and the workloads they bring.

The catalogue (`charts.json`) stands in for the repositories on the Internet: URL, chart, version
with the version of the application, and a short description of each object.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .objects import Manifest

_FILE = Path(__file__).with_name("charts.json")


@dataclass(frozen=True, slots=True)
class Chart:
    """One version of a chart. `objects` describe what it renders, `manifests` are taken as are.

    `missing` is the address of an archive that an index names and that is not there.
    """

    name: str
    version: str
    app_version: str
    objects: tuple[Manifest, ...]
    schema: Manifest | None = None
    values: Manifest = field(default_factory=dict)
    manifests: tuple[Manifest, ...] = ()
    dependencies: tuple[Manifest, ...] = ()
    files: frozenset[str] = frozenset({"values.yaml"})
    missing: str = ""


@functools.cache
def _catalogue() -> dict[str, Any]:
    catalogue: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return catalogue


def charts_of(url: str) -> dict[str, dict[str, Chart]] | None:
    """Return chart by name and version for the URL of a repository; None when it is unknown."""
    charts = _catalogue().get(url.rstrip("/"))
    if charts is None:
        return None
    return {
        name: {
            version: Chart(name, version, app, tuple(chart["objects"]))
            for version, app in chart["versions"].items()
        }
        for name, chart in charts.items()
    }


def knows_host(url: str) -> bool:
    """Tell whether a host answers, whatever it has at that path."""
    return any(urlsplit(known).hostname == urlsplit(url).hostname for known in _catalogue())


def index_digest(url: str) -> str:
    return hashlib.sha256(json.dumps([url, _catalogue().get(url)]).encode()).hexdigest()


def full_name(release: str, chart: str) -> str:
    """Return the name that charts give their objects by custom."""
    return release if chart in release else f"{release}-{chart}"


def render(chart: Chart, release: str, namespace: str, values: Manifest) -> Iterator[Manifest]:
    """Yield the manifests of a release."""
    base = str(values.get("fullnameOverride") or full_name(release, chart.name))
    labels = {
        "app.kubernetes.io/name": chart.name,
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"{chart.name}-{chart.version}",
    }
    for item in chart.objects:
        metadata = {"name": base + item["suffix"], "namespace": namespace, "labels": labels}
        group = {"Deployment": "apps/v1", "StatefulSet": "apps/v1"}.get(item["kind"], "v1")
        yield {"apiVersion": group, "kind": item["kind"], "metadata": metadata} | _body(
            chart, item, metadata["name"], values
        )
    for manifest in chart.manifests:
        own = manifest.get("metadata") or {}
        placed = {"namespace": namespace} | own
        placed["labels"] = labels | (own.get("labels") or {})
        yield manifest | {"metadata": placed}


def _body(chart: Chart, item: Manifest, name: str, values: Manifest) -> Manifest:
    selected = {"app.kubernetes.io/component": str(name)}
    match item["kind"]:
        case "Deployment" | "StatefulSet":
            return {"spec": _workload(chart, item, name, selected, values)}
        case "Service":
            ports = [
                {"name": f"port-{port}", "port": port, "protocol": "TCP"} for port in item["ports"]
            ]
            kind = value_at(values, item.get("type", "")) or item.get("default", "ClusterIP")
            spec: Manifest = {"type": kind, "selector": selected, "ports": ports}
            return {"spec": spec | ({"clusterIP": "None"} if item.get("headless") else {})}
        case "ConfigMap":
            return {"data": {"chart": chart.name}}
    return {"type": "Opaque"}


def _workload(
    chart: Chart, item: Manifest, name: str, selected: dict[str, str], values: Manifest
) -> Manifest:
    replicas = value_at(values, item.get("replicas", ""))
    image = value_at(values, "image.repository")
    tag = value_at(values, "image.tag")
    default = item["image"].format(app=chart.app_version)
    if image and not item["suffix"]:
        default = f"{image}:{tag or chart.app_version}"
    elif tag and not item["suffix"]:
        default = f"{default.rpartition(':')[0]}:{tag}"
    container = {"name": chart.name, "image": default, "ports": [{"containerPort": item["port"]}]}
    spec: Manifest = {
        "replicas": 1 if replicas is None else _number(replicas),
        "selector": {"matchLabels": selected},
        "template": {"metadata": {"labels": selected}, "spec": {"containers": [container]}},
    }
    return spec | ({"serviceName": name} if item["kind"] == "StatefulSet" else {})


def _number(value: Any) -> Any:
    """Return a whole number where it is one; what is none is refused when it is written."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return value


def value_at(values: Manifest, path: str) -> Any:
    """Return the value at a dotted path, None when there is none."""
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found
