"""The kind of reviewed write on the microsoft.flux extension: PUT, PATCH or DELETE of one.

Any microsoft.flux instance satisfies an install, whatever its name: Azure itself installs one with
the first configuration, and there can be only one (azure-contract 3.3). An update or a delete is
of the very instance that was reviewed. Who asks for these is clusters/extension_changes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import User
from arm import Accepted, ClusterId
from audit.services import record
from changes.content import targets_of
from changes.diff import merge
from changes.errors import WriteProblem
from changes.faces import Face
from changes.kinds import Fact, Live, Polled, Risk, Sent, Step, Target
from changes.models import Change, Operation, Problem
from changes.services import change_submit
from clusters import faces
from clusters.extension import NAME as EXTENSION_NAME
from clusters.extension import extension_columns, flux_among, install_body
from clusters.extension_compare import is_installed_as, is_updated_as, live_digest
from clusters.extension_risks import risks_of
from clusters.flux_v1 import names_on, refuse_flux_v1
from clusters.gateways import extension_api
from clusters.models import Cluster, Extension
from clusters.prerequisites.refusals import refuse_uninstallable
from clusters.sync import sync_soon
from clusters.writes import apply_gateway, asked, cluster_of, polled, sent
from live.services import bump

NAME = "flux_extension"
RESTING = frozenset({"Succeeded", "Failed", "Canceled"})


# --- Asking for it --------------------------------------------------------------------------
def install_step(
    cluster: Cluster,
    *,
    settings: Mapping[str, str] | None = None,
    release_train: str = "",
    version: str = "",
    mode: str | None = None,
) -> Step | None:
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
        body=install_body(
            cluster, settings=settings, release_train=release_train, version=version, mode=mode
        ),
        base=None,
        base_digest="",
    )


def install_propose(
    *, author: User, cluster: Cluster, reason: str, step: Step | None = None
) -> Change:
    """Ask for a review of the install; raises changes.errors.ChangeRefused, ValueError if there.

    `step`: the install as somebody chose it (extension_changes.chosen_install_step).
    """
    refuse_flux_v1(cluster)
    refuse_uninstallable(cluster)
    step = step or install_step(cluster)
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
    """Install (PUT), update (PATCH: see clusters/extension_compare.py) and delete."""

    name = NAME

    def label(self) -> str:
        return _("Flux extension")

    def risks(self, change: Change) -> Sequence[Risk]:
        return risks_of(change)

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
        if change.verb != Change.Verb.INSTALL:
            held = sum(it.configurations.filter(gone_at=None).count() for it in clusters)
            text = ngettext("configuration there", "configurations there", held)
            found.append(Fact(value=str(held), text=text))
        return found

    def target_url(self, change: Change, position: int) -> str:
        cluster_id = targets_of(change.content)[position].cluster_id
        if cluster_id is None or not Cluster.objects.filter(pk=cluster_id).exists():
            return ""
        return reverse("clusters:detail", args=[cluster_id])

    def faces(self, target: Target) -> Mapping[int, Sequence[Face]]:
        cluster = faces.cluster_of(target)
        return {
            place: faces.extension_faces(step, cluster)
            for place, step in enumerate(target.steps)
            if step.kind == NAME and cluster is not None
        }

    def read(self, operation: Operation, step: Step) -> Live:
        cluster = cluster_of(operation)
        gateway = apply_gateway(cluster.connection)
        # The list tells "no extension" from "no cluster", which a GET does not.
        resource = flux_among(asked(lambda: gateway.list_extensions(cluster.arm_id_display)))
        is_other = resource is not None and str(resource["id"]).lower() != step.resource_id
        if is_other and step.verb != Change.Verb.INSTALL:
            resource = None
        return Live(resource=resource, digest=live_digest(resource))

    def is_desired(self, step: Step, live: Live) -> bool:
        """An install: type and what the step sets, whatever else is there. An update: what the
        patch makes of its base. A delete: nothing is left."""
        if step.body is None:
            return live.resource is None
        if live.resource is None:
            return False
        if step.method == "PATCH":
            return is_updated_as(step, live.resource)
        return is_installed_as(step.body, live.resource)

    def settled(self, step: Step, live: Live) -> Polled:
        columns = extension_columns(live.resource or {"id": step.resource_id})
        state = columns["provisioning_state"] or "Succeeded"
        ended = state in RESTING
        # What is still there and at rest was not deleted.
        succeeded = state == "Succeeded" and step.method != "DELETE"
        return Polled(
            terminal=ended,
            succeeded=succeeded,
            code="" if succeeded else columns["error_code"] or state,
            message=columns["error_message"],
        )

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        cluster = cluster_of(operation)
        gateway = apply_gateway(cluster.connection)
        found = str(ClusterId.parse(cluster.arm_id_display).extension(step.resource_name))
        given: dict[str, Any] = {"client_request_id": client_request_id}

        def write() -> Accepted:
            if step.method == "DELETE":
                force = bool(step.options.get("force"))
                return gateway.delete_extension(found, force=force, **given)
            if step.method == "PATCH":
                return gateway.patch_extension(found, step.body or {}, **given)
            return gateway.put_extension(found, step.body or {}, **given)

        if step.verb == Change.Verb.INSTALL:
            _refuse_beside_v1(asked(lambda: names_on(gateway, cluster)))
        if step.method == "DELETE":
            _refuse_if_used(asked(lambda: gateway.list_configurations(cluster.arm_id_display)))
        accepted = asked(write)
        state = ((accepted.resource or {}).get("properties") or {}).get("provisioningState")
        at_rest = step.method == "DELETE" or state == "Succeeded"
        return sent(accepted, finished=not accepted.operation_url and at_rest)

    def poll(self, operation: Operation) -> Polled:
        return polled(apply_gateway(cluster_of(operation).connection), operation)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """Azure took it: the cluster's pages show what is under way from now on."""
        cluster = Cluster.objects.filter(pk=operation.target.cluster_id or 0).first()
        if cluster is None:
            return
        if step.verb == Change.Verb.INSTALL:
            _show_install(cluster, operation, step, sent)
        else:
            _show_write(step, sent)
        bump("clusters", f"cluster:{cluster.pk}")

    def finished(self, operation: Operation, step: Step) -> None:
        """It ended: say how until the next read, and have that read come at once."""
        rows = Extension.objects.select_related("cluster")
        extension = rows.filter(cluster_id=operation.target.cluster_id or 0).first()
        cluster = Cluster.objects.filter(pk=operation.target.cluster_id or 0).first()
        if cluster is None:
            return
        succeeded = operation.state == Operation.State.SUCCEEDED
        if extension is not None and step.method == "DELETE" and succeeded:
            if extension.arm_id == step.resource_id:
                _event("extension.gone", extension, operation)
                extension.delete()
        elif extension is not None and operation.accepted_at is not None:
            extension.provisioning_state = "Succeeded" if succeeded else "Failed"
            extension.error_code = "" if succeeded else operation.problem_code[:100]
            extension.error_message = "" if succeeded else operation.problem_message
            extension.save(update_fields=["provisioning_state", "error_code", "error_message"])
        sync_soon(cluster.connection_id, sweep=True)
        bump("clusters", f"cluster:{cluster.pk}")


def _refuse_if_used(configurations: Sequence[dict[str, Any]]) -> None:
    """Somebody may have made one since the approval: without Flux nobody cleans up after it."""
    if configurations:
        names = ", ".join(str(it.get("name")) for it in configurations[:5])
        message = _("Not sent: configurations are on this cluster: %(names)s.") % {"names": names}
        raise WriteProblem(Problem.REFUSED, code="ConfigurationsExist", message=message)


def _refuse_beside_v1(names: Sequence[str]) -> None:
    """Azure would take the install and fail it minutes later, with less to say."""
    if names:
        message = _("Not sent: Flux v1 configurations are on this cluster: %(names)s.")
        message = message % {"names": ", ".join(names[:5])}
        raise WriteProblem(Problem.REFUSED, code="FluxV1Exists", message=message)


# --- Rows -----------------------------------------------------------------------------------
def _show_install(cluster: Cluster, operation: Operation, step: Step, sent: Sent) -> None:
    resource = {"id": step.resource_id, **(sent.resource or step.body or {})}
    columns = extension_columns(resource) | {"error_code": "", "error_message": ""}
    columns["provisioning_state"] = columns["provisioning_state"] or "Creating"
    extension, created = Extension.objects.update_or_create(
        cluster=cluster,
        defaults={**columns, "observed_at": timezone.now(), "observed_via": "write"},
    )
    if created:
        _event("extension.seen", extension, operation)


def _show_write(step: Step, sent: Sent) -> None:
    """The row as the write leaves it; Azure may answer a PATCH without a body."""
    extension = Extension.objects.filter(arm_id=step.resource_id).first()
    if extension is None:
        return
    if step.method == "PATCH":
        named = {"id": extension.arm_id, "name": extension.name}
        resource = sent.resource or merge(extension.observed, step.body)
        for name, value in extension_columns({**named, **resource}).items():
            setattr(extension, name, value)
    extension.provisioning_state = "Deleting" if step.method == "DELETE" else "Updating"
    extension.error_code = extension.error_message = ""
    extension.observed_at, extension.observed_via = timezone.now(), "write"
    extension.save()


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
