"""Resource Graph's tables: a copy of the resources, in its own spelling and perhaps late."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.http import Document
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

Row = dict[str, Any]

_TABLE_OF = {
    "microsoft.kubernetesconfiguration/fluxconfigurations": "kubernetesconfigurationresources",
    "microsoft.kubernetesconfiguration/extensions": "kubernetesconfigurationresources",
    "microsoft.kubernetesconfiguration/sourcecontrolconfigurations": (
        "kubernetesconfigurationresources"
    ),
    "microsoft.containerservice/managedclusters": "resources",
    "microsoft.kubernetes/connectedclusters": "resources",
    "microsoft.hybridcontainerservice/provisionedclusters": "resources",
    "microsoft.managedidentity/userassignedidentities": "resources",
    "microsoft.resources/resourcegroups": "resourcecontainers",
    "subscriptions": "resourcecontainers",
}
TABLES = ("resources", "kubernetesconfigurationresources", "resourcecontainers")
_CONTAINER_TYPES = {
    "microsoft.resources/resourcegroups": "microsoft.resources/subscriptions/resourcegroups",
    "subscriptions": "microsoft.resources/subscriptions",
}


class GraphTables:
    """Follows the store. With the option ``graph_lag_seconds`` a change shows that much later."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self._late: deque[tuple[datetime, str, Resource | None]] = deque()
        self.revision = 0
        for resource in simulator.store.all():
            self._apply(resource.key, resource)
        simulator.store.listeners.append(self._on_change)

    def rows(self, table: str) -> list[Row] | None:
        """Return the rows of a table; None when there is no such table."""
        rows = self._rows.get(table.lower())
        return None if rows is None else list(rows.values())

    def settle(self) -> None:
        """Let the changes in whose time has come."""
        now = self._sim.clock.now()
        while self._late and self._late[0][0] <= now:
            _, key, resource = self._late.popleft()
            self._apply(key, resource)

    def _on_change(self, key: str, resource: Resource | None) -> None:
        lag = float(self._sim.options["graph_lag_seconds"])
        if lag or self._late:
            due = self._sim.clock.now() + timedelta(seconds=lag)
            self._late.append((due, key, resource))
        else:
            self._apply(key, resource)

    def _apply(self, key: str, resource: Resource | None) -> None:
        self.revision += 1
        if resource is None:
            for rows in self._rows.values():
                rows.pop(key, None)
            return
        table = _TABLE_OF.get(resource.type)
        if table is not None:
            self._rows[table][key] = _row(resource, self._sim.identity.tenant_id)


def _row(resource: Resource, tenant_id: str) -> Row:
    document = resource.document
    properties = resource.properties
    if resource.type == "microsoft.kubernetesconfiguration/extensions":
        properties = _pascal_case(properties)
    return {
        "id": _graph_id(resource),
        "name": resource.name
        if resource.type != "subscriptions"
        else resource.properties["displayName"],
        "type": _CONTAINER_TYPES.get(resource.type, resource.type),
        "tenantId": tenant_id,
        "kind": document.get("kind", ""),
        "location": document.get("location", ""),
        "resourceGroup": resource.resource_group or "",
        "subscriptionId": resource.subscription,
        "managedBy": document.get("managedBy", ""),
        "sku": document.get("sku"),
        "plan": document.get("plan"),
        "properties": properties,
        "tags": document.get("tags"),
        "identity": document.get("identity"),
        "zones": None,
        "extendedLocation": None,
        "systemData": document.get("systemData"),
    }


def _graph_id(resource: Resource) -> str:
    """Spell the id as Resource Graph does: cluster types with a capital below extensions."""
    if not resource.type.startswith("microsoft.kubernetesconfiguration/"):
        return resource.id
    return (
        resource.id.replace("/resourcegroups/", "/resourceGroups/")
        .replace("/connectedClusters/", "/ConnectedClusters/")
        .replace("/managedClusters/", "/ManagedClusters/")
        .replace("/provisionedClusters/", "/ProvisionedClusters/")
    )


# These hold the customer's own keys, which keep their spelling.
_OWN_KEYS = ("configurationSettings", "configurationProtectedSettings", "customLocationSettings")


def _pascal_case(properties: Document) -> Document:
    """Spell extension properties as Resource Graph does: ``ProvisioningState``."""
    return {
        name[:1].upper() + name[1:]: value if name in _OWN_KEYS else _pascal_value(value)
        for name, value in properties.items()
    }


def _pascal_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _pascal_case(value)
    if isinstance(value, list):
        return [_pascal_value(item) for item in value]
    return value
