"""The kind of reviewed write that installs the microsoft.flux extension (azure-contract 3.3).

Any microsoft.flux instance satisfies an install, whatever its name: Azure itself installs one with
the first configuration, and there can be only one. Update and delete are verbs to come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import User
from arm import ClusterId
from audit.services import record
from changes.content import digest_of, targets_of
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation
from changes.services import change_submit
from clusters.extension import NAME as EXTENSION_NAME
from clusters.extension import extension_columns, flux_among, install_body
from clusters.gateways import extension_api
from clusters.models import Cluster, Extension
from clusters.sync import sync_soon
from clusters.writes import apply_gateway, asked, cluster_of, polled, sent
from live.services import bump

NAME = "flux_extension"


# --- Asking for it --------------------------------------------------------------------------
def install_step(cluster: Cluster) -> Step | None:
    """The write that installs Flux; None where an instance is there, in whatever state."""
    if Extension.objects.filter(cluster=cluster).exists():
        return None
    return Step(
        kind=NAME,
        verb=Change.Verb.INSTALL,
        resource_id=ClusterId.parse(cluster.arm_id).extension(EXTENSION_NAME).key,
        resource_name=EXTENSION_NAME,
        method="PUT",
        api_version=extension_api(cluster.connection),
        body=install_body(cluster),
        base=None,
        base_digest="",
    )


def install_propose(*, author: User, cluster: Cluster, reason: str) -> Change:
    """Ask for a review of the install; raises changes.errors.ChangeRefused, ValueError if there."""
    step = install_step(cluster)
    if step is None:
        raise ValueError("The extension is there already.")
    target = Target(
        name=cluster.name,
        resource_id=step.resource_id,
        cluster_id=cluster.pk,
        configuration_id=None,
        environment_id=cluster.environment_id,
        steps=(step,),
    )
    return change_submit(
        author=author,
        kind=NAME,
        verb=Change.Verb.INSTALL,
        title=_("Install the Flux extension on %(cluster)s") % {"cluster": cluster.name},
        reason=reason,
        targets=[target],
    )


# --- The kind -------------------------------------------------------------------------------
class FluxExtensionKind:
    """PUT of `extensions/flux`."""

    name = NAME

    def label(self) -> str:
        return _("Flux extension")

    def risks(self, change: Change) -> Sequence[Risk]:
        risks = [
            Risk(
                code="controllers",
                text=_("Flux gets cluster-admin rights in the namespace flux-system"),
                tone="warn",
                icon="shield-half",
            ),
            Risk(
                code="auto_upgrade",
                text=_("Azure upgrades minor versions by itself"),
                tone="warn",
                icon="package",
            ),
        ]
        for cluster in _clusters(change):
            risks.extend(cluster_risks(cluster))
        return sorted(risks, key=lambda risk: risk.tone != "bad")

    def facts(self, change: Change) -> Sequence[Fact]:
        clusters = _clusters(change)
        nodes = sum(cluster.node_count or 0 for cluster in clusters)
        found = [
            Fact(
                value=str(len(clusters)),
                text=ngettext("cluster", "clusters", len(clusters)),
                url=reverse("clusters:detail", args=[clusters[0].pk]) if len(clusters) == 1 else "",
            )
        ]
        if nodes:
            found.append(Fact(value=str(nodes), text=ngettext("node", "nodes", nodes)))
        return found

    def target_url(self, change: Change, position: int) -> str:
        cluster_id = targets_of(change.content)[position].cluster_id
        if cluster_id is None or not Cluster.objects.filter(pk=cluster_id).exists():
            return ""
        return reverse("clusters:detail", args=[cluster_id])

    def read(self, operation: Operation, step: Step) -> Live:
        cluster = cluster_of(operation)
        gateway = apply_gateway(cluster.connection)
        resource = flux_among(asked(lambda: gateway.list_extensions(cluster.arm_id_display)))
        return Live(resource=resource, digest=live_digest(resource))

    def is_desired(self, step: Step, live: Live) -> bool:
        """Type and what the step sets; Azure's defaults, name and version are its own affair."""
        if step.body is None:
            return live.resource is None
        return live.resource is not None and _holds(wanted(step.body), wanted(live.resource))

    def settled(self, step: Step, live: Live) -> Polled:
        columns = extension_columns(live.resource or {"id": step.resource_id})
        state = columns["provisioning_state"] or "Succeeded"
        ended = state in {"Succeeded", "Failed", "Canceled"}
        return Polled(
            terminal=ended,
            succeeded=state == "Succeeded",
            code="" if state == "Succeeded" else columns["error_code"] or state,
            message=columns["error_message"],
        )

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        cluster = cluster_of(operation)
        gateway = apply_gateway(cluster.connection)
        found = ClusterId.parse(cluster.arm_id_display).extension(step.resource_name)
        accepted = asked(
            lambda: gateway.put_extension(
                str(found), step.body or {}, client_request_id=client_request_id
            )
        )
        state = ((accepted.resource or {}).get("properties") or {}).get("provisioningState")
        return sent(accepted, finished=not accepted.operation_url and state == "Succeeded")

    def poll(self, operation: Operation) -> Polled:
        return polled(apply_gateway(cluster_of(operation).connection), operation)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """Azure took it: the cluster's page shows the install from now on."""
        cluster = Cluster.objects.filter(pk=operation.target.cluster_id or 0).first()
        if cluster is None:
            return
        resource = {"id": step.resource_id, **(sent.resource or step.body or {})}
        columns = extension_columns(resource) | {"error_code": "", "error_message": ""}
        columns["provisioning_state"] = columns["provisioning_state"] or "Creating"
        extension, created = Extension.objects.update_or_create(
            cluster=cluster,
            defaults={**columns, "observed_at": timezone.now(), "observed_via": "write"},
        )
        if created:
            _event("extension.seen", extension, operation)
        bump("clusters", f"cluster:{cluster.pk}")

    def finished(self, operation: Operation, step: Step) -> None:
        """It ended: say how until the next read, and have that read come at once."""
        extension = (
            Extension.objects.select_related("cluster")
            .filter(cluster_id=operation.target.cluster_id or 0)
            .first()
        )
        cluster = Cluster.objects.filter(pk=operation.target.cluster_id or 0).first()
        if cluster is None:
            return
        if extension is not None and operation.accepted_at is not None:
            succeeded = operation.state == Operation.State.SUCCEEDED
            extension.provisioning_state = "Succeeded" if succeeded else "Failed"
            extension.error_code = "" if succeeded else operation.problem_code[:100]
            extension.error_message = "" if succeeded else operation.problem_message
            extension.save(update_fields=["provisioning_state", "error_code", "error_message"])
        sync_soon(cluster.connection_id, sweep=True)
        bump("clusters", f"cluster:{cluster.pk}")


# --- Comparing ------------------------------------------------------------------------------
def wanted(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What of an extension people decide: type, train, upgrade, scope, settings, and the version
    where it is pinned."""
    properties = resource.get("properties") or {}
    upgrade = properties.get("autoUpgradeMinorVersion")
    settings = properties.get("configurationSettings") or {}
    result: dict[str, Any] = {
        "extensionType": str(properties.get("extensionType") or "").lower(),
        "configurationSettings": {str(key): str(value) for key, value in settings.items()},
    }
    if upgrade is False:
        result["version"] = str(properties.get("version") or "")
    return result


def _holds(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    """Whether `have` says all that `want` does; more settings than asked for are defaults."""
    settings = have["configurationSettings"]
    return (
        want["extensionType"] == have["extensionType"]
        and all(settings.get(key) == it for key, it in want["configurationSettings"].items())
        and ("version" not in want or want["version"] == have.get("version"))
    )


def live_digest(resource: Mapping[str, Any] | None) -> str:
    """The digest of what people decide; "" where there is no extension."""
    return digest_of(wanted(resource)) if resource is not None else ""


# --- What a reviewer should not miss --------------------------------------------------------
def cluster_risks(cluster: Cluster) -> list[Risk]:
    """What stands in the way of an extension on this cluster."""
    found: list[Risk] = []
    if cluster.identity_kind == "ServicePrincipal":
        text = _("%(cluster)s uses a service principal: Azure refuses extensions there")
        found.append(_risk("service_principal", text, cluster, "bad", "user-x"))
    if cluster.connectivity in {"Offline", "Expired"}:
        text = _("%(cluster)s is offline: it takes the extension within 48 h, or never")
        found.append(_risk("offline", text, cluster, "warn", "plug-connected-x"))
    if cluster.power_state == "Stopped":
        text = _("%(cluster)s is stopped: nothing installs until it runs")
        found.append(_risk("stopped", text, cluster, "warn", "player-pause"))
    return found


def _risk(code: str, text: str, cluster: Cluster, tone: str, icon: str) -> Risk:
    return Risk(code=code, text=text % {"cluster": cluster.name}, tone=tone, icon=icon)


def _clusters(change: Change) -> list[Cluster]:
    ids = [target.cluster_id for target in targets_of(change.content)]
    return list(Cluster.objects.filter(pk__in=[pk for pk in ids if pk is not None]))


def _event(action: str, extension: Extension, operation: Operation) -> None:
    record(
        action=action,
        actor=None,
        object_type="cluster",
        object_id=extension.cluster_id,
        object_name=str(extension),
        environment_id=extension.cluster.environment_id,
        cluster_id=extension.cluster_id,
        change_id=operation.change_id,
    )
