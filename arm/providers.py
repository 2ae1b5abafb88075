"""Resource providers of a subscription."""

from __future__ import annotations

from azure.mgmt.resource.resources import ResourceManagementClient

from arm.base import Accepted, GatewayBase

CONFIGURATION = "Microsoft.KubernetesConfiguration"
AKS = "Microsoft.ContainerService"
ARC = "Microsoft.Kubernetes"

REGISTERED = "Registered"


class ProviderOperations(GatewayBase):
    def provider_state(self, subscription_id: str, namespace: str) -> str:
        """``NotRegistered``, ``Registering``, ``Registered`` or ``Unregistering``."""
        answer = self._get(
            lambda **it: self._client(ResourceManagementClient, subscription_id).providers.get(
                namespace, **it
            )
        )
        return str(answer.get("registrationState", ""))

    def register_provider(
        self, subscription_id: str, namespace: str, *, client_request_id: str
    ) -> Accepted:
        """Ask for registration; it takes minutes, see ``provider_state``."""
        return self._write(
            lambda polling, **it: self._client(
                ResourceManagementClient, subscription_id
            ).providers.register(namespace, **it),
            client_request_id=client_request_id,
        )
