"""Ready queries for Azure Resource Graph, and what turns its rows into ARM's own shape.

Every query projects ``id`` and orders by it, without which there is no paging.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

_CONFIGURATION_PROPERTIES = (
    "scope",
    "namespace",
    "sourceKind",
    "suspend",
    "gitRepository",
    "bucket",
    "azureBlob",
    "ociRepository",
    "kustomizations",
    "waitForReconciliation",
    "reconciliationWaitDuration",
    "complianceState",
    "provisioningState",
    "errorMessage",
    "repositoryPublicKey",
    "sourceSyncedCommitId",
    "sourceUpdatedAt",
    "statusUpdatedAt",
)
"""All but ``statuses``, which is most of the bytes; a GET brings those where they are needed."""

_CONFIGURATIONS = (
    "kubernetesconfigurationresources"
    " | where type =~ 'microsoft.kubernetesconfiguration/fluxconfigurations'"
)
_EXTENSIONS = (
    "kubernetesconfigurationresources"
    " | where type =~ 'microsoft.kubernetesconfiguration/extensions'"
)
_CLUSTERS = (
    "resources"
    " | where type in~ ('microsoft.containerservice/managedclusters',"
    " 'microsoft.kubernetes/connectedclusters')"
)
_ORDER = " | order by id asc"

_PASCAL = {
    "Aksassignedidentity": "aksAssignedIdentity",
    "AksAssignedIdentity": "aksAssignedIdentity",
    "PackageURI": "packageUri",
}


def configurations() -> str:
    """Every flux configuration, without its object statuses."""
    return _CONFIGURATIONS + _project_configuration() + _ORDER


def configurations_changed_since(since: datetime) -> str:
    """Those whose agent reported after ``since`` (aware). Overlap the windows.

    What is new and has not reported yet, and what is gone, only the full sweep tells.
    """
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    changed = f" | where todatetime(properties.statusUpdatedAt) > datetime({moment})"
    return _CONFIGURATIONS + changed + _project_configuration() + _ORDER


def extensions() -> str:
    """Every cluster extension; pass the rows through ``normalise_extension``."""
    return _EXTENSIONS + " | project id, name, type, properties" + _ORDER


def clusters() -> str:
    """Every AKS and Arc-connected cluster."""
    columns = "id, name, type, kind, location, tags, identity, properties"
    return _CLUSTERS + f" | project {columns}" + _ORDER


def normalise_configuration(row: dict[str, Any]) -> dict[str, Any]:
    """A row of ``configurations`` in ARM's shape; columns without a value are left out."""
    properties = {
        name: row[name] for name in _CONFIGURATION_PROPERTIES if row.get(name) not in (None, "")
    }
    return {"id": row["id"], "name": row["name"], "type": row["type"], "properties": properties}


def normalise_extension(row: dict[str, Any]) -> dict[str, Any]:
    """A row of ``extensions`` in ARM's shape.

    Resource Graph spells an extension's own property names with a capital first letter
    (``ExtensionType``); maps whose keys are data, such as ``configurationSettings``, keep theirs.
    """
    properties = {
        _camel(name): _camel_entries(_camel(name), value)
        for name, value in (row.get("properties") or {}).items()
    }
    return {**row, "properties": properties}


def by_id(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by their lower case id, as Resource Graph and ARM differ in case."""
    return {row["id"].lower(): row for row in rows}


_DATA_MAPS = {"configurationSettings", "configurationProtectedSettings", "customLocationSettings"}


def _camel_entries(name: str, value: Any) -> Any:
    if name in _DATA_MAPS:
        return value
    if isinstance(value, dict):
        return {_camel(key): _camel_entries(_camel(key), child) for key, child in value.items()}
    if isinstance(value, list):
        return [_camel_entries(name, child) for child in value]
    return value


def _camel(name: str) -> str:
    return _PASCAL.get(name, name[:1].lower() + name[1:])


def _project_configuration() -> str:
    columns = ", ".join(f"{name} = properties.{name}" for name in _CONFIGURATION_PROPERTIES)
    return f" | project id, name, type, {columns}"
