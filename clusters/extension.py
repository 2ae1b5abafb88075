"""The microsoft.flux extension of a cluster: how it reads, and how ARM's JSON becomes a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clusters.models import Cluster

EXTENSION_TYPE = "microsoft.flux"
NAME = "flux"  # what the command line and the Azure portal call it


def flux_among(resources: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The microsoft.flux instance among a cluster's extensions: by its type, never by its name."""
    for resource in resources:
        if is_flux(resource):
            return dict(resource)
    return None


def is_flux(resource: Mapping[str, Any]) -> bool:
    """Whether this extension is microsoft.flux, in whatever case ARM writes it."""
    return str(_properties(resource).get("extensionType", "")).lower() == EXTENSION_TYPE


def extension_columns(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of clusters.Extension from the resource as ARM sent it."""
    properties = _properties(resource)
    error = _mapping(properties.get("errorInfo"))
    statuses = [_mapping(status) for status in properties.get("statuses") or []]
    said = next((s for s in statuses if s.get("level") == "Error"), {})
    upgrade = properties.get("autoUpgradeMinorVersion")
    return {
        "arm_id": str(resource["id"]).lower(),
        "name": str(resource.get("name") or NAME),
        "version": str(properties.get("currentVersion") or properties.get("version") or ""),
        "release_train": str(properties.get("releaseTrain") or ""),
        "auto_upgrade": True if upgrade is None else bool(upgrade),
        "provisioning_state": str(properties.get("provisioningState") or ""),
        "settings": dict(_mapping(properties.get("configurationSettings"))),
        "error_code": str(error.get("code") or said.get("code") or "")[:100],
        "error_message": str(error.get("message") or said.get("message") or ""),
        "observed": dict(resource),
    }


def install_body(
    cluster: Cluster,
    *,
    settings: Mapping[str, str] | None = None,
    release_train: str = "",
    version: str = "",
    mode: str | None = None,
) -> dict[str, Any]:
    """What the command line sends to install it (azure-contract 3.3): Arc gets an identity.

    With a `version` it is held to that one, which Azure takes without automatic upgrades only.
    """
    properties: dict[str, Any] = {
        "extensionType": EXTENSION_TYPE,
        "autoUpgradeMinorVersion": not version,
        "releaseTrain": release_train or "Stable",
        "scope": {"cluster": {"releaseNamespace": "flux-system"}},
    }
    if version:
        properties["version"] = version
    elif mode:
        properties["autoUpgradeMode"] = mode
    if settings:
        properties["configurationSettings"] = dict(settings)
    body: dict[str, Any] = {"properties": properties}
    if cluster.kind == Cluster.Kind.CONNECTED:
        body["identity"] = {"type": "SystemAssigned"}
    return body


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(resource.get("properties"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
