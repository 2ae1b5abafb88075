"""The tutorial's world: one subscription, one group, an Arc and an AKS cluster, nothing on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.clock import wire_time_precise
from simulator.seed import resources

if TYPE_CHECKING:
    from simulator.core import Simulator

GROUP = "flux-demo-rg"
LOCATION = "eastus"


def plant_tutorial(simulator: Simulator) -> None:
    tenant = simulator.identity.tenant_id
    subscription_id = resources.stable_uuid(tenant, "tutorial")
    store = simulator.store
    store.put(resources.subscription(subscription_id, "Fluxgate demo", tenant))
    group = store.put(resources.group(subscription_id, GROUP, LOCATION, {}))
    store.put(
        resources.connected_cluster(
            group.id,
            "flux-demo-arc",
            LOCATION,
            {"environment": "demo"},
            tenant_id=tenant,
            now=wire_time_precise(simulator.clock.now()),
        )
    )
    store.put(
        resources.managed_cluster(
            group.id, "flux-demo-aks", LOCATION, {"environment": "staging"}, tenant_id=tenant
        )
    )
    store.put(resources.user_identity(group.id, "flux-demo-identity", LOCATION, tenant))
