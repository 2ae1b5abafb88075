"""Subscriptions and the clusters in them."""

from __future__ import annotations

import base64
from typing import Any

from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

from arm.account import AKS_API, ARC_API
from arm.base import GatewayBase, as_object, encode
from arm.errors import NotFound, Permanent, ProviderNotRegistered, unanswered
from arm.ids import ClusterId

# The server application of AKS, the same in every tenant and cloud.
AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_PROVISIONED = "Microsoft.HybridContainerService/provisionedClusters"
_PROVISIONED_API = "2022-09-01-preview"
_UNKNOWN_KIND = {"InvalidResourceType", "InvalidResourceNamespace"}


class ClusterOperations(GatewayBase):
    def list_subscriptions(self) -> list[dict[str, Any]]:
        """Every subscription that the signed-in principal sees in its tenant."""
        return self._list(lambda **it: self._client(SubscriptionClient).subscriptions.list(**it))

    def list_clusters(self, subscription_id: str) -> list[dict[str, Any]]:
        """AKS, Arc-connected and provisioned clusters of a subscription, as ARM describes each.

        A kind whose provider is not registered or not known there counts as having none; any other
        failure is raised, so that an incomplete list is never taken for a complete one.
        Provisioned clusters come from the general list of resources, without ``properties``.
        """
        return [
            *self._list_or_none(
                lambda **it: self._aks(subscription_id).managed_clusters.list(**it)
            ),
            *self._list_or_none(
                lambda **it: self._arc(subscription_id).connected_cluster.list_by_subscription(**it)
            ),
            *self._list_or_none(
                lambda **it: self._client(ResourceManagementClient, subscription_id).resources.list(
                    filter=f"resourceType eq '{_PROVISIONED}'", **it
                )
            ),
        ]

    def get_cluster(self, cluster_id: str) -> dict[str, Any]:
        """One cluster. Raises ``NotFound`` when there is none."""
        cluster = ClusterId.parse(cluster_id)
        where = cluster.resource_group, cluster.name
        if cluster.cluster_type == "managedClusters":
            return self._get(
                lambda **it: self._aks(cluster.subscription_id).managed_clusters.get(*where, **it)
            )
        if cluster.cluster_type == "connectedClusters":
            return self._get(
                lambda **it: self._arc(cluster.subscription_id).connected_cluster.get(*where, **it)
            )
        url = f"{self.account.cloud.arm_endpoint}{cluster}?api-version={_PROVISIONED_API}"
        return as_object(self._send("GET", url))

    def cluster_user_credential(self, cluster_id: str) -> bytes:
        """The kubeconfig (YAML) with which a user of the cluster may reach its Kubernetes API."""
        cluster = ClusterId.parse(cluster_id)
        where = cluster.resource_group, cluster.name
        if cluster.cluster_type == "managedClusters":
            answer = self._get(
                lambda **it: self._aks(
                    cluster.subscription_id
                ).managed_clusters.list_cluster_user_credentials(*where, **it)
            )
        elif cluster.cluster_type == "connectedClusters":
            body = encode({"authenticationMethod": "AAD", "clientProxy": False})
            answer = self._get(
                lambda **it: self._arc(
                    cluster.subscription_id
                ).connected_cluster.list_cluster_user_credential(*where, body, **it)
            )
        else:
            raise Permanent("NotSupported", f"{cluster.cluster_type} give no user credential.")
        for kubeconfig in answer.get("kubeconfigs") or []:
            return base64.b64decode(kubeconfig.get("value") or "")
        raise unanswered("InvalidResponse", "The answer holds no kubeconfig.", writing=False)

    def kubernetes_token(self) -> str:
        """A token of this account's for the API server of an AKS cluster with Entra ID."""
        return self._token_for(f"{AKS_SERVER_APPLICATION}/.default")

    def _list_or_none(self, operation: Any) -> list[dict[str, Any]]:
        try:
            return self._list(operation)
        except ProviderNotRegistered:
            return []
        except NotFound as error:
            if error.code in _UNKNOWN_KIND:
                return []
            raise

    def _aks(self, subscription_id: str) -> Any:
        version = AKS_API[self.account.flux_api_version]
        return self._client(ContainerServiceClient, subscription_id, api_version=version)

    def _arc(self, subscription_id: str) -> Any:
        version = ARC_API[self.account.flux_api_version]
        return self._client(ConnectedKubernetesClient, subscription_id, api_version=version)
