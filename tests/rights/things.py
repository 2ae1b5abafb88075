"""A cluster and a configuration in the scene's environment, as a sync would have stored them."""

from __future__ import annotations

from django.utils import timezone

from clusters.models import Cluster, Connection, Extension
from configurations.models import Configuration
from tests.rights.matrix import Scene

_GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/demo"
_CLUSTER = f"{_GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-demo"
_OBSERVED = {
    "namespace": "cluster-config",
    "scope": "cluster",
    "sourceKind": "GitRepository",
    "suspend": False,
    "gitRepository": {
        "url": "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "repositoryRef": {"branch": "main"},
        "syncIntervalInSeconds": 600,
        "timeoutInSeconds": 600,
    },
    "kustomizations": {
        "infra": {
            "name": "infra",
            "path": "./infrastructure",
            "prune": True,
            "syncIntervalInSeconds": 600,
            "timeoutInSeconds": 600,
        }
    },
    "provisioningState": "Succeeded",
    "complianceState": "Compliant",
}


def cluster(scene: Scene) -> Cluster:
    """The cluster, made once a test; with its Flux extension."""
    if "cluster" not in scene.made:
        now = timezone.now()
        made = scene.made["cluster"] = Cluster.objects.create(
            connection=Connection.objects.create(name="demo"),
            arm_id=_CLUSTER.lower(),
            arm_id_display=_CLUSTER,
            name="aks-demo",
            kind=Cluster.Kind.MANAGED,
            subscription_id="11111111-1111-1111-1111-111111111111",
            resource_group="demo",
            region="westeurope",
            environment=scene.environment,
            observed_at=now,
            observed_via="get",
        )
        Extension.objects.create(
            cluster=made,
            arm_id=f"{_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/flux".lower(),
            name="flux",
            provisioning_state="Succeeded",
            observed_at=now,
            observed_via="get",
        )
    return scene.made["cluster"]


def configuration(scene: Scene, **values: object) -> Configuration:
    """A configuration of the cluster, made once a test."""
    if "configuration" not in scene.made:
        place = cluster(scene)
        arm_id = (
            f"{place.arm_id_display}/providers/Microsoft.KubernetesConfiguration"
            "/fluxConfigurations/cluster-config"
        )
        fields = {
            "arm_id": arm_id.lower(),
            "arm_id_display": arm_id,
            "name": "cluster-config",
            "observed": _OBSERVED,
            "observed_at": timezone.now(),
            "observed_via": "get",
            "read_at": timezone.now(),
            "namespace": "cluster-config",
            "scope": "cluster",
            "source_kind": "GitRepository",
            "compliance": "Compliant",
            "provisioning_state": "Succeeded",
            **values,
        }
        scene.made["configuration"] = Configuration.objects.create(cluster=place, **fields)
    return scene.made["configuration"]
