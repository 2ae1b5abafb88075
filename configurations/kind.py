"""The kind of reviewed write that this app gives to the engine: one Flux configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from arm import Accepted, ArmError, NotFound
from changes.content import secret_versions_in, targets_of
from changes.faces import Face
from changes.kinds import Evidence, Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation
from clusters.faces import cluster_of as cluster_for_faces
from clusters.problems import write_problem
from clusters.writes import apply_gateway, asked, cluster_of, polled, sent
from configurations import aftermath
from configurations.blast import facts_of
from configurations.faces.writes import faces_of_write
from configurations.models import Configuration
from configurations.risks import own_step, risks_of, worst_first
from configurations.secrets import filled_in
from configurations.source_checks.showing import change_evidence, change_risks
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
        return worst_first([*risks_of(change), *change_risks(change)])

    def facts(self, change: Change) -> Sequence[Fact]:
        return facts_of(change)

    def evidence(self, change: Change) -> Sequence[Evidence]:
        return change_evidence(change)

    def target_url(self, change: Change, position: int) -> str:
        target = targets_of(change.content)[position]
        found = Configuration.objects.filter(arm_id=target.resource_id).values_list("pk", flat=True)
        pk = found.first()
        return reverse("configurations:detail", args=[pk]) if pk else ""

    def revise_url(self, change: Change) -> str:
        """The wizard reopens one target's properties; other changes are withdrawn instead."""
        editable = change.verb in {Change.Verb.CREATE, Change.Verb.UPDATE}
        if not editable or len(change.content["targets"]) != 1:
            return ""
        return reverse("configurations:revise", args=[change.pk])

    def moved_targets(self, change: Change) -> Sequence[int]:
        """Judged by what the last sync observed: no call to Azure."""
        targets = targets_of(change.content)
        observed = {
            configuration.arm_id: live_digest(configuration.observed)
            for configuration in Configuration.objects.filter(
                arm_id__in=[target.resource_id for target in targets], gone_at=None
            ).only("arm_id", "observed")
            if configuration.observed
        }
        return [
            position
            for position, target in enumerate(targets)
            if (step := own_step(target)) is not None
            and step.resource_id in observed
            and observed[step.resource_id] != step.base_digest
        ]

    def faces(self, target: Target) -> Mapping[int, Sequence[Face]]:
        cluster = cluster_for_faces(target)
        return {
            place: faces_of_write(step, wanted_properties(step), cluster)
            for place, step in enumerate(target.steps)
            if step.kind == NAME and cluster is not None
        }

    def read(self, operation: Operation, step: Step) -> Live:
        gateway = apply_gateway(cluster_of(operation).connection)
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
        gateway = apply_gateway(cluster_of(operation).connection)
        given: dict[str, Any] = {"client_request_id": client_request_id}
        body = filled_in(step.body or {})

        def write() -> Accepted:
            if step.method == "DELETE":
                force = bool(step.options.get("force"))
                return gateway.delete_configuration(step.resource_id, force=force, **given)
            if step.method == "PATCH":
                return gateway.patch_configuration(step.resource_id, body, **given)
            return gateway.put_configuration(step.resource_id, body, **given)

        accepted = asked(write)
        return sent(accepted, finished=_is_finished(step, accepted))

    def poll(self, operation: Operation) -> Polled:
        gateway = apply_gateway(cluster_of(operation).connection)
        answer = polled(gateway, operation)
        if operation.verb != Change.Verb.DELETE or not answer.succeeded:
            return answer
        # What follows in the same target (the extension's delete) relies on it being gone.
        try:
            gateway.get_configuration(operation.resource_id)
        except NotFound:
            return answer
        except ArmError as error:
            raise write_problem(error) from error
        return Polled(terminal=False, retry_after=answer.retry_after)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        aftermath.write_accepted(operation=operation, step=step, wanted=wanted_properties(step))

    def finished(self, operation: Operation, step: Step) -> None:
        aftermath.write_finished(operation=operation, step=step)


def _is_finished(step: Step, accepted: Accepted) -> bool:
    """Whether nothing remains to be asked: no operation, and the resource rests (or is gone)."""
    if accepted.operation_url:
        return False
    resting = properties_of(accepted.resource).get("provisioningState") == "Succeeded"
    return step.method == "DELETE" or resting


def _alone(step: Step) -> Target:
    return Target(
        name="",
        resource_id=step.resource_id,
        cluster_id=None,
        configuration_id=None,
        environment_id=None,
        steps=(step,),
    )
