"""What a face is made from and what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from changes.faces import Face, file_stem

__all__ = ["FLUX_TYPE", "PROVIDERS", "Face", "Place"]

FLUX_TYPE = "Microsoft.KubernetesConfiguration/fluxConfigurations"
PROVIDERS = {
    "managedClusters": "Microsoft.ContainerService",
    "connectedClusters": "Microsoft.Kubernetes",
    "provisionedClusters": "Microsoft.HybridContainerService",
}
"""Cluster kind -> the resource provider that owns it (Azure contract 1.2)."""


@dataclass(frozen=True)
class Place:
    """Where a configuration is, or is to be.

    `cluster_id` is the ARM id as ARM wrote it, `arm_endpoint` an origin without a trailing slash.
    """

    cluster_id: str
    cluster_kind: str
    resource_group: str
    cluster_name: str
    configuration_name: str
    api_version: str = "2025-04-01"
    arm_endpoint: str = "https://management.azure.com"

    @property
    def provider(self) -> str:
        return PROVIDERS.get(self.cluster_kind, PROVIDERS["managedClusters"])

    @property
    def subscription_id(self) -> str:
        """ "" where the cluster's id names none."""
        found = re.match(r"/subscriptions/([^/]+)", self.cluster_id, re.IGNORECASE)
        return found[1] if found else ""

    @property
    def resource_id(self) -> str:
        return f"{self.cluster_id}/providers/{FLUX_TYPE}/{self.configuration_name}"

    @property
    def identifier(self) -> str:
        """The configuration's name as a word of a programming language."""
        word = re.sub(r"[^A-Za-z0-9_]+", "_", self.configuration_name).strip("_")
        return word if word and not word[0].isdigit() else f"configuration_{word}".rstrip("_")

    @property
    def file_stem(self) -> str:
        """The configuration's name, fit for a file."""
        return file_stem(self.configuration_name)
