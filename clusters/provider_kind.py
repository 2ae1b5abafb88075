"""The kind of reviewed write that registers a resource provider in a subscription.

The SDK would do it silently and wait for minutes; here it is asked for, approved and polled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import User
from arm.checks import REQUIRED_PROVIDERS
from arm.providers import REGISTERED
from changes.content import digest_of, targets_of
from changes.errors import WriteProblem
from changes.faces import Face
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation, Problem
from changes.services import change_submit
from clusters import faces
from clusters.gateways import extension_api
from clusters.models import Cluster, Connection
from clusters.prerequisites.readings import subscription_ask
from clusters.sync import sync_soon
from clusters.writes import apply_gateway, asked, polled, sent
from live.services import bump

NAME = "provider_registration"
REGISTERING = "Registering"


def register_propose(
    *, author: User, connection: Connection, subscription_id: str, namespace: str, reason: str
) -> Change:
    """Ask for a review of the registration; raises changes.errors.ChangeRefused.

    It belongs to no environment, so that only roles held everywhere can ask for and approve it.
    """
    if namespace not in REQUIRED_PROVIDERS:
        raise ValueError(f"{namespace} is not a provider that the portal needs.")
    resource_id = f"/subscriptions/{subscription_id}/providers/{namespace}".lower()
    step = Step(
        kind=NAME,
        verb=Change.Verb.REGISTER,
        resource_id=resource_id,
        resource_name=namespace,
        method="POST",
        api_version=extension_api(connection),
        body={},
        base=None,
        base_digest="",
        options={
            "connection_id": connection.pk,
            "subscription_id": subscription_id.lower(),
            "namespace": namespace,
        },
    )
    target = Target(
        name=subscription_id,
        resource_id=resource_id,
        cluster_id=None,
        configuration_id=None,
        environment_id=None,
        steps=(step,),
    )
    return change_submit(
        author=author,
        kind=NAME,
        verb=Change.Verb.REGISTER,
        title=_("Register %(namespace)s") % {"namespace": namespace},
        reason=reason,
        targets=[target],
    )


class ProviderRegistrationKind:
    """POST …/providers/{namespace}/register."""

    name = NAME

    def label(self) -> str:
        return _("Resource provider")

    def risks(self, change: Change) -> Sequence[Risk]:
        return [
            Risk(
                code="subscription_wide",
                text=_("It holds for the whole subscription, and takes up to 10 minutes"),
                tone="warn",
                icon="clock",
            )
        ]

    def facts(self, change: Change) -> Sequence[Fact]:
        subscriptions = {
            target.steps[0].options["subscription_id"] for target in targets_of(change.content)
        }
        clusters = Cluster.objects.filter(subscription_id__in=subscriptions, gone_at=None).count()
        return [
            Fact(value=str(len(subscriptions)), text=_("subscription")),
            Fact(value=str(clusters), text=ngettext("cluster in it", "clusters in it", clusters)),
        ]

    def target_url(self, change: Change, position: int) -> str:
        connection_id = targets_of(change.content)[position].steps[0].options["connection_id"]
        return reverse("clusters:connection", args=[connection_id])

    def faces(self, target: Target) -> Mapping[int, Sequence[Face]]:
        options = target.steps[0].options
        connection = Connection.objects.filter(pk=options.get("connection_id") or 0).first()
        return {
            place: faces.provider_faces(step, connection)
            for place, step in enumerate(target.steps)
            if step.kind == NAME and connection is not None
        }

    def read(self, operation: Operation, step: Step) -> Live:
        gateway = apply_gateway(_connection(step))
        state = asked(
            lambda: gateway.provider_state(
                step.options["subscription_id"], step.options["namespace"]
            )
        )
        if state not in {REGISTERED, REGISTERING}:
            return Live(resource=None, digest="")
        resource = {"namespace": step.options["namespace"], "registrationState": state}
        return Live(resource=resource, digest=digest_of(resource))

    def is_desired(self, step: Step, live: Live) -> bool:
        return live.resource is not None

    def settled(self, step: Step, live: Live) -> Polled:
        state = str((live.resource or {}).get("registrationState", ""))
        return Polled(terminal=state == REGISTERED, succeeded=state == REGISTERED, code=state)

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        gateway = apply_gateway(_connection(step))
        accepted = asked(
            lambda: gateway.register_provider(
                step.options["subscription_id"],
                step.options["namespace"],
                client_request_id=client_request_id,
            )
        )
        state = str((accepted.resource or {}).get("registrationState", ""))
        return sent(accepted, finished=state == REGISTERED)

    def poll(self, operation: Operation) -> Polled:
        return polled(apply_gateway(_connection(_step_of(operation))), operation)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """Pages of the prerequisites follow the registration from here on."""
        subscription_ask(
            connection_id=step.options["connection_id"],
            subscription_id=step.options["subscription_id"],
        )
        bump("connections")

    def finished(self, operation: Operation, step: Step) -> None:
        """What failed for want of the provider can work now."""
        subscription_ask(
            connection_id=step.options["connection_id"],
            subscription_id=step.options["subscription_id"],
        )
        sync_soon(step.options["connection_id"], sweep=True)
        bump("connections")


def _step_of(operation: Operation) -> Step:
    target = targets_of(operation.change.content)[operation.target.position]
    return target.steps[operation.sequence]


def _connection(step: Step) -> Connection:
    found: Connection | None = Connection.objects.filter(pk=step.options["connection_id"]).first()
    if found is None:
        raise WriteProblem(Problem.WRONG_CONNECTION, code="ConnectionGone")
    return found
