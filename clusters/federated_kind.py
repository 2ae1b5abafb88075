"""The kind of reviewed write on a federated credential of a user-assigned identity.

A credential lets pods of one service account on one cluster sign in as the identity. Azure takes
one write at a time for an identity, so all of an identity's share a lane. Who asks for these is
clusters/federated_changes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from arm import Accepted, NotFound
from changes.content import digest_of, targets_of
from changes.faces import Face
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation
from clusters import faces
from clusters.extension_risks import risks_of as extension_risks
from clusters.federated import identity_of
from clusters.identity_readings import identity_reading_ask
from clusters.models import Cluster, IdentityReading
from clusters.writes import apply_gateway, asked, cluster_of, sent
from live.services import bump

NAME = "federated_credential"


def trust_digest(properties: Mapping[str, Any] | None) -> str:
    """The digest of what a credential trusts; "" where there is none."""
    if properties is None:
        return ""
    return digest_of(
        {
            "issuer": str(properties.get("issuer") or ""),
            "subject": str(properties.get("subject") or ""),
            "audiences": sorted(str(it) for it in properties.get("audiences") or []),
        }
    )


class FederatedCredentialKind:
    """PUT and DELETE of …/userAssignedIdentities/{name}/federatedIdentityCredentials/{name}."""

    name = NAME

    def label(self) -> str:
        return _("Workload identity")

    def lane(self, step: Step) -> str:
        return identity_of(step).key

    def risks(self, change: Change) -> Sequence[Risk]:
        found: list[Risk] = []
        for target in targets_of(change.content):
            own = [step for step in target.steps if step.kind == NAME]
            given = [step for step in own if step.method == "PUT"]
            ended = [step for step in own if step.method == "DELETE"]
            for step in given[:1]:
                found.append(_given(target.name, step, given))
            for step in ended[:1]:
                text = _("What signs in as %(identity)s on %(cluster)s can no longer do so")
                names = {"identity": identity_of(step).name, "cluster": target.name}
                found.append(Risk(code="trust_ended", text=text % names, tone="bad", icon="key"))
        found.extend(extension_risks(change))
        return sorted(found, key=lambda risk: risk.tone != "bad")

    def facts(self, change: Change) -> Sequence[Fact]:
        steps = [step for target in targets_of(change.content) for step in target.steps]
        own = [step for step in steps if step.kind == NAME]
        identities = {identity_of(step).key for step in own}
        made = sum(step.method == "PUT" for step in own)
        gone = len(own) - made
        count = len(change.content["targets"])
        facts = [
            Fact(value=str(count), text=ngettext("cluster", "clusters", count)),
            Fact(
                value=str(len(identities)),
                text=ngettext("identity", "identities", len(identities)),
            ),
        ]
        if made:
            text = ngettext("credential written", "credentials written", made)
            facts.append(Fact(value=str(made), text=text))
        if gone:
            text = ngettext("credential deleted", "credentials deleted", gone)
            facts.append(Fact(value=str(gone), text=text, tone="bad"))
        return facts

    def target_url(self, change: Change, position: int) -> str:
        cluster_id = targets_of(change.content)[position].cluster_id
        if cluster_id is None or not Cluster.objects.filter(pk=cluster_id).exists():
            return ""
        return reverse("clusters:workload_identity", args=[cluster_id])

    def faces(self, target: Target) -> Mapping[int, Sequence[Face]]:
        cluster = faces.cluster_of(target)
        return {
            place: faces.credential_faces(step, cluster)
            for place, step in enumerate(target.steps)
            if step.kind == NAME and cluster is not None
        }

    def read(self, operation: Operation, step: Step) -> Live:
        gateway = apply_gateway(cluster_of(operation).connection)

        def ask() -> dict[str, Any] | None:
            try:
                return gateway.get_federated_credential(str(identity_of(step)), step.resource_name)
            except NotFound:
                return None

        resource = asked(ask)
        if resource is None:
            return Live(resource=None, digest="")
        return Live(resource=resource, digest=trust_digest(resource.get("properties") or {}))

    def is_desired(self, step: Step, live: Live) -> bool:
        if step.body is None:
            return live.resource is None
        return live.digest == trust_digest(step.body["properties"])

    def settled(self, step: Step, live: Live) -> Polled:
        """These writes end with their answer; one that is still there was not deleted."""
        return Polled(terminal=True, succeeded=step.method == "PUT")

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        gateway = apply_gateway(cluster_of(operation).connection)
        identity = str(identity_of(step))

        def write() -> Accepted:
            if step.body is None:
                return gateway.delete_federated_credential(
                    identity, step.resource_name, client_request_id=client_request_id
                )
            properties = step.body["properties"]
            return gateway.create_federated_credential(
                identity,
                step.resource_name,
                issuer=properties["issuer"],
                subject=properties["subject"],
                audiences=properties["audiences"],
                client_request_id=client_request_id,
            )

        return sent(asked(write), finished=True)

    def poll(self, operation: Operation) -> Polled:
        """There is no operation to ask: the resource itself is judged."""
        return Polled(terminal=False, gone=True)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        bump(f"cluster:{operation.target.cluster_id or 0}")

    def finished(self, operation: Operation, step: Step) -> None:
        """Have the page see the credentials as they are now."""
        identity = identity_of(step).key
        rows = IdentityReading.objects.filter(
            cluster_id=operation.target.cluster_id or 0, identity_id=identity
        )
        for reading in rows.select_related("cluster"):
            identity_reading_ask(cluster=reading.cluster, identity_id=identity)
        bump(f"cluster:{operation.target.cluster_id or 0}")


def _given(cluster: str, step: Step, given: Sequence[Step]) -> Risk:
    subjects = [str((it.body or {})["properties"]["subject"]) for it in given]
    accounts = ", ".join(it.rpartition(":")[2] for it in subjects)
    text = _(
        "%(accounts)s on %(cluster)s can sign in as %(identity)s, with every role that it has; "
        "so can whoever may run pods in flux-system there"
    ) % {"accounts": accounts, "cluster": cluster, "identity": identity_of(step).name}
    return Risk(code="trust_given", text=text, tone="bad", icon="key")
