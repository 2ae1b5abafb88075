"""Which resource types exist, in which api-versions, and what ARM calls their parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.arm.errors import ArmError, bad_request

_EXTENSIONS = (
    "2021-09-01",
    "2022-03-01",
    "2022-07-01",
    "2022-11-01",
    "2023-05-01",
    "2024-11-01",
    "2025-03-01",
)
_FLUX = (
    "2022-03-01",
    "2022-07-01",
    "2022-11-01",
    "2023-05-01",
    "2024-11-01",
    "2025-04-01",
)
_ARC = ("2021-10-01", "2024-01-01", "2024-12-01", "2025-12-01", "2026-05-01")
# AKS brings a version nearly every month; the command line asks for one of its own.
_AKS = tuple(
    f"{year}-{month:02}-01"
    for year in range(2023, 2027)
    for month in range(1, 13)
    if (year, month) <= (2026, 8)
)
_IDENTITY = ("2018-11-30", "2023-01-31", "2024-11-30", "2025-05-31-preview")


@dataclass(frozen=True)
class ResourceType:
    """A resource type as the provider spells it.

    ``is_extension`` marks types that hang below any resource, ``tracked`` those with a location
    and tags of their own.
    """

    namespace: str
    name: str
    versions: tuple[str, ...]
    tracked: bool = False
    is_extension: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


_CONFIGURATION = "Microsoft.KubernetesConfiguration"
TYPES: dict[str, ResourceType] = {
    entry.full_name.lower(): entry
    for entry in (
        ResourceType(_CONFIGURATION, "fluxConfigurations", _FLUX, is_extension=True),
        ResourceType(_CONFIGURATION, "fluxConfigurations/operations", _FLUX, is_extension=True),
        ResourceType(_CONFIGURATION, "extensions", _EXTENSIONS, is_extension=True),
        ResourceType(_CONFIGURATION, "extensions/operations", _EXTENSIONS, is_extension=True),
        ResourceType(
            _CONFIGURATION,
            "sourceControlConfigurations",
            ("2021-03-01", "2022-03-01", "2022-07-01", "2022-11-01", "2023-05-01"),
            is_extension=True,
        ),
        ResourceType("Microsoft.Kubernetes", "connectedClusters", _ARC, tracked=True),
        ResourceType("Microsoft.Kubernetes", "connectedClusters/listClusterUserCredential", _ARC),
        ResourceType("Microsoft.ContainerService", "managedClusters", _AKS, tracked=True),
        ResourceType(
            "Microsoft.ContainerService", "managedClusters/listClusterUserCredential", _AKS
        ),
        ResourceType(
            "Microsoft.HybridContainerService",
            "provisionedClusters",
            ("2022-09-01-preview", "2024-01-01"),
            tracked=True,
        ),
        ResourceType(
            "Microsoft.ManagedIdentity", "userAssignedIdentities", _IDENTITY, tracked=True
        ),
        ResourceType(
            "Microsoft.ManagedIdentity",
            "userAssignedIdentities/federatedIdentityCredentials",
            ("2022-01-31-preview", "2023-01-31", "2024-11-30", "2025-05-31-preview"),
        ),
        ResourceType(
            "Microsoft.Authorization",
            "permissions",
            ("2015-07-01", "2018-07-01", "2022-04-01"),
            is_extension=True,
        ),
        ResourceType(
            "Microsoft.ResourceGraph",
            "resources",
            ("2019-04-01", "2021-03-01", "2022-10-01", "2024-04-01"),
        ),
    )
}

NAMESPACES: dict[str, str] = {t.namespace.lower(): t.namespace for t in TYPES.values()} | {
    "microsoft.resources": "Microsoft.Resources"
}
CLUSTER_TYPES = (
    "microsoft.containerservice/managedclusters",
    "microsoft.kubernetes/connectedclusters",
    "microsoft.hybridcontainerservice/provisionedclusters",
)
LOCATIONS = ("East US", "West Europe", "North Europe", "Southeast Asia", "UK South")

# Microsoft.Resources itself (subscriptions, groups, providers) has had one version after another;
# any of these dates is taken.
_RESOURCES_VERSION = re.compile(r"20(1[4-9]|2[0-6])-\d\d-\d\d(-preview)?\Z")


def require_version(asked: str | None) -> str:
    if not asked:
        raise bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    return asked


def require_resources_version(asked: str | None) -> str:
    """Check the api-version of a call to ARM itself rather than to a provider."""
    version = require_version(asked)
    if not _RESOURCES_VERSION.match(version):
        raise bad_request(
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are "
            "'2025-04-01,2022-12-01,2022-09-01,2021-04-01,2020-06-01,2019-05-01,2016-02-01'.",
        )
    return version


def require_type(full_type: str, namespace: str, asked: str | None) -> ResourceType:
    """Find a type in an api-version; raises what ARM answers for an unknown one."""
    version = require_version(asked)
    if namespace.lower() not in NAMESPACES:
        raise ArmError(
            404,
            "InvalidResourceNamespace",
            f"The resource namespace '{namespace}' is invalid.",
        )
    resource_type = TYPES.get(full_type)
    if resource_type is None:
        known = sorted(
            {
                v
                for t in TYPES.values()
                if t.namespace.lower() == namespace.lower()
                for v in t.versions
            }
        )
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{full_type.split('/', 1)[-1]}' could not be found in the "
            f"namespace '{namespace}' for api version '{version}'. The supported api-versions "
            f"are '{','.join(known)}'.",
        )
    if version not in resource_type.versions:
        locations = ", ".join(place.replace(" ", "").lower() for place in LOCATIONS)
        raise bad_request(
            "NoRegisteredProviderFound",
            "No registered resource provider found for location 'global' and API version "
            f"'{version}' for type '{resource_type.name}'. The supported api-versions are "
            f"'{', '.join(resource_type.versions)}'. The supported locations are '{locations}'.",
        )
    return resource_type
