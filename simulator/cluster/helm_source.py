"""Looking at Helm repositories and charts. Rules: flux-behaviour section 2.3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from .chart_catalogue import Chart, charts_of, index_digest, knows_host
from .chart_folders import ChartError, Charts, charts_in, digest_of, read_chart
from .git_source import SourceError
from .objects import Manifest, ObjectKey, key_of
from .resources import SOURCE_GROUP
from .semver_range import RangeError, best_match
from .source_access import registry_fault, registry_identity, secret_of
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
    secret = secret_of(state, manifest)
    index = f"{url}/index.yaml"
    charts = _charts_at(state, url)
    if charts is None:
        if knows_host(url):
            raise SourceError("Failed", f"{_FETCH_FAILED}failed to fetch {index} : 404 Not Found")
        lookup = f"dial tcp: lookup {parts.hostname} on 10.0.0.10:53: no such host"
        raise SourceError("Failed", f'{_FETCH_FAILED}Get "{index}": {lookup}')
    if registry_fault(state.sources.access(url), parts.netloc, secret):
        raise SourceError("Failed", f"{_FETCH_FAILED}failed to fetch {index} : 401 Unauthorized")
    folder = _folder(state, url)
    digest = digest_of(folder) if folder else index_digest(url)
    revision = f"sha256:{digest}"
    return Found(
        revision=revision,
        fetch=lambda: None,
        file=f"index-{digest}.yaml",
        stored=f"stored artifact: revision '{revision}'",
        progress=f"new index revision '{revision}'",
        event=lambda: f"stored fetched index of size 1.2MB from '{url}'",
    )


def _folder(state: ClusterState, url: str) -> Path | None:
    """Return the folder that stands for a chart repository; None when none does."""
    found = state.sources.resolve(url)
    return None if found == url else Path(found)


def _charts_at(state: ClusterState, url: str) -> Charts | None:
    """Return the charts of a repository: of a mapped folder, else of the catalogue."""
    folder = _folder(state, url)
    if folder is None:
        return charts_of(url)
    try:
        return charts_in(folder)
    except ChartError as error:
        text = f"failed to load Helm repository from index YAML: {error}"
        raise SourceError("IndexationFailed", text) from None


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
    """Return the chart behind a HelmChart or in an OCIRepository. Raises SourceError."""
    spec = manifest["spec"]
    if manifest["kind"] == "OCIRepository":
        return _chart_of_artifact(state, manifest)
    ref = spec["sourceRef"]
    key = ObjectKey(SOURCE_GROUP, ref["kind"], manifest["metadata"]["namespace"], ref["name"])
    source = state.store.get(key)
    if source is None:
        text = f'failed to get source: {key.kind}.{SOURCE_GROUP} "{key.name}" not found'
        raise SourceError("SourceUnavailable", text)
    if key.kind != "HelmRepository":
        return _chart_of_files(state, key, source, spec)
    if source["spec"].get("type") == "oci":
        return _oci_chart(state, source, spec)
    if artifact_of(source) is None:
        text = f"no artifact available for HelmRepository source '{key.name}'"
        raise SourceError("NoSourceArtifact", text)
    url = str(source["spec"]["url"]).rstrip("/")
    versions = (_charts_at(state, url) or {}).get(spec["chart"])
    if not versions:
        raise SourceError("InvalidChartReference", f"{_REFERENCE}no chart name found")
    chart = versions[_version(spec, list(versions))]
    if chart.missing:
        address = chart.missing if "://" in chart.missing else f"{url}/{chart.missing}"
        text = "chart pull error: failed to download chart for remote reference: "
        raise SourceError("ChartPullError", f"{text}failed to fetch {address} : 404 Not Found")
    _check_values_files(spec, chart.files)
    return chart


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


def _oci_chart(state: ClusterState, source: Manifest, spec: Manifest) -> Chart:
    """Read a chart of a registry, whose versions are the tags that are mapped."""
    url = f"{str(source['spec']['url']).rstrip('/')}/{spec['chart']}"
    parts = urlsplit(url)
    tags = f"https://{parts.netloc}/v2/{parts.path.strip('/')}/tags/list"
    failed = f'chart pull error: could not get tags for "{spec["chart"]}": '
    folders = list(state.sources.tags(url).values())
    single = _folder(state, url)
    if single is not None:
        folders.append(single)
    if not folders:
        lookup = f"dial tcp: lookup {parts.hostname} on 10.0.0.10:53: no such host"
        raise SourceError("ChartPullError", f'{failed}Get "{tags}": {lookup}')
    asked = (*state.sources.access(url), *state.sources.access(str(source["spec"]["url"])))
    identity = registry_identity(state, source["spec"])
    fault = registry_fault(asked, parts.netloc, secret_of(state, source), identity)
    if fault:
        raise SourceError("ChartPullError", f"{failed}GET {tags}: {fault}")
    try:
        charts = [read_chart(folder) for folder in folders]
    except ChartError as error:
        raise SourceError("ChartPullError", f"chart pull error: {error}") from None
    versions = {chart.version: chart for chart in charts}
    chart = versions[_version(spec, list(versions))]
    _check_values_files(spec, chart.files)
    return chart


def _chart_of_files(state: ClusterState, key: ObjectKey, source: Manifest, spec: Manifest) -> Chart:
    """Read a chart that lies in a Git repository or bucket."""
    root = artifact_folder(state, key)
    if root is None or artifact_of(source) is None:
        text = f"no artifact available for {key.kind} source '{key.name}'"
        raise SourceError("NoSourceArtifact", text)
    folder = root / str(spec["chart"]).strip("./")
    try:
        chart = read_chart(folder)
    except ChartError as error:
        raise SourceError("ChartPackageError", f"chart packaging error: {error}") from None
    for dependency in chart.dependencies:
        _check_dependency(state, root, folder, dependency)
    # Here the paths are those within the source.
    _check_values_files(spec, frozenset(str(p.relative_to(root)) for p in root.rglob("*.y*ml")))
    return chart


def _chart_of_artifact(state: ClusterState, source: Manifest) -> Chart:
    """Read the chart that an OCI artifact is; its digest becomes a part of the version."""
    key, artifact = key_of(source), artifact_of(source)
    root = artifact_folder(state, key)
    if root is None or artifact is None:
        text = f"no artifact available for {key.kind} source '{key.name}'"
        raise SourceError("NoSourceArtifact", text)
    try:
        chart = read_chart(root)
    except ChartError as error:
        raise SourceError("ChartPackageError", str(error)) from None
    digest = str(artifact["revision"]).rpartition("sha256:")[2]
    return replace(chart, version=f"{chart.version}+{digest[:12]}")


def _check_dependency(state: ClusterState, root: Path, folder: Path, wanted: Manifest) -> None:
    """Find a chart that another depends on: vendored, in the source, or in a repository."""
    name, version = str(wanted.get("name")), str(wanted.get("version") or "*")
    address = str(wanted.get("repository") or "")
    failed = "dependency build error: failed to add"
    if (folder / "charts" / name).is_dir() or any((folder / "charts").glob(f"{name}-*.tgz")):
        return
    if not address or address.startswith("file://"):
        path = (folder / address.removeprefix("file://")).resolve()
        if path.is_relative_to(root.resolve()) and (path / "Chart.yaml").is_file():
            return
        text = f"{failed} local dependency '{name}': no chart found at '{path.name}'"
        raise SourceError("DependencyBuildError", f"{text} (reference '{address}')")
    if address.startswith("oci://"):
        known = {"*": None} if _folder(state, f"{address.rstrip('/')}/{name}") else {}
        fits = bool(known)
    else:
        versions = (_charts_at(state, address.rstrip("/")) or {}).get(name, {})
        try:
            fits = version in versions or best_match(version, versions) is not None
        except RangeError:
            fits = False
    if not fits:
        text = f"{failed} remote dependency '{name}': failed to get chart '{name}' version "
        raise SourceError("DependencyBuildError", f"{text}'{version}' from '{address}'")


def _check_values_files(spec: Manifest, files: frozenset[str]) -> None:
    for wanted in spec.get("valuesFiles") or []:
        if str(wanted).removeprefix("./") not in files and not spec.get("ignoreMissingValuesFiles"):
            text = f"values files merge error: no values file found at path '{wanted}'"
            raise SourceError("ValuesFilesError", text)
