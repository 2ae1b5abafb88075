"""The same thing in another tool's words: the az command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from clusters.models import Cluster
from configurations.reading import kustomizations_of


def az_command(cluster: Cluster, name: str, properties: Mapping[str, Any]) -> str:
    """`az k8s-configuration flux create` for a Git source; `az rest` for every other kind.

    Every value is quoted for a POSIX shell. Secrets are not part of it.
    """
    if (properties.get("sourceKind") or "GitRepository") != "GitRepository":
        return _az_rest(cluster, name, properties)
    git = properties.get("gitRepository") or {}
    lines = [
        "az k8s-configuration flux create",
        f"-g {shlex.quote(cluster.resource_group)}",
        f"-c {shlex.quote(cluster.name)}",
        f"-t {cluster.kind}",
        f"-n {shlex.quote(name)}",
        f"--namespace {shlex.quote(properties.get('namespace') or 'default')}",
        f"--scope {shlex.quote(properties.get('scope') or 'cluster')}",
        f"-u {shlex.quote(git.get('url') or '')}",
    ]
    for kind, value in (git.get("repositoryRef") or {}).items():
        if value:
            lines.append(f"--{kind} {shlex.quote(str(value))}")
    for field, option in (("syncIntervalInSeconds", "interval"), ("timeoutInSeconds", "timeout")):
        if git.get(field) not in (None, 600):
            lines.append(f"--{option} {git[field]}s")
    if git.get("localAuthRef"):
        lines.append(f"--local-auth-ref {shlex.quote(git['localAuthRef'])}")
    if properties.get("suspend") is True:
        lines.append("--suspend")
    lines += [
        az_kustomization(it_name, it) for it_name, it in kustomizations_of(properties).items()
    ]
    return " \\\n  ".join(lines)


def az_kustomization(name: str, entry: Mapping[str, Any]) -> str:
    """One `--kustomization` of the az command."""
    return f"--kustomization {_kustomization(name, entry)}"


def _kustomization(name: str, entry: Mapping[str, Any]) -> str:
    parts = [f"name={name}"]
    if entry.get("path"):
        parts.append(f"path={entry['path']}")
    if entry.get("dependsOn"):
        parts.append(f"dependsOn={json.dumps(entry['dependsOn'], separators=(',', ':'))}")
    for field, option in (
        ("timeoutInSeconds", "timeout"),
        ("syncIntervalInSeconds", "interval"),
        ("retryIntervalInSeconds", "retry_interval"),
    ):
        if entry.get(field) not in (None, 600):
            parts.append(f"{option}={entry[field]}s")
    for flag in ("prune", "force"):
        if entry.get(flag) is True:
            parts.append(f"{flag}=true")
    if entry.get("wait") is False:
        parts.append("disable_health_check=true")
    return " ".join(shlex.quote(part) for part in parts)


def _az_rest(cluster: Cluster, name: str, properties: Mapping[str, Any]) -> str:
    url = (
        f"{cluster.arm_id_display}/providers/Microsoft.KubernetesConfiguration"
        f"/fluxConfigurations/{name}?api-version={cluster.connection.api_version}"
    )
    body = json.dumps({"properties": dict(properties)}, ensure_ascii=False)
    return f"az rest --method put \\\n  --url {shlex.quote(url)} \\\n  --body {shlex.quote(body)}"
