"""The door to Azure for a cluster of ours."""

from __future__ import annotations

from arm import ArmError, Gateway
from arm.throttle import Priority
from changes.errors import WriteProblem
from clusters.models import Cluster


def gateway_of(cluster: Cluster, priority: Priority) -> Gateway:
    """A gateway that signs in as the cluster's connection says."""
    from clusters.gateways import gateway_for

    return gateway_for(cluster.connection, priority=priority)


def write_problem(error: ArmError) -> WriteProblem:
    """What the engine has to know of an error of Azure's."""
    from clusters.problems import write_problem

    return write_problem(error)
