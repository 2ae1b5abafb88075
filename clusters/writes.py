"""What the kinds of this app share: the door for an operation, and ARM's answers for the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from arm import Accepted, ArmError, Gateway, NotFound, Priority
from changes.errors import WriteProblem
from changes.kinds import Polled, Sent
from changes.models import Operation, Problem
from clusters.gateways import gateway_for
from clusters.models import Cluster, Connection
from clusters.problems import write_problem

_Answer = TypeVar("_Answer")


def cluster_of(operation: Operation) -> Cluster:
    """The target's cluster with its connection; raises CLUSTER_GONE when its row is no more."""
    rows = Cluster.objects.select_related("connection").filter(pk=operation.target.cluster_id)
    cluster: Cluster | None = rows.first()
    if cluster is None:
        raise WriteProblem(Problem.CLUSTER_GONE, code="ClusterGone")
    return cluster


def apply_gateway(connection: Connection) -> Gateway:
    """The gateway for an approved write; raises WriteProblem."""
    return asked(lambda: gateway_for(connection, priority=Priority.APPLY))


def asked(ask: Callable[[], _Answer]) -> _Answer:
    """What `ask` gives, with Azure's errors as WriteProblem."""
    try:
        return ask()
    except ArmError as error:
        raise write_problem(error) from error


def sent(accepted: Accepted, *, finished: bool) -> Sent:
    return Sent(
        finished=finished,
        operation_url=accepted.operation_url or "",
        retry_after=accepted.retry_after,
        correlation_id=accepted.correlation_id,
        resource=accepted.resource,
    )


def polled(gateway: Gateway, operation: Operation) -> Polled:
    """How the stored operation stands. NETWORK."""
    try:
        state = gateway.get_operation(operation.operation_url)
    except NotFound:
        return Polled(terminal=False, gone=True)
    except ArmError as error:
        raise write_problem(error) from error
    return Polled(
        terminal=state.terminal,
        succeeded=state.succeeded,
        code=state.error_code or ("" if state.succeeded else state.status),
        message=state.error_message,
        retry_after=state.retry_after,
    )
