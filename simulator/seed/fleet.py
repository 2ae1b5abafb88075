"""A fleet of any size, for measurements: clusters over subscriptions, groups and regions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from simulator import synthetic
from simulator.arm import shapes
from simulator.arm.schema import fill
from simulator.clock import wire_time_precise
from simulator.http import Document
from simulator.seed import resources
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

_CLUSTERS_A_SUBSCRIPTION = 500
_CLUSTERS_A_GROUP = 50
_REGIONS = ("eastus", "westeurope", "northeurope", "southeastasia", "uksouth")
_ENVIRONMENTS = ("production", "production", "staging", "development")
_TEAMS = ("payments", "checkout", "search", "platform", "data")
_NAMES = ("platform", "apps", "observability", "policies", "ingress", "data")
_PRIVATE = {"agent": "synthetic"}


def plant_fleet(simulator: Simulator, *, clusters: int, configurations: int) -> None:
    """Make ``clusters`` clusters with the extension and ``configurations`` configurations each."""
    tenant = simulator.identity.tenant_id
    store = simulator.store
    subscription_id = group_id = ""
    for number in range(clusters):
        if number % _CLUSTERS_A_SUBSCRIPTION == 0:
            order = number // _CLUSTERS_A_SUBSCRIPTION
            subscription_id = resources.stable_uuid(tenant, "fleet", str(order))
            name = f"Fleet {order + 1:02}"
            store.put(resources.subscription(subscription_id, name, tenant))
        if number % _CLUSTERS_A_GROUP == 0:
            order = number // _CLUSTERS_A_GROUP
            region = _REGIONS[order % len(_REGIONS)]
            group = resources.group(subscription_id, f"rg-{region}-{order:03}", region, {})
            group_id = store.put(group).id
        cluster = store.put(_cluster(simulator, number, group_id))
        if cluster.properties.get("connectivityStatus") == "Offline":
            simulator.agents.set_online(cluster, False)
        store.put(_extension(simulator, cluster))
        for order in range(configurations):
            store.put(_configuration(simulator, cluster, order))


def _cluster(simulator: Simulator, number: int, group_id: str) -> Resource:
    region = _REGIONS[(number // _CLUSTERS_A_GROUP) % len(_REGIONS)]
    tenant = simulator.identity.tenant_id
    tags = {
        "environment": _ENVIRONMENTS[number % len(_ENVIRONMENTS)],
        "team": _TEAMS[number % len(_TEAMS)],
    }
    if number % 3 == 0:
        status = "Offline" if number % 60 == 0 and number else "Connected"
        return resources.connected_cluster(
            group_id,
            f"arc-{region}-{number:05}",
            region,
            tags,
            tenant_id=tenant,
            now=wire_time_precise(simulator.clock.now() - timedelta(minutes=2)),
            status=status,
            private=_PRIVATE,
        )
    return resources.managed_cluster(
        group_id, f"aks-{region}-{number:05}", region, tags, tenant_id=tenant, private=_PRIVATE
    )


def _system_data(simulator: Simulator) -> Document:
    now = wire_time_precise(simulator.clock.now() - timedelta(days=30))
    portal = simulator.identity.portal.client_id
    return {
        "createdBy": portal,
        "createdByType": "Application",
        "createdAt": now,
        "lastModifiedBy": portal,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }


def _extension(simulator: Simulator, cluster: Resource) -> Resource:
    filled = fill(shapes.EXTENSION, {"extensionType": "microsoft.flux", "version": "1.24.1"})
    filled["configurationProtectedSettings"] = {}
    document = {
        "id": f"{cluster.id}/providers/Microsoft.KubernetesConfiguration/extensions/flux",
        "name": "flux",
        "type": "Microsoft.KubernetesConfiguration/extensions",
        "systemData": _system_data(simulator),
        "properties": {
            **filled,
            "scope": {"cluster": {"releaseNamespace": "flux-system"}, "namespace": None},
            "currentVersion": "1.24.1",
            "statuses": [],
            "errorInfo": None,
            "isSystemExtension": False,
            "provisioningState": "Succeeded",
        },
    }
    return Resource(document, {}, {"target_version": "1.24.1", **_PRIVATE})


def _configuration(simulator: Simulator, cluster: Resource, order: int) -> Resource:
    base = _NAMES[order % len(_NAMES)]
    name = base if order < len(_NAMES) else f"{base}-{order // len(_NAMES) + 1}"
    state = synthetic.compliance_of(f"{cluster.name}/{name}")
    environment = cluster.document["tags"]["environment"]
    properties = fill(
        shapes.FLUX_CONFIGURATION,
        {
            "namespace": name,
            "suspend": state == "Suspended",
            "gitRepository": {
                "url": f"https://github.com/contoso/{cluster.document['tags']['team']}-gitops",
                "repositoryRef": {"branch": "main"},
            },
            "kustomizations": {
                "infra": {"path": "./infrastructure", "prune": True},
                "apps": {"path": f"./apps/{environment}", "prune": True, "dependsOn": ["infra"]},
            },
        },
    )
    for key, kustomization in properties["kustomizations"].items():
        kustomization["name"] = key
    properties["configurationProtectedSettings"] = {}
    seen = synthetic.observed(
        name=name,
        properties=properties,
        state=state,
        commit=synthetic.commit_of(str(cluster.document["tags"]["team"])),
        now=simulator.clock.now(),
    )
    document = {
        "id": f"{cluster.id}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/{name}",
        "name": name,
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "systemData": _system_data(simulator),
        "properties": {**properties, **seen, "provisioningState": "Succeeded"},
    }
    return Resource(document, {}, _PRIVATE)
