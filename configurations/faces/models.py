"""What a face is made from and what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
        word = re.sub(r"[^A-Za-z0-9._-]+", "-", self.configuration_name).strip(".-")
        return word or "configuration"


@dataclass(frozen=True)
class Face:
    """The same specification in one tool's words.

    `text` is "" where the tool cannot express this kind of source or cluster at all. `language`
    names the grammar (json, bicep, hcl, shell, yaml). `notes` are translated sentences about what
    this face leaves out or says in another way.
    """

    code: str
    label: str
    language: str
    text: str
    file_name: str
    notes: tuple[str, ...] = ()
