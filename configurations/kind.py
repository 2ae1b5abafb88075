"""The kind of reviewed write that this app gives to the engine: one Flux configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from arm import Gateway
from arm.errors import ArmError, NotFound
from arm.throttle import Priority
from changes.content import secret_versions_in, targets_of
from changes.errors import WriteProblem
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation, Problem
from clusters.gateways import gateway_for
from clusters.models import Cluster
from clusters.problems import write_problem
from configurations import aftermath
from configurations.blast import facts_of
from configurations.models import Configuration
from configurations.risks import risks_of
from configurations.specification.wire import equal_to_desired, live_digest, merged

NAME = "flux_configuration"


def wanted_properties(step: Step) -> dict[str, Any] | None:
    """What the properties are to be when the step is done; None for a delete."""
    if step.body is None:
        return None
    properties: dict[str, Any] = step.body.get("properties") or {}
    if step.method == "PATCH":
        return merged(properties_of(step.base), properties)
    return properties


def properties_of(resource: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict((resource or {}).get("properties") or {})


class FluxConfigurationKind:
    """PUT (or PATCH where Azure may hold secrets we do not know) and DELETE of one resource."""

    name = NAME

    def label(self) -> str:
        return _("Flux configuration")

    def risks(self, change: Change) -> Sequence[Risk]:
        return risks_of(change)

    def facts(self, change: Change) -> Sequence[Fact]:
        return facts_of(change)

    def target_url(self, change: Change, position: int) -> str:
        target = targets_of(change.content)[position]
        found = Configuration.objects.filter(arm_id=target.resource_id).values_list("pk", flat=True)
        pk = found.first()
        return reverse("configurations:detail", args=[pk]) if pk else ""

    def read(self, operation: Operation, step: Step) -> Live:
        gateway = _gateway(operation)
        try:
            resource = gateway.get_configuration(step.resource_id)
        except NotFound:
            return Live(resource=None, digest="")
        except ArmError as error:
            raise write_problem(error) from error
        return Live(resource=resource, digest=live_digest(properties_of(resource)))

    def is_desired(self, step: Step, live: Live) -> bool:
        wanted = wanted_properties(step)
        if wanted is None:
            return live.resource is None
        # A secret cannot be read back, so a body that carries one is never known to be there.
        if live.resource is None or secret_versions_in([_alone(step)]):
            return False
        return equal_to_desired(wanted, properties_of(live.resource))

    def settled(self, step: Step, live: Live) -> Polled:
        properties = properties_of(live.resource)
        state = str(properties.get("provisioningState") or "Succeeded")
        if step.method == "DELETE":
            # Still there and at rest: the delete did not happen.
            resting = state in {"Succeeded", "Failed", "Canceled"}
            message = str(properties.get("errorMessage") or "") or _("The resource still exists.")
            return Polled(terminal=resting, succeeded=False, code=state, message=message)
        if state in {"Failed", "Canceled"}:
            message = str(properties.get("errorMessage") or "")
            return Polled(terminal=True, succeeded=False, code=state, message=message)
        return Polled(terminal=state == "Succeeded", succeeded=state == "Succeeded", code=state)

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        gateway = _gateway(operation)
        try:
            match step.method:
                case "PUT":
                    accepted = gateway.put_configuration(
                        step.resource_id, step.body or {}, client_request_id=client_request_id
                    )
                case "PATCH":
                    accepted = gateway.patch_configuration(
                        step.resource_id, step.body or {}, client_request_id=client_request_id
                    )
                case _:
                    accepted = gateway.delete_configuration(
                        step.resource_id,
                        force=bool(step.options.get("force")),
                        client_request_id=client_request_id,
                    )
        except ArmError as error:
            raise write_problem(error) from error
        return Sent(
            finished=_is_finished(step, accepted.operation_url, accepted.resource),
            operation_url=accepted.operation_url or "",
            retry_after=accepted.retry_after,
            correlation_id=accepted.correlation_id,
            resource=accepted.resource,
        )

    def poll(self, operation: Operation) -> Polled:
        try:
            state = _gateway(operation).get_operation(operation.operation_url)
        except NotFound:
            return Polled(terminal=False, gone=True)
        except ArmError as error:
            raise write_problem(error) from error
        return Polled(
            terminal=state.terminal,
            succeeded=state.succeeded,
            code=state.error_code or state.status,
            message=state.error_message,
            retry_after=state.retry_after,
        )

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        aftermath.write_accepted(operation=operation, step=step, wanted=wanted_properties(step))

    def finished(self, operation: Operation, step: Step) -> None:
        aftermath.write_finished(operation=operation, step=step)


def _is_finished(step: Step, operation_url: str | None, resource: dict[str, Any] | None) -> bool:
    """Whether nothing remains to be asked: no operation, and the resource rests (or is gone)."""
    if operation_url:
        return False
    if step.method == "DELETE":
        return True
    return properties_of(resource).get("provisioningState") in {"Succeeded"}


def _alone(step: Step) -> Target:
    return Target(
        name="",
        resource_id=step.resource_id,
        cluster_id=None,
        configuration_id=None,
        environment_id=None,
        steps=(step,),
    )


def _gateway(operation: Operation) -> Gateway:
    """The door to Azure of the target's cluster; CLUSTER_GONE when its row is no more."""
    cluster = (
        Cluster.objects.select_related("connection").filter(pk=operation.target.cluster_id).first()
    )
    if cluster is None:
        raise WriteProblem(Problem.CLUSTER_GONE, code="ClusterGone")
    return gateway_for(cluster.connection, priority=Priority.APPLY)
