"""The documents of subscriptions, groups, clusters and identities."""

from __future__ import annotations

import hashlib
import uuid

from simulator.http import Document
from simulator.store import Resource

KUBERNETES_VERSION = "1.33.5"


def stable_uuid(*parts: str) -> str:
    """A UUID that is the same for the same parts."""
    digest = hashlib.sha256("/".join(parts).lower().encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def subscription(identifier: str, name: str, tenant_id: str) -> Resource:
    return Resource(
        {
            "id": f"/subscriptions/{identifier}",
            "name": identifier,
            "type": "subscriptions",
            "properties": {"displayName": name, "tenantId": tenant_id},
        }
    )


def group(subscription_id: str, name: str, location: str, tags: Document) -> Resource:
    return Resource(
        {
            "id": f"/subscriptions/{subscription_id}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "tags": tags,
            "properties": {"provisioningState": "Succeeded"},
        }
    )


def managed_cluster(
    group_id: str,
    name: str,
    location: str,
    tags: Document,
    *,
    tenant_id: str,
    managed_identity: bool = True,
    private: Document | None = None,
) -> Resource:
    """An AKS cluster. Its provider writes ``resourcegroups`` in lower case, as AKS does."""
    subscription_id, group_name = group_id.split("/")[2], group_id.split("/")[4]
    document: Document = {
        "id": f"/subscriptions/{subscription_id}/resourcegroups/{group_name}"
        f"/providers/Microsoft.ContainerService/managedClusters/{name}",
        "name": name,
        "type": "Microsoft.ContainerService/managedClusters",
        "location": location,
        "tags": tags,
        "sku": {"name": "Base", "tier": "Free"},
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": KUBERNETES_VERSION,
            "currentKubernetesVersion": KUBERNETES_VERSION,
            "dnsPrefix": name,
            "fqdn": f"{name}.hcp.{location}.azmk8s.io",
            "nodeResourceGroup": f"MC_{group_name}_{name}_{location}",
            "enableRBAC": True,
            "agentPoolProfiles": [
                {
                    "name": "nodepool1",
                    "count": 3,
                    "vmSize": "Standard_D2s_v5",
                    "mode": "System",
                    "provisioningState": "Succeeded",
                    "osType": "Linux",
                }
            ],
            "servicePrincipalProfile": {
                "clientId": "msi" if managed_identity else stable_uuid(group_id, name, "spn")
            },
            "oidcIssuerProfile": {
                "enabled": True,
                "issuerURL": f"https://{location}.oic.prod-aks.azure.com/{tenant_id}/"
                f"{stable_uuid(group_id, name)}/",
            },
            "securityProfile": {"workloadIdentity": {"enabled": True}},
            "identityProfile": {
                "kubeletidentity": {"clientId": stable_uuid(group_id, name, "kubelet")}
            },
        },
    }
    if managed_identity:
        document["identity"] = {
            "type": "SystemAssigned",
            "principalId": stable_uuid(group_id, name, "principal"),
            "tenantId": tenant_id,
        }
    return Resource(document, {}, private or {})


def connected_cluster(
    group_id: str,
    name: str,
    location: str,
    tags: Document,
    *,
    tenant_id: str,
    now: str,
    status: str = "Connected",
    private: Document | None = None,
) -> Resource:
    return Resource(
        {
            "id": f"{group_id}/providers/Microsoft.Kubernetes/connectedClusters/{name}",
            "name": name,
            "type": "Microsoft.Kubernetes/connectedClusters",
            "location": location,
            "tags": tags,
            "identity": {
                "type": "SystemAssigned",
                "principalId": stable_uuid(group_id, name, "principal"),
                "tenantId": tenant_id,
            },
            "properties": {
                "provisioningState": "Succeeded",
                "connectivityStatus": status,
                "lastConnectivityTime": now,
                "managedIdentityCertificateExpirationTime": "2099-01-01T00:00:00Z",
                "agentPublicKeyCertificate": "",
                "agentVersion": "1.29.3",
                "kubernetesVersion": KUBERNETES_VERSION,
                "distribution": "k3s",
                "infrastructure": "generic",
                "totalNodeCount": 3,
                "totalCoreCount": 12,
                "oidcIssuerProfile": {
                    "enabled": True,
                    "issuerUrl": f"https://{location}.oic.prod-arc.azure.com/{tenant_id}/"
                    f"{stable_uuid(group_id, name)}/",
                },
                "securityProfile": {"workloadIdentity": {"enabled": True}},
            },
        },
        {},
        private or {},
    )


def user_identity(group_id: str, name: str, location: str, tenant_id: str) -> Resource:
    return Resource(
        {
            "id": f"{group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
            "name": name,
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": location,
            "tags": {},
            "properties": {
                "tenantId": tenant_id,
                "principalId": stable_uuid(group_id, name, "principal"),
                "clientId": stable_uuid(group_id, name, "client"),
            },
        }
    )
