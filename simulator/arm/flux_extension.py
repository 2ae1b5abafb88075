"""What holds for the extension type microsoft.flux, and for clusters that can have it."""

from __future__ import annotations

from simulator.arm.errors import validation_failed
from simulator.http import Document
from simulator.store import Resource

FLUX = "microsoft.flux"
FLUX_VERSIONS = ("1.22.3", "1.23.2", "1.24.0", "1.24.1")
# Known for a fault that later ones lack (install_faults) or as steps of an upgrade, and kept for
# clusters pinned to them.
OLD_VERSIONS = (
    *("1.15.1", "1.15.2", "1.16.2", "1.16.3"),
    *("1.20.4", "1.21.0", "1.22.2", "1.23.0"),
)
LATEST = FLUX_VERSIONS[-1]

SERVICE_PRINCIPAL_CLUSTER = {
    "code": "ExtensionCreationFailed",
    "message": "Extensions are only supported on clusters using Managed Service Identity. For "
    "more information see https://aka.ms/aks-extensions-service-principal-not-supported.",
}


def has_managed_identity(cluster: Resource) -> bool:
    """Tell whether a cluster can have extensions; Arc clusters always can."""
    if cluster.type != "microsoft.containerservice/managedclusters":
        return True
    profile = cluster.properties.get("servicePrincipalProfile") or {}
    return str(profile.get("clientId", "msi")).lower() == "msi"


def check(full: Document, key: str, current: Resource | None, flux: Resource | None) -> None:
    """Refuse a filled body that makes no sense.

    ``key`` is the id written to, ``current`` what is there, ``flux`` the cluster's extension of
    type microsoft.flux under whatever name.
    """
    kind = str(full["extensionType"] or "")
    if not kind:
        raise validation_failed("The extensionType is required.")
    if current is not None and kind.lower() != current.properties["extensionType"].lower():
        raise validation_failed("The extensionType of an extension cannot be changed.")
    if kind.lower() != FLUX:
        return
    if (full["scope"] or {}).get("namespace"):
        raise validation_failed(
            "The extension type 'microsoft.flux' can be installed at cluster scope only."
        )
    if flux is not None and flux.key != key.lower():
        raise validation_failed(
            f"An extension of type 'microsoft.flux' exists already: '{flux.name}'."
        )
    if full["version"] and full["version"] not in (*FLUX_VERSIONS, *OLD_VERSIONS):
        raise validation_failed(
            f"Extension version '{full['version']}' is not available in release train "
            f"'{full['releaseTrain']}' for extension type 'microsoft.flux'."
        )
