"""What the writes of all extension resources of a cluster have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.arm.errors import ArmError, missing_registration
from simulator.arm.paths import Target
from simulator.arm.versions import CLUSTER_TYPES
from simulator.clock import wire_time_precise
from simulator.http import Document, Request
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

CONFIGURATION_NAMESPACE = "Microsoft.KubernetesConfiguration"


def cluster_of(simulator: Simulator, target: Target) -> Resource:
    """Find the cluster that a path hangs below; refuses as ARM does when it is not there."""
    parent = target.scope
    cluster = simulator.store.get(parent)
    subscription = target.subscription or ""
    if not simulator.providers.is_registered(subscription, CONFIGURATION_NAMESPACE):
        raise missing_registration(CONFIGURATION_NAMESPACE)
    if cluster is None or cluster.type not in CLUSTER_TYPES:
        raise ArmError(
            404,
            "ParentResourceNotFound",
            "Can not perform requested operation on nested resource. Parent resource "
            f"'{parent.rsplit('/', 1)[-1]}' not found.",
        )
    return cluster


def stamped(simulator: Simulator, request: Request, current: Resource | None) -> Document:
    """Return the ``systemData`` after a write by the caller."""
    now = wire_time_precise(simulator.clock.now())
    caller = request.caller
    modified = {
        "lastModifiedBy": caller.name,
        "lastModifiedByType": caller.kind,
        "lastModifiedAt": now,
    }
    if current is not None and current.document.get("systemData"):
        return {**current.document["systemData"], **modified}
    return {"createdBy": caller.name, "createdByType": caller.kind, "createdAt": now, **modified}


def write_plan(simulator: Simulator, request: Request) -> tuple[bool, Document | None]:
    """Ask the faults what shall become of this write's operation: (stuck, error to end with)."""
    return simulator.faults.operation_plan(request.method, request.path)
