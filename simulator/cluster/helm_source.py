"""Looking at Helm repositories and charts. Rules: flux-behaviour section 2.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from .chart_catalogue import Chart, charts_of, index_digest, knows_host
from .git_source import SourceError
from .objects import Manifest, ObjectKey
from .resources import SOURCE_GROUP
from .semver_range import RangeError, best_match
from .source_controller import Found, artifact_folder, artifact_of
from .state import ClusterState

_FETCH_FAILED = "failed to fetch Helm repository index: failed to cache index to temporary file: "
_REFERENCE = "invalid chart reference: failed to get chart version for remote reference: "


def look_at_index(state: ClusterState, manifest: Manifest) -> Found:
    """Fetch the index of a HelmRepository. Raises SourceError."""
    url = str(manifest["spec"]["url"]).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        text = f"invalid Helm repository URL: scheme '{parts.scheme}' is not supported"
        raise SourceError("URLInvalid", text)
    if charts_of(url) is None:
        index = f"{url}/index.yaml"
        if knows_host(url):
            raise SourceError("Failed", f"{_FETCH_FAILED}failed to fetch {index} : 404 Not Found")
        lookup = f"dial tcp: lookup {parts.hostname} on 10.0.0.10:53: no such host"
        raise SourceError("Failed", f'{_FETCH_FAILED}Get "{index}": {lookup}')
    digest = index_digest(url)
    revision = f"sha256:{digest}"
    return Found(
        revision=revision,
        fetch=lambda: None,
        file=f"index-{digest}.yaml",
        stored=f"stored artifact: revision '{revision}'",
        progress=f"new index revision '{revision}'",
        event=lambda: f"stored fetched index of size 1.2MB from '{url}'",
    )


def look_at_chart(state: ClusterState, manifest: Manifest) -> Found:
    """Find the version of a chart that a HelmChart asks for. Raises SourceError."""
    chart = find_chart(state, manifest)
    from_files = manifest["spec"]["sourceRef"]["kind"] != "HelmRepository"
    verb = "packaged" if from_files else "pulled"
    values_files = manifest["spec"].get("valuesFiles") or []
    stored = f"{verb} '{chart.name}' chart with version '{chart.version}'"
    if values_files:
        stored += f" and merged values files [{' '.join(values_files)}]"
    packaged = from_files or bool(values_files)
    return Found(
        revision=chart.version,
        fetch=lambda: None,
        file=f"{chart.name}-{chart.version}.tgz",
        stored=stored.replace("pulled", "packaged") if packaged else stored,
        progress=f"new '{chart.name}' chart with version '{chart.version}'",
        event=lambda: stored,
        reason="ChartPackageSucceeded" if packaged else "ChartPullSucceeded",
    )


def find_chart(state: ClusterState, manifest: Manifest) -> Chart:
    """Return the chart behind a HelmChart. Raises SourceError."""
    spec = manifest["spec"]
    ref = spec["sourceRef"]
    key = ObjectKey(SOURCE_GROUP, ref["kind"], manifest["metadata"]["namespace"], ref["name"])
    source = state.store.get(key)
    if source is None:
        text = f'failed to get source: {key.kind}.{SOURCE_GROUP} "{key.name}" not found'
        raise SourceError("SourceUnavailable", text)
    if key.kind != "HelmRepository":
        return _chart_of_files(state, key, source, spec)
    if source["spec"].get("type") == "oci":
        return _oci_chart(source, spec)
    if artifact_of(source) is None:
        text = f"no artifact available for HelmRepository source '{key.name}'"
        raise SourceError("NoSourceArtifact", text)
    versions = (charts_of(source["spec"]["url"]) or {}).get(spec["chart"])
    if not versions:
        raise SourceError("InvalidChartReference", f"{_REFERENCE}no chart name found")
    return versions[_version(spec, list(versions))]


def _version(spec: Manifest, versions: list[str]) -> str:
    wanted = str(spec.get("version") or "*")
    try:
        found = wanted if wanted in versions else best_match(wanted, versions)
    except RangeError:
        found = None
    if found is None:
        text = f"no '{spec['chart']}' chart with version matching '{wanted}' found"
        raise SourceError("InvalidChartReference", _REFERENCE + text)
    return found


def _oci_chart(source: Manifest, spec: Manifest) -> Chart:
    url = f"{source['spec']['url']}/{spec['chart']}"
    host = urlsplit(url).hostname or ""
    lookup = f"dial tcp: lookup {host} on 10.0.0.10:53: no such host"
    path = urlsplit(url).path.strip("/")
    text = f'could not get tags for "{spec["chart"]}": Get "https://{host}/v2/{path}/tags/list"'
    raise SourceError("ChartPullError", f"chart pull error: {text}: {lookup}")


def _chart_of_files(state: ClusterState, key: ObjectKey, source: Manifest, spec: Manifest) -> Chart:
    """Read a chart that lies in a Git repository or bucket."""
    folder = artifact_folder(state, key)
    if folder is None or artifact_of(source) is None:
        text = f"no artifact available for {key.kind} source '{key.name}'"
        raise SourceError("NoSourceArtifact", text)
    document = _chart_file(folder / str(spec["chart"]).strip("./"))
    name, version = document.get("name"), document.get("version")
    if not name or not version:
        text = f"validation: chart.metadata.{'name' if not name else 'version'} is required"
        raise SourceError("ChartPackageError", f"chart packaging error: {text}")
    objects: tuple[dict[str, Any], ...] = (
        {
            "kind": "Deployment",
            "suffix": "",
            "image": f"registry.local/{name}:{{app}}",
            "port": 80,
            "replicas": "replicaCount",
        },
        {"kind": "Service", "suffix": "", "ports": [80], "type": "service.type"},
    )
    return Chart(str(name), str(version), str(document.get("appVersion") or version), objects)


def _chart_file(folder: Path) -> Manifest:
    try:
        document = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
    except OSError:
        text = f"stat {folder.name}: no such file or directory"
        text = f"failed to load chart: {text}"
        raise SourceError("ChartPackageError", f"chart packaging error: {text}") from None
    except yaml.YAMLError as error:
        text = f"cannot load Chart.yaml: {error}"
        raise SourceError("ChartPackageError", f"chart packaging error: {text}") from None
    return document if isinstance(document, dict) else {}
