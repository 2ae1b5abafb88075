"""Helm charts that lie in folders of this machine: repositories with an index, or bare charts.

A folder stands for a chart repository when it has an `index.yaml`, whose archives lie beside it,
or when the folders in it are charts. Templates are not carried out: those without any action
(`{{`) are taken as they are, and a Deployment and a Service stand for all others.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .chart_catalogue import Chart
from .objects import Manifest

Charts = dict[str, dict[str, Chart]]


class ChartError(Exception):
    """A chart or an index cannot be read; the text says what Helm says of it."""


def charts_in(folder: Path) -> Charts:
    """Return chart by name and version of a folder. Raises ChartError for a bad index."""
    index = folder / "index.yaml"
    if index.is_file():
        return _charts_of_index(index)
    charts: Charts = {}
    for path in sorted(folder.glob("*/Chart.yaml")):
        chart = read_chart(path.parent)
        charts.setdefault(chart.name, {})[chart.version] = chart
    return charts


def digest_of(folder: Path) -> str:
    """Return what changes whenever the charts of a folder do."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def read_chart(folder: Path) -> Chart:
    """Read the chart in a folder. Raises ChartError."""
    files = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".yaml", ".yml", ".json")
    }
    return _chart(files, folder.name)


def _read_archive(path: Path) -> Chart:
    files: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            name = member.name.partition("/")[2]
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and name.endswith((".yaml", ".yml", ".json")):
                files[name] = content.read().decode("utf-8", "replace")
    return _chart(files, path.name)


def _chart(files: dict[str, str], where: str) -> Chart:
    if "Chart.yaml" not in files:
        raise ChartError(f"failed to load chart: stat {where}: no such file or directory")
    document = _mapping(files["Chart.yaml"], "cannot load Chart.yaml")
    name, version = document.get("name"), document.get("version")
    if not name or not version:
        field = "name" if not name else "version"
        raise ChartError(f"validation: chart.metadata.{field} is required")
    return Chart(
        name=str(name),
        version=str(version),
        app_version=str(document.get("appVersion") or version),
        objects=_STANDING_FOR_TEMPLATES,
        schema=_schema(files.get("values.schema.json")),
        values=_mapping(files.get("values.yaml", ""), "cannot load values.yaml"),
        manifests=tuple(_plain_templates(files)),
        dependencies=tuple(document.get("dependencies") or ()),
        files=frozenset(files),
    )


_STANDING_FOR_TEMPLATES: tuple[Manifest, ...] = (
    {
        "kind": "Deployment",
        "suffix": "",
        "image": "registry.local/chart:{app}",
        "port": 80,
        "replicas": "replicaCount",
    },
    {"kind": "Service", "suffix": "", "ports": [80], "type": "service.type"},
)


def _schema(text: str | None) -> Manifest | None:
    if not text:
        return None
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise ChartError(f"cannot load values.schema.json: {error}") from None
    return schema if isinstance(schema, dict) else None


def _plain_templates(files: dict[str, str]) -> Iterator[Manifest]:
    for name, text in sorted(files.items()):
        if name.startswith("templates/") and "{{" not in text:
            try:
                documents = list(yaml.safe_load_all(text))
            except yaml.YAMLError as error:
                raise ChartError(f"parse error at ({name}): {error}") from None
            yield from (item for item in documents if isinstance(item, dict) and item.get("kind"))


def _mapping(text: str, failed: str) -> Manifest:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ChartError(f"{failed}: {error}") from None
    return document if isinstance(document, dict) else {}


def _charts_of_index(index: Path) -> Charts:
    document = _mapping(index.read_text(encoding="utf-8"), "error converting YAML to JSON")
    entries = document.get("entries")
    if not isinstance(entries, dict):
        raise ChartError("no API version specified")
    charts: Charts = {}
    for name, versions in entries.items():
        for item in versions or []:
            version = str(item.get("version"))
            charts.setdefault(str(name), {})[version] = _indexed(index.parent, str(name), item)
    return charts


def _indexed(folder: Path, name: str, item: dict[str, Any]) -> Chart:
    """Return a chart of an index; one whose archive is absent says from where it is missing."""
    address = str((item.get("urls") or [f"{name}-{item.get('version')}.tgz"])[0])
    archive = folder / address.rsplit("/", 1)[-1]
    if archive.is_file():
        return _read_archive(archive)
    version, app = str(item.get("version")), str(item.get("appVersion") or item.get("version"))
    return Chart(name, version, app, (), missing=address)
