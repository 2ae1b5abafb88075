"""Microsoft.KubernetesConfiguration/extensions, of which microsoft.flux is the one simulated."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from simulator.arm import names, shapes
from simulator.arm.errors import (
    method_not_allowed,
    operation_in_progress,
    resource_not_found,
    validation_failed,
)
from simulator.arm.flux_extension import (
    FLUX,
    LATEST,
    SERVICE_PRINCIPAL_CLUSTER,
    check,
    has_managed_identity,
)
from simulator.arm.operations import Operation, accepted, polled
from simulator.arm.paths import Target
from simulator.arm.schema import clean, fill, join_secrets, merge, split_secrets, visible, writable
from simulator.arm.writes import CONFIGURATION_NAMESPACE, cluster_of, stamped, write_plan
from simulator.clock import wire_time, wire_time_precise
from simulator.cluster.install_faults import install_fault
from simulator.http import Answer, Document, Request
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

TYPE = "microsoft.kubernetesconfiguration/extensions"
FLUX_V1 = "microsoft.kubernetesconfiguration/sourcecontrolconfigurations"
_MEMBERS = {
    "properties",
    "identity",
    "plan",
    "managedBy",
    "id",
    "name",
    "type",
    "systemData",
    "location",
}
_PATCH_MEMBERS = {"properties", "id", "name", "type", "systemData"}


class Extensions:
    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        simulator.operations.on_completion(TYPE, self._complete)

    def handle(self, request: Request, target: Target) -> Answer:
        cluster = cluster_of(self._sim, target)
        if target.is_collection:
            if request.method != "GET":
                raise method_not_allowed(request.method, target.path)
            found = self._sim.store.children(cluster.key, TYPE)
            return self._sim.page(request, found, self.render)
        key = f"{cluster.id}/providers/{CONFIGURATION_NAMESPACE}/extensions/{target.name}"
        current = self._sim.store.get(key)
        match request.method:
            case "GET":
                return Answer(200, self.render(self._require(current, target), request))
            case "PUT":
                return self._put(request, cluster, key, current)
            case "PATCH":
                return self._patch(request, cluster, self._require(current, target))
            case "DELETE":
                return self._delete(request, cluster, current)
            case method:
                raise method_not_allowed(method, target.path)

    def operation(self, request: Request, target: Target) -> Answer:
        operation = self._sim.operations.get(target.name)
        if operation is None or request.method != "GET":
            raise resource_not_found("operations", target.name, target.resource_group)
        return polled(operation, target.up().path, self._sim.retry_after)

    def render(self, resource: Resource, request: Request) -> Document:
        shown = visible(shapes.EXTENSION, resource.properties, str(request.api_version))
        return {**resource.document, "properties": shown}

    # -- used when a configuration is created

    def flux_of(self, cluster: Resource) -> Resource | None:
        """Find the extension by its type: its name is the customer's choice."""
        for extension in self._sim.store.children(cluster.key, TYPE):
            if str(extension.properties["extensionType"]).lower() == FLUX:
                return extension
        return None

    def is_ready(self, cluster: Resource) -> bool:
        flux = self.flux_of(cluster)
        return flux is not None and flux.properties["provisioningState"] == "Succeeded"

    def ensure_flux(self, cluster: Resource) -> Document | None:
        """Make sure that Flux is there or on its way; return the error that stands against it.

        The documentation says that the service installs the extension with the first
        configuration, while the command line installs it itself. Not verified against Azure, so
        the option ``extension_on_create`` ("install" or "fail") decides.
        """
        flux = self.flux_of(cluster)
        if flux is None and self._sim.options["extension_on_create"] == "install":
            flux = self._install(cluster)
        if flux is None:
            return {
                "code": "ExtensionNotFound",
                "message": "The 'microsoft.flux' extension is not installed on the cluster.",
            }
        state = flux.properties["provisioningState"]
        if state in ("Failed", "Deleting"):
            return {
                "code": "ExtensionNotReady",
                "message": "The 'microsoft.flux' extension is installed but not in a succeeded "
                f"state on the cluster. Its state is '{state}'.",
            }
        return None

    def _install(self, cluster: Resource) -> Resource:
        full = fill(shapes.EXTENSION, {"extensionType": FLUX})
        key = f"{cluster.id}/providers/{CONFIGURATION_NAMESPACE}/extensions/flux"
        now = wire_time_precise(self._sim.clock.now())
        service = "Microsoft.KubernetesConfiguration"
        system_data = {
            f"{prefix}{suffix}": value
            for prefix in ("created", "lastModified")
            for suffix, value in (("By", service), ("ByType", "Application"), ("At", now))
        }
        resource = self._sim.store.put(
            self._resource(cluster, key, None, full, system_data, identity=None, kind="Creating")
        )
        self._start_plain(resource.key, "Creating", False, None)
        return resource

    # -- writes

    def _put(
        self, request: Request, cluster: Resource, key: str, current: Resource | None
    ) -> Answer:
        names.check_name(key.rsplit("/", 1)[1], "extension name")
        body = self._body(request, _MEMBERS)
        sent = clean(
            shapes.EXTENSION,
            body.get("properties") or {},
            version=str(request.api_version),
            path="properties",
        )
        full = fill(shapes.EXTENSION, sent)
        check(full, key, current, self.flux_of(cluster))
        if current is None:
            location = str(cluster.document.get("location") or "")
            self._sim.providers.require_location(CONFIGURATION_NAMESPACE, "extensions", location)
        else:
            self._refuse_during_operation(current)
        identity = body.get("identity")
        system_data = stamped(self._sim, request, current)
        resource = self._sim.store.put(
            self._resource(
                cluster,
                key,
                current,
                full,
                system_data,
                identity=identity,
                kind="Updating" if current else "Creating",
            )
        )
        return self._accepted(
            request, resource, "Updating" if current else "Creating", 200 if current else 201
        )

    def _patch(self, request: Request, cluster: Resource, current: Resource) -> Answer:
        self._refuse_during_operation(current)
        body = self._body(request, _PATCH_MEMBERS)
        patch = clean(
            shapes.EXTENSION,
            body.get("properties") or {},
            version=str(request.api_version),
            patch=True,
            path="properties",
        )
        known = writable(shapes.EXTENSION, current.properties)
        merged = merge(shapes.EXTENSION, join_secrets(known, current.secrets), patch)
        full = fill(shapes.EXTENSION, merged)
        if full["autoUpgradeMinorVersion"] and "version" not in patch:
            full["version"] = None  # What is shown is the version it has, not one it is held to.
        check(full, current.id, current, self.flux_of(cluster))
        resource = self._sim.store.put(
            self._resource(
                cluster,
                current.id,
                current,
                full,
                stamped(self._sim, request, current),
                identity=current.document.get("identity"),
                kind="Updating",
            )
        )
        return self._accepted(request, resource, "Updating", 202)

    def _delete(self, request: Request, cluster: Resource, current: Resource | None) -> Answer:
        if current is None:
            return Answer(204)
        if request.query.get("forceDelete", "").lower() == "true":
            # "Not the normal asynchronous delete" (the API's words): the cluster is never told.
            self._sim.operations.abandon(current.key)
            self._sim.store.remove(current.key)
            return Answer(200)
        self._refuse_during_operation(current)
        self._sim.store.put(current.with_properties(provisioningState="Deleting"))
        operation = self._start(request, current.key, "Deleting")
        return accepted(
            request, operation, current.id, status=202, body=None, retry_after=self._sim.retry_after
        )

    def _accepted(self, request: Request, resource: Resource, kind: str, status: int) -> Answer:
        operation = self._start(request, resource.key, kind)
        return accepted(
            request,
            operation,
            resource.id,
            status=status,
            body=self.render(resource, request),
            retry_after=self._sim.retry_after,
        )

    def _body(self, request: Request, members: set[str]) -> Document:
        body = request.json()
        if not isinstance(body, dict):
            raise validation_failed("The request body must be a JSON object.")
        for member in body:
            if member not in members:
                raise validation_failed(
                    f"Could not find member '{member}' on object of type 'Extension'."
                )
        return body

    def _resource(
        self,
        cluster: Resource,
        key: str,
        current: Resource | None,
        full: Document,
        system_data: Document,
        *,
        identity: Document | None,
        kind: str,
    ) -> Resource:
        shown, secrets = split_secrets(shapes.EXTENSION, full)
        version = full["version"] or LATEST
        shown["scope"] = full["scope"] or {
            "cluster": {"releaseNamespace": "flux-system"},
            "namespace": None,
        }
        if cluster.type.endswith("managedclusters"):
            shown["aksAssignedIdentity"] = {
                **(full["aksAssignedIdentity"] or {"type": None}),
                "principalId": _stable_uuid(key),
                "tenantId": None,
            }
        observed: Document = {
            "currentVersion": current.properties.get("currentVersion") if current else None,
            "statuses": [],
            "errorInfo": None,
            "customLocationSettings": None,
            "packageUri": None,
            "isSystemExtension": False,
            "managementDetails": None,
            "additionalDetails": None,
            "extensionState": None,
            "provisioningState": kind,
        }
        document: Document = {
            "id": current.id if current else key,
            "name": key.rsplit("/", 1)[1],
            "type": f"{CONFIGURATION_NAMESPACE}/extensions",
            "systemData": system_data,
            "properties": {**shown, **observed},
        }
        if identity:
            document["identity"] = {
                "type": "SystemAssigned",
                "principalId": _stable_uuid(key),
                "tenantId": self._sim.identity.tenant_id,
            }
        return Resource(document, secrets, {"target_version": version})

    def _start(self, request: Request, key: str, kind: str) -> Operation:
        stuck, planned = write_plan(self._sim, request)
        return self._start_plain(key, kind, stuck, planned)

    def _start_plain(self, key: str, kind: str, stuck: bool, planned: Document | None) -> Operation:
        after: timedelta = self._sim.delay(seconds=5 if kind == "Deleting" else 8)
        return self._sim.operations.start(
            resource_key=key.lower(),
            resource_type=TYPE,
            kind=kind,
            after=after,
            stuck=stuck,
            planned_error=planned,
        )

    # -- what happens behind an accepted write

    def _complete(self, operation: Operation) -> bool:
        resource = self._sim.store.get(operation.resource_key)
        if resource is None:
            return True
        cluster = self._sim.store.get(resource.parent_key)
        error = operation.planned_error
        if cluster is None:
            self._sim.store.remove(resource.key)
            return True
        if error is None and not has_managed_identity(cluster):
            error = SERVICE_PRINCIPAL_CLUSTER
        if error is None and operation.kind != "Deleting":
            error = self._cluster_fault(cluster, resource, operation.kind)
        if error is None and operation.kind == "Creating":
            error = self._flux_v1_error(cluster)
        if error is not None:
            self._fail(operation, resource, error)
            return True
        if not self._sim.agents.is_online(cluster):
            if not self._sim.operations.has_timed_out(operation):
                return False
            self._fail(
                operation,
                resource,
                {
                    "code": "OperationTimedOut",
                    "message": "The agent of the cluster did not answer in 48 hours.",
                },
            )
            return True
        if operation.kind == "Deleting":
            self._remove(cluster, resource)
            return True
        self._install_on(cluster, resource)
        return True

    def _cluster_fault(self, cluster: Resource, resource: Resource, kind: str) -> Document | None:
        """Return what on the cluster stands against the extension."""
        is_flux = str(resource.properties["extensionType"]).lower() == FLUX
        if not is_flux or self._sim.agents.is_synthetic(cluster):
            return None
        return install_fault(
            self._sim.agents.simulation(cluster).state.traits,
            kind=cluster.id.split("/")[-2],
            region=str(cluster.document.get("location", "")),
            version=resource.private["target_version"],
            operation=kind,
        )

    def _flux_v1_error(self, cluster: Resource) -> Document | None:
        """That the two cannot share a cluster is documented; the words are not."""
        old = self._sim.store.children(cluster.key, FLUX_V1)
        if not old:
            return None
        return {
            "code": "ExtensionCreationFailed",
            "message": "Flux v1 configurations already exist on the cluster: "
            + ", ".join(it.name for it in old),
        }

    def _install_on(self, cluster: Resource, resource: Resource) -> None:
        version = resource.private["target_version"]
        self._sim.store.put(
            resource.with_properties(
                provisioningState="Succeeded",
                currentVersion=version,
                version=resource.properties["version"] or version,
                extensionState=None,
            )
        )
        if str(resource.properties["extensionType"]).lower() == FLUX:
            settings = join_secrets(resource.properties, resource.secrets)
            flat = {
                **(settings["configurationSettings"] or {}),
                **(settings["configurationProtectedSettings"] or {}),
            }
            self._sim.agents.install_extension(cluster, resource.name, version, flat)

    def _fail(self, operation: Operation, resource: Resource, error: Document) -> None:
        status = {
            "code": error["code"],
            "displayStatus": "Extension failed",
            "level": "Error",
            "message": error["message"],
            "time": wire_time(self._sim.clock.now()),
        }
        self._sim.store.put(
            resource.with_properties(provisioningState="Failed", statuses=[status], errorInfo=error)
        )
        self._sim.operations.end(operation, "Failed", error)

    def _remove(self, cluster: Resource, resource: Resource) -> None:
        self._sim.store.remove(resource.key)
        if str(resource.properties["extensionType"]).lower() == FLUX:
            self._sim.agents.uninstall_extension(cluster)

    def _refuse_during_operation(self, current: Resource) -> None:
        if self._sim.operations.open_on(current.key) is not None:
            raise operation_in_progress(current.id)

    def _require(self, current: Resource | None, target: Target) -> Resource:
        if current is None:
            raise resource_not_found(
                f"{CONFIGURATION_NAMESPACE}/extensions", target.name, target.resource_group
            )
        return current


def _stable_uuid(text: str) -> str:
    digest = hashlib.sha256(text.lower().encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
