"""The kind of reviewed write that registers a resource provider in a subscription."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _

import arm
from changes.content import digest_of, step_at
from changes.errors import WriteProblem
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation, Problem
from clusters.gateways import gateway_for
from clusters.models import Connection
from clusters.problems import write_problem

KIND = "provider_registration"
NAMESPACES = (
    "Microsoft.KubernetesConfiguration",
    "Microsoft.Kubernetes",
    "Microsoft.ContainerService",
)
API_VERSION = "2025-04-01"


def registration_target(connection: Connection, subscription_id: str, namespace: str) -> Target:
    """The target that registers `namespace`; its base is "not registered"."""
    resource_id = f"/subscriptions/{subscription_id}/providers/{namespace}".lower()
    step = Step(
        kind=KIND,
        verb=Change.Verb.REGISTER,
        resource_id=resource_id,
        resource_name=namespace,
        method="POST",
        api_version=API_VERSION,
        body={"registrationState": "Registered"},
        base={"registrationState": "NotRegistered"},
        base_digest=digest_of({"registrationState": "NotRegistered"}),
        options={"connection_id": connection.pk, "subscription_id": subscription_id},
    )
    return Target(
        name=namespace,
        resource_id=resource_id,
        cluster_id=None,
        configuration_id=None,
        environment_id=None,
        steps=(step,),
    )


class ProviderRegistrationKind:
    """POST …/register; Azure takes up to ten minutes, the state is asked until then."""

    name = KIND

    def label(self) -> str:
        return _("Resource provider registration")

    def risks(self, change: Change) -> Sequence[Risk]:
        text = _("It holds for the whole subscription and cannot be taken back here")
        return [Risk(code="whole_subscription", text=text)]

    def facts(self, change: Change) -> Sequence[Fact]:
        return [Fact(value="10 min", text=_("at the most, says Azure"))]

    def target_url(self, change: Change, position: int) -> str:
        return reverse("clusters:connections")

    def read(self, operation: Operation, step: Step) -> Live:
        try:
            state = _gateway(step).provider_state(
                step.options["subscription_id"], step.resource_name
            )
        except arm.ArmError as error:
            raise write_problem(error) from error
        # What is on its way back to "not registered" is so as far as a registration goes.
        base = {"registrationState": "NotRegistered" if state == "Unregistering" else state}
        return Live(resource={"registrationState": state}, digest=digest_of(base))

    def is_desired(self, step: Step, live: Live) -> bool:
        return (live.resource or {}).get("registrationState") == "Registered"

    def settled(self, step: Step, live: Live) -> Polled:
        state = str((live.resource or {}).get("registrationState"))
        registered = state == "Registered"
        return Polled(terminal=registered, succeeded=registered, code=state, retry_after=5.0)

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        try:
            accepted = _gateway(step).register_provider(
                step.options["subscription_id"],
                step.resource_name,
                client_request_id=client_request_id,
            )
        except arm.ArmError as error:
            raise write_problem(error) from error
        return Sent(finished=False, correlation_id=accepted.correlation_id)

    def poll(self, operation: Operation) -> Polled:
        step = step_at(operation.change.content, operation.target.position, operation.sequence)
        return self.settled(step, self.read(operation, step))

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """Nothing of ours shows it but the operation itself."""

    def finished(self, operation: Operation, step: Step) -> None:
        """The next test of the connection shows it."""


def _gateway(step: Step) -> arm.Gateway:
    connection = Connection.objects.filter(pk=step.options["connection_id"]).first()
    if connection is None:
        raise WriteProblem(Problem.WRONG_CONNECTION, code="ConnectionRemoved")
    return gateway_for(connection, priority=arm.Priority.APPLY)
