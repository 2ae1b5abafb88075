"""Connections, clusters and extensions for tests."""

from __future__ import annotations

from typing import Any

import factory
from django.utils import timezone

from clusters.models import Cluster, Connection, Extension
from clusters.secrets import encrypt

SUBSCRIPTION = "6f1c0d2e-0000-4000-8000-000000000001"
TENANT = "6f1c0d2e-0000-4000-8000-0000000000ff"
PROVIDERS = {
    "managedClusters": "Microsoft.ContainerService",
    "connectedClusters": "Microsoft.Kubernetes",
    "provisionedClusters": "Microsoft.HybridContainerService",
}


class ConnectionFactory(factory.django.DjangoModelFactory):
    """A connection to a custom cloud with a client secret; `secret` is given in the clear."""

    class Meta:
        model = Connection

    name = factory.Sequence(lambda n: f"azure-{n}")
    cloud = Connection.Cloud.CUSTOM
    arm_endpoint = "https://azure.localhost:8443"
    authority = "https://azure.localhost:8443"
    tenant_id = TENANT
    subscription_ids = [SUBSCRIPTION]
    sign_in = Connection.SignIn.SECRET
    client_id = "6f1c0d2e-0000-4000-8000-0000000000cc"

    @classmethod
    def _create(cls, model_class: type[Connection], *args: Any, **kwargs: Any) -> Connection:
        kwargs["secret_encrypted"] = encrypt(kwargs.pop("secret", ""))
        return model_class.objects.create(*args, **kwargs)


class ClusterFactory(factory.django.DjangoModelFactory):
    """An Arc cluster that is connected, in no environment unless one is given."""

    class Meta:
        model = Cluster

    connection = factory.SubFactory(ConnectionFactory)
    name = factory.Sequence(lambda n: f"cluster-{n:04}")
    kind = Cluster.Kind.CONNECTED
    subscription_id = SUBSCRIPTION
    resource_group = "fleet-rg"
    region = "westeurope"
    connectivity = "Connected"
    identity_kind = "SystemAssigned"
    observed_at = factory.LazyFunction(timezone.now)
    observed_via = "graph"
    arm_id_display = factory.LazyAttribute(
        lambda it: (
            f"/subscriptions/{it.subscription_id}/resourceGroups/{it.resource_group}"
            f"/providers/{PROVIDERS[it.kind]}/{it.kind}/{it.name}"
        )
    )
    arm_id = factory.LazyAttribute(lambda it: it.arm_id_display.lower())


class ExtensionFactory(factory.django.DjangoModelFactory):
    """Flux installed and well."""

    class Meta:
        model = Extension

    cluster = factory.SubFactory(ClusterFactory)
    name = "flux"
    version = "1.24.1"
    release_train = "Stable"
    provisioning_state = "Succeeded"
    observed_at = factory.LazyFunction(timezone.now)
    observed_via = "graph"
    arm_id = factory.LazyAttribute(
        lambda it: (
            f"{it.cluster.arm_id}/providers/microsoft.kubernetesconfiguration/extensions/{it.name}"
        )
    )
