"""Resource providers of a subscription."""

from __future__ import annotations

from dataclasses import dataclass

from azure.mgmt.resource.resources import ResourceManagementClient

from arm.base import Accepted, GatewayBase

CONFIGURATION = "Microsoft.KubernetesConfiguration"
AKS = "Microsoft.ContainerService"
ARC = "Microsoft.Kubernetes"

REGISTERED = "Registered"


@dataclass(frozen=True)
class Provider:
    """``locations``: resource type -> regions (both lower case, "westeurope") where it exists."""

    namespace: str
    state: str
    locations: dict[str, list[str]]


class ProviderOperations(GatewayBase):
    def provider_state(self, subscription_id: str, namespace: str) -> str:
        """``NotRegistered``, ``Registering``, ``Registered`` or ``Unregistering``."""
        return self.provider(subscription_id, namespace).state

    def provider(self, subscription_id: str, namespace: str) -> Provider:
        """Its registration in a subscription, and the regions that it offers each type in."""
        answer = self._get(
            lambda **it: self._client(ResourceManagementClient, subscription_id).providers.get(
                namespace, **it
            )
        )
        return Provider(
            namespace=namespace,
            state=str(answer.get("registrationState", "")),
            locations={
                str(it.get("resourceType", "")).lower(): sorted(
                    str(place).lower().replace(" ", "") for place in it.get("locations") or ()
                )
                for it in answer.get("resourceTypes") or ()
            },
        )

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
