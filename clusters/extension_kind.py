"""The kind of reviewed write for the microsoft.flux extension of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import arm
from arm.account import EXTENSION_API
from changes.content import digest_of, targets_of
from changes.errors import WriteProblem
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation, Problem
from clusters.extension import (
    EXTENSION_TYPE,
    NAME,
    extension_columns,
    flux_among,
    install_body,
)
from clusters.gateways import gateway_for
from clusters.models import Cluster, Extension
from clusters.problems import write_problem
from live.services import bump

KIND = "flux_extension"
_RESTING = frozenset({"Succeeded", "Failed", "Canceled"})


def install_step(cluster: Cluster) -> Step | None:
    """The step that installs the extension; None where one is there and did not fail.

    A failed one is put again: that is how the service is asked to repair it.
    """
    existing = Extension.objects.filter(cluster=cluster).first()
    if existing is not None and existing.provisioning_state not in {"Failed", "Canceled"}:
        return None
    name = existing.name if existing is not None else NAME
    base = existing.observed if existing is not None else None
    return Step(
        kind=KIND,
        verb=Change.Verb.INSTALL,
        resource_id=extension_id(cluster, name).lower(),
        resource_name=name,
        method="PUT",
        api_version=extension_api_version(cluster),
        body=install_body(cluster),
        base=base,
        base_digest=live_digest(base),
    )


def extension_id(cluster: Cluster, name: str = NAME) -> str:
    """ARM id of the extension instance, in ARM's own spelling."""
    return f"{cluster.arm_id_display}/providers/Microsoft.KubernetesConfiguration/extensions/{name}"


def extension_api_version(cluster: Cluster) -> str:
    """The extensions api-version that goes with the connection's."""
    return EXTENSION_API[cluster.connection.api_version]  # type: ignore[index]


def live_digest(resource: Mapping[str, Any] | None) -> str:
    """Digest of what somebody wants of an extension; "" where there is none."""
    return digest_of(wanted_part(resource)) if resource is not None else ""


def wanted_part(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the resource that a body sets, with the service's defaults filled in.

    The version counts only where it is pinned: with automatic upgrades Azure moves it.
    """
    properties = resource.get("properties") or {}
    upgrade = properties.get("autoUpgradeMinorVersion")
    automatic = True if upgrade is None else bool(upgrade)
    settings = properties.get("configurationSettings") or {}
    return {
        "extensionType": str(properties.get("extensionType", "")).lower(),
        "autoUpgradeMinorVersion": automatic,
        "releaseTrain": properties.get("releaseTrain") or "Stable",
        "version": None if automatic else properties.get("version"),
        "configurationSettings": {key: str(value) for key, value in settings.items()},
    }


class FluxExtensionKind:
    """PUT of `extensions/flux`; found by its type, whatever its name is."""

    name = KIND

    def label(self) -> str:
        return _("Flux extension")

    def risks(self, change: Change) -> Sequence[Risk]:
        targets = targets_of(change.content)
        clusters = Cluster.objects.in_bulk([t.cluster_id for t in targets if t.cluster_id])
        found = []
        for cluster in clusters.values():
            words = {"cluster": cluster.name, "state": cluster.connectivity}
            if cluster.connectivity in {"Offline", "Expired"}:
                text = _("%(cluster)s is %(state)s: it installs once its agent is back")
                text %= words
                found.append(Risk(code="cluster_offline", text=text, icon="plug-connected-x"))
            if cluster.identity_kind == "ServicePrincipal":
                text = _("%(cluster)s uses a service principal: the extension does not support it")
                text %= words
                found.append(Risk(code="service_principal", text=text, tone="bad"))
        return found

    def facts(self, change: Change) -> Sequence[Fact]:
        count = len(targets_of(change.content))
        return [
            Fact(value=str(count), text=ngettext("cluster", "clusters", count)),
            Fact(value="4", text=_("Flux controllers start in flux-system")),
        ]

    def target_url(self, change: Change, position: int) -> str:
        target = targets_of(change.content)[position]
        return reverse("clusters:detail", args=[target.cluster_id]) if target.cluster_id else ""

    def read(self, operation: Operation, step: Step) -> Live:
        cluster = cluster_of(operation)
        try:
            gateway = gateway_for(cluster.connection, priority=arm.Priority.APPLY)
            found = flux_among(gateway.list_extensions(cluster.arm_id_display))
        except arm.ArmError as error:
            raise write_problem(error) from error
        return Live(resource=found, digest=live_digest(found))

    def is_desired(self, step: Step, live: Live) -> bool:
        """Any instance of the type that is there or on its way is what an install wants."""
        if live.resource is None or step.body is None:
            return live.resource is None and step.body is None
        properties = live.resource.get("properties") or {}
        if properties.get("provisioningState") in {"Failed", "Canceled", "Deleting"}:
            return False
        wanted = wanted_part(step.body)
        if step.verb == Change.Verb.INSTALL and not wanted["configurationSettings"]:
            return str(properties.get("extensionType", "")).lower() == EXTENSION_TYPE
        return wanted_part(live.resource) == wanted

    def settled(self, step: Step, live: Live) -> Polled:
        resource = live.resource or {}
        state = str((resource.get("properties") or {}).get("provisioningState") or "Succeeded")
        columns = extension_columns(resource) if resource else {}
        return Polled(
            terminal=state in _RESTING,
            succeeded=state == "Succeeded" and step.body is not None,
            code=str(columns.get("error_code") or state),
            message=str(columns.get("error_message") or ""),
        )

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        cluster = cluster_of(operation)
        try:
            gateway = gateway_for(cluster.connection, priority=arm.Priority.APPLY)
            if step.method == "DELETE":
                accepted = gateway.delete_extension(
                    step.resource_id,
                    force=bool(step.options.get("force")),
                    client_request_id=client_request_id,
                )
            else:
                accepted = gateway.put_extension(
                    extension_id(cluster, step.resource_name),
                    step.body or {},
                    client_request_id=client_request_id,
                )
        except arm.ArmError as error:
            raise write_problem(error) from error
        return sent(accepted)

    def poll(self, operation: Operation) -> Polled:
        cluster = cluster_of(operation)
        try:
            gateway = gateway_for(cluster.connection, priority=arm.Priority.APPLY)
            state = gateway.get_operation(operation.operation_url)
        except arm.NotFound:
            return Polled(terminal=False, gone=True)
        except arm.ArmError as error:
            raise write_problem(error) from error
        return Polled(
            terminal=state.terminal,
            succeeded=state.succeeded,
            code=state.error_code or state.status,
            message=state.error_message,
            retry_after=state.retry_after,
        )

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """Show at once that it is under way; the next read brings the truth."""
        cluster = cluster_of(operation)
        if sent.resource is not None:
            columns = extension_columns(sent.resource)
        else:
            columns = {"arm_id": step.resource_id, "name": step.resource_name}
        columns["provisioning_state"] = "Deleting" if step.body is None else "Creating"
        columns |= {"observed_at": timezone.now(), "observed_via": "write"}
        Extension.objects.update_or_create(cluster=cluster, defaults=columns)
        bump("clusters", f"cluster:{cluster.pk}")

    def finished(self, operation: Operation, step: Step) -> None:
        """Say how it ended; what only Azure knows (the version) comes with the next read."""
        rows = Extension.objects.filter(cluster_id=operation.target.cluster_id)
        if operation.state == Operation.State.SUCCEEDED and step.body is None:
            rows.delete()
        elif operation.state == Operation.State.SUCCEEDED:
            rows.update(provisioning_state="Succeeded", error_code="", error_message="")
        elif operation.accepted_at is not None:
            rows.update(
                provisioning_state="Failed",
                error_code=operation.problem_code[:100],
                error_message=operation.problem_message,
            )
        bump("clusters", f"cluster:{operation.target.cluster_id}")


def cluster_of(operation: Operation) -> Cluster:
    """The cluster of an operation's target, with its connection; CLUSTER_GONE without a row."""
    pk = operation.target.cluster_id
    cluster = Cluster.objects.select_related("connection").filter(pk=pk).first()
    if cluster is None:
        raise WriteProblem(Problem.CLUSTER_GONE, code="ClusterGone")
    return cluster


def sent(accepted: arm.Accepted) -> Sent:
    """ARM's answer in the engine's words."""
    resource = accepted.resource
    state = str(((resource or {}).get("properties") or {}).get("provisioningState") or "")
    return Sent(
        finished=not accepted.operation_url and (resource is None or state in {"", "Succeeded"}),
        operation_url=accepted.operation_url or "",
        retry_after=accepted.retry_after,
        correlation_id=accepted.correlation_id,
        resource=resource,
    )


def target_of(cluster: Cluster, step: Step) -> Target:
    """A change's target for one step on this cluster."""
    return Target(
        name=cluster.name,
        resource_id=step.resource_id,
        cluster_id=cluster.pk,
        configuration_id=None,
        environment_id=cluster.environment_id,
        steps=(step,),
    )
