"""Microsoft.KubernetesConfiguration/fluxConfigurations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.arm import names, shapes
from simulator.arm.errors import (
    method_not_allowed,
    operation_in_progress,
    resource_not_found,
    validation_failed,
)
from simulator.arm.operations import Operation, accepted, polled
from simulator.arm.paths import Target
from simulator.arm.schema import clean, fill, join_secrets, merge, split_secrets, visible, writable
from simulator.arm.writes import CONFIGURATION_NAMESPACE, cluster_of, stamped, write_plan
from simulator.http import Answer, Document, Request
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

TYPE = "microsoft.kubernetesconfiguration/fluxconfigurations"
_BODIES = {
    "GitRepository": "gitRepository",
    "Bucket": "bucket",
    "AzureBlob": "azureBlob",
    "OCIRepository": "ociRepository",
}
# From here on the service insists on at least one kustomization.
_NEEDS_KUSTOMIZATION = "2024-11-01"
_GITHUB_PROVIDER = "2025-04-01"
_RESOURCE_MEMBERS = {"properties", "id", "name", "type", "systemData"}


class FluxConfigurations:
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
        key = f"{cluster.id}/providers/{CONFIGURATION_NAMESPACE}/fluxConfigurations/{target.name}"
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
        """GET on an operation below a configuration."""
        operation = self._sim.operations.get(target.name)
        if operation is None or request.method != "GET":
            raise resource_not_found("operations", target.name, target.resource_group)
        return polled(operation, target.up().path, self._sim.retry_after)

    def render(self, resource: Resource, request: Request) -> Document:
        shown = visible(shapes.FLUX_CONFIGURATION, resource.properties, str(request.api_version))
        return {**resource.document, "properties": shown}

    # -- writes

    def _put(
        self, request: Request, cluster: Resource, key: str, current: Resource | None
    ) -> Answer:
        name = key.rsplit("/", 1)[1]
        names.check_name(name, "configuration name")
        body = self._body(request)
        sent = clean(
            shapes.FLUX_CONFIGURATION,
            body.get("properties") or {},
            version=str(request.api_version),
            path="properties",
        )
        full = fill(shapes.FLUX_CONFIGURATION, sent)
        if current is None:
            location = str(cluster.document.get("location") or "")
            self._sim.providers.require_location(
                CONFIGURATION_NAMESPACE, "fluxConfigurations", location
            )
        if current is not None:
            self._refuse_during_operation(current)
            for member in ("scope", "namespace"):
                if sent.get(member) is None:
                    full[member] = current.properties[member]
                elif full[member] != current.properties[member]:
                    raise validation_failed(
                        f"The property '{member}' cannot be changed after the configuration has "
                        f"been created. Current value: '{current.properties[member]}'."
                    )
        # A PUT replaces the secrets as well: those left out are wiped.
        return self._store(request, cluster, key, current, full, status=200 if current else 201)

    def _patch(self, request: Request, cluster: Resource, current: Resource) -> Answer:
        self._refuse_during_operation(current)
        body = self._body(request)
        patch = clean(
            shapes.FLUX_CONFIGURATION,
            body.get("properties") or {},
            version=str(request.api_version),
            patch=True,
            path="properties",
        )
        before = join_secrets(
            writable(shapes.FLUX_CONFIGURATION, current.properties), current.secrets
        )
        full = fill(shapes.FLUX_CONFIGURATION, merge(shapes.FLUX_CONFIGURATION, before, patch))
        return self._store(request, cluster, current.id, current, full, status=202)

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
            request,
            operation,
            current.id,
            status=202,
            body=None,
            retry_after=self._sim.retry_after,
        )

    def _body(self, request: Request) -> Document:
        body = request.json()
        if not isinstance(body, dict):
            raise validation_failed("The request body must be a JSON object.")
        for member in body:
            if member not in _RESOURCE_MEMBERS:
                raise validation_failed(
                    f"Could not find member '{member}' on object of type 'FluxConfiguration'."
                )
        return body

    def _store(
        self,
        request: Request,
        cluster: Resource,
        key: str,
        current: Resource | None,
        full: Document,
        *,
        status: int,
    ) -> Answer:
        _check(full, key.rsplit("/", 1)[1], str(request.api_version))
        _drop_other_sources(full)
        for name, kustomization in full["kustomizations"].items():
            kustomization["name"] = name
        shown, secrets = split_secrets(shapes.FLUX_CONFIGURATION, full)
        kind = "Updating" if current else "Creating"
        observed = (
            {
                name: current.properties.get(name)
                for name, member in shapes.FLUX_CONFIGURATION.fields.items()
                if member.read_only
            }
            if current
            else {
                "statuses": [],
                "repositoryPublicKey": "",
                "sourceSyncedCommitId": None,
                "sourceUpdatedAt": None,
                "statusUpdatedAt": None,
                "complianceState": "Pending",
            }
        )
        document = {
            "id": current.id if current else key,
            "name": key.rsplit("/", 1)[1],
            "type": f"{CONFIGURATION_NAMESPACE}/fluxConfigurations",
            "systemData": stamped(self._sim, request, current),
            "properties": {**shown, **observed, "provisioningState": kind, "errorMessage": ""},
        }
        resource = self._sim.store.put(Resource(document, secrets))
        operation = self._start(request, resource.key, kind)
        return accepted(
            request,
            operation,
            resource.id,
            status=status,
            body=self.render(resource, request),
            retry_after=self._sim.retry_after,
        )

    def _start(self, request: Request, key: str, kind: str) -> Operation:
        stuck, planned = write_plan(self._sim, request)
        return self._sim.operations.start(
            resource_key=key.lower(),
            resource_type=TYPE,
            kind=kind,
            after=self._sim.delay(seconds=2 if kind == "Deleting" else 3),
            stuck=stuck,
            planned_error=planned,
        )

    # -- what happens behind an accepted write

    def _complete(self, operation: Operation) -> bool:
        resource = self._sim.store.get(operation.resource_key)
        if resource is None:
            return True
        cluster = self._sim.store.get(resource.parent_key)
        if cluster is None or operation.planned_error is not None:
            self._fail(operation, resource, operation.planned_error or _cluster_gone())
            return True
        if not self._sim.agents.is_online(cluster):
            return self._wait_or_fail(operation, resource)
        if operation.kind == "Deleting":
            self._remove(cluster, resource)
            return True
        problem = self._sim.extensions.ensure_flux(cluster)
        if problem is not None:
            self._fail(operation, resource, problem)
            return True
        if not self._sim.extensions.is_ready(cluster):
            return False  # The extension is being installed for the first configuration.
        if operation.handed_over is None:
            operation.handed_over = self._sim.clock.now()
            self._sim.agents.put_configuration(cluster, resource)
        if resource.properties["waitForReconciliation"] and operation.kind != "Deleting":
            return self._wait_for_reconciliation(operation, resource)
        self._sim.store.put(resource.with_properties(provisioningState="Succeeded"))
        return True

    def _wait_for_reconciliation(self, operation: Operation, resource: Resource) -> bool:
        """Keep the operation open until the configuration complies or its time is over."""
        properties = resource.properties
        started = operation.handed_over or operation.started
        wait = names.read_duration(properties["reconciliationWaitDuration"] or "PT5M")
        fresh = properties["statusUpdatedAt"] is not None
        if fresh and properties["complianceState"] == "Compliant":
            self._sim.store.put(resource.with_properties(provisioningState="Succeeded"))
            return True
        if self._sim.clock.now() - started < wait:
            return False
        error = {
            "code": "ReconciliationTimedOut",
            "message": "The configuration did not become compliant in the time given by "
            "reconciliationWaitDuration.",
        }
        self._fail(operation, resource, error)
        return True

    def _wait_or_fail(self, operation: Operation, resource: Resource) -> bool:
        if not self._sim.operations.has_timed_out(operation):
            return False
        error = {
            "code": "OperationTimedOut",
            "message": "The agent of the cluster did not fetch the configuration in 48 hours. "
            "Apply it again when the cluster is connected.",
        }
        # The service keeps secrets no longer than it waits for the agent.
        resource = replace(resource, secrets={})
        self._fail(operation, resource, error)
        return True

    def _fail(self, operation: Operation, resource: Resource, error: Document) -> None:
        self._sim.store.put(
            resource.with_properties(provisioningState="Failed", errorMessage=error["message"])
        )
        self._sim.operations.end(operation, "Failed", error)

    def _remove(self, cluster: Resource, resource: Resource) -> None:
        self._sim.store.remove(resource.key)
        self._sim.agents.delete_configuration(cluster, resource.name)

    def _refuse_during_operation(self, current: Resource) -> None:
        if self._sim.operations.open_on(current.key) is not None:
            raise operation_in_progress(current.id)

    def _require(self, current: Resource | None, target: Target) -> Resource:
        if current is None:
            raise resource_not_found(
                f"{CONFIGURATION_NAMESPACE}/fluxConfigurations",
                target.name,
                target.resource_group,
            )
        return current


def _check(full: Document, name: str, version: str) -> None:
    names.check_namespace(full["namespace"])
    kind = full["sourceKind"]
    if not full[_BODIES[kind]]:
        raise validation_failed(
            f"Invalid source kind match. Config with specified source kind '{kind}' must contain "
            "corresponding body specified in the properties."
        )
    source = full[_BODIES[kind]]
    if not source.get("url"):
        raise validation_failed(f"The url of '{_BODIES[kind]}' is required.")
    if kind == "GitRepository":
        if source.get("provider") == "GitHub" and version < _GITHUB_PROVIDER:
            raise validation_failed("The provider 'GitHub' is not supported in this api-version.")
        _check_reference(source.get("repositoryRef") or {})
    if not full["kustomizations"] and version >= _NEEDS_KUSTOMIZATION:
        raise validation_failed("At least one kustomization must be specified.")
    for kustomization in full["kustomizations"]:
        names.check_name(kustomization, "kustomization name")
        if len(f"{name}-{kustomization}") > 63:
            raise validation_failed(
                f"Flux configuration name '{name}' combined with kustomization name "
                f"'{kustomization}' cannot be greater than 62 characters."
            )
    if full["reconciliationWaitDuration"]:
        names.read_duration(full["reconciliationWaitDuration"])


def _check_reference(reference: Document) -> None:
    given = [name for name, value in reference.items() if value]
    if not given:
        raise validation_failed(
            "The repositoryRef must specify one of branch, tag, semver or commit."
        )


def _drop_other_sources(full: Document) -> None:
    """Keep the body of the chosen source kind alone; others arrive as empty objects at most."""
    for kind, member in _BODIES.items():
        if kind != full["sourceKind"]:
            full[member] = None


def _cluster_gone() -> Document:
    return {"code": "ClusterNotFound", "message": "The cluster was deleted."}
