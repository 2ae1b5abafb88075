"""The ARM door: authentication, throttling, authorization, and the way to each provider."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.arm import metadata, versions
from simulator.arm.credentials import Credentials
from simulator.arm.errors import (
    ArmError,
    authorization_failed,
    method_not_allowed,
    resource_group_not_found,
)
from simulator.arm.identities import Identities
from simulator.arm.inventory import Inventory
from simulator.arm.paths import Target, parse
from simulator.arm.writes import cluster_of
from simulator.graph.service import ResourceGraph
from simulator.http import Answer, Principal, Request
from simulator.identity.tokens import TokenError, principal_of
from simulator.throttle import KIND_OF_METHOD

if TYPE_CHECKING:
    from simulator.core import Simulator

_ACTIONS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_WRITES = ("PUT", "PATCH", "DELETE")
_METHODS = (*_ACTIONS, "POST")
_AUDIENCES = ("localhost", "127.0.0.1", "management.azure.com", "management.core.windows.net")


class ArmRouter:
    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self.inventory = Inventory(simulator)
        self.identities = Identities(simulator, self.inventory)
        self.credentials = Credentials(simulator)
        self.graph = ResourceGraph(simulator)

    def handle(self, request: Request, *, out_of_band: bool = False) -> Answer:
        """Answer one ARM request. ``out_of_band`` ones carry their principal already."""
        try:
            if request.path.rstrip("/").lower() == "/metadata/endpoints":
                answer = metadata.endpoints(request, self._sim.identity.tenant_id)
            else:
                answer = self._answer(request, out_of_band)
        except ArmError as error:
            answer = error.answer()
        return self._with_headers(request, answer)

    def _answer(self, request: Request, out_of_band: bool) -> Answer:
        if request.principal is None:
            request.principal = self._authenticate(request)
        if request.method not in _METHODS:
            raise method_not_allowed(request.method, request.path)
        target = parse(request.path)
        remaining = {} if out_of_band else self._throttle(request, target)
        self._authorize(request, target)
        answer = self._dispatch(request, target)
        answer.headers.update(remaining)
        if answer.status < 300 and (request.method in _WRITES or _is_registration(request, target)):
            self._sim.journal.append(
                principal=request.caller,
                method=request.method,
                path=request.path,
                api_version=request.api_version,
                body=request.json(),
                status=answer.status,
                client_request_id=request.headers.get("x-ms-client-request-id"),
                out_of_band=out_of_band,
            )
        return answer

    def _authenticate(self, request: Request) -> Principal:
        try:
            claims = self._sim.tokens.check(request.headers.get("authorization"))
            _check_audience(str(claims["aud"]))
        except TokenError as error:
            raise self.unauthenticated(request, error) from error
        return principal_of(claims)

    def unauthenticated(self, request: Request, error: TokenError) -> ArmError:
        """Return the 401 with the challenge that tells a client where to get a token."""
        challenge = (
            f'Bearer authorization_uri="{request.base_url}/{self._sim.identity.tenant_id}", '
            f'error="invalid_token", error_description="{error.message}"'
        )
        return ArmError(401, error.code, error.message, headers={"WWW-Authenticate": challenge})

    def _throttle(self, request: Request, target: Target) -> dict[str, str]:
        kind = KIND_OF_METHOD.get(request.method, "writes")
        if target.full_type == "microsoft.resourcegraph/resources":
            kind = "reads"
        scope = "subscription" if target.subscription else "tenant"
        left, wait = self._sim.throttle.take(
            (target.subscription or "").lower(), request.caller.object_id, kind
        )
        self._sim.journal.requests[f"arm.{kind}"] += 1
        if wait:
            self._sim.journal.requests["arm.throttled"] += 1
            raise ArmError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of {kind} requests for {scope} "
                f"'{target.subscription or self._sim.identity.tenant_id}' and actor "
                f"'{request.caller.object_id}' exceeded. Please try again after '{wait}' seconds.",
                headers={
                    "Retry-After": str(wait),
                    f"x-ms-ratelimit-remaining-{scope}-{kind}": "0",
                },
            )
        return {f"x-ms-ratelimit-remaining-{scope}-{kind}": str(left)}

    def _authorize(self, request: Request, target: Target) -> None:
        if target.subscription is None:
            return  # Tenant calls show each caller what that caller may read.
        if target.types[-1:] and target.types[-1].lower() == "permissions":
            return
        action = _action(request, target)
        scope = target.path
        if not self._sim.permissions.allows(request.caller, action, scope):
            caller = request.caller
            raise authorization_failed(caller.name, caller.object_id, action, scope)

    def _dispatch(self, request: Request, target: Target) -> Answer:
        if target.namespace is None:
            return self._without_namespace(request, target)
        if not target.types or (
            target.resource_group is None and target.types[0].lower() in ("register", "unregister")
        ):
            versions.require_resources_version(request.api_version)
            self._require_subscription(target)
            return self._sim.providers.handle(request, target)
        kind = target.full_type
        versions.require_type(kind, target.namespace, request.api_version)
        entry = versions.TYPES[kind]
        if kind == "microsoft.resourcegraph/resources":
            return self.graph.handle(request)
        if target.resource_group is not None and entry.is_extension:
            self._require_group(target)
        match kind.split("/", 1)[1]:
            case "fluxconfigurations":
                return self._sim.configurations.handle(request, target)
            case "fluxconfigurations/operations":
                return self._sim.configurations.operation(request, target)
            case "extensions":
                return self._sim.extensions.handle(request, target)
            case "extensions/operations":
                return self._sim.extensions.operation(request, target)
            case "sourcecontrolconfigurations":
                return self._flux_version_1(request, target)
            case "permissions":
                return self._sim.permissions.handle(request, target)
            case path if path.endswith("/listclusterusercredential"):
                return self.credentials.handle(request, target)
            case path if path.startswith("userassignedidentities"):
                return self.identities.handle(request, target)
        if entry.tracked:
            return self.inventory.tracked(request, target)
        raise method_not_allowed(request.method, target.path)

    def _without_namespace(self, request: Request, target: Target) -> Answer:
        version = request.api_version
        versions.require_resources_version(version)
        match [part.lower() for part in target.path.split("/")[1:]]:
            case ["tenants"]:
                return self.inventory.tenants(request)
            case ["subscriptions"]:
                return self.inventory.subscriptions(request)
            case ["subscriptions", _]:
                return self.inventory.subscription(request, target)
            case ["subscriptions", _, "locations"]:
                return self.inventory.locations(request, target)
            case ["subscriptions", _, "resourcegroups"]:
                return self.inventory.groups(request, target)
            case ["subscriptions", _, "resourcegroups", _]:
                return self.inventory.group(request, target)
            case ["subscriptions", _, "providers"]:
                self._require_subscription(target)
                return self._sim.providers.handle(request, target)
            case ["subscriptions", _, "resources"]:
                return self.inventory.resources(request, target)
            case ["subscriptions", _, "resourcegroups", _, "resources"]:
                return self.inventory.resources(request, target)
        raise ArmError(404, "InvalidRequestUri", f"The request URI '{target.path}' is invalid.")

    def _flux_version_1(self, request: Request, target: Target) -> Answer:
        """Flux v1 configurations can be listed and read; nobody creates them any more."""
        kind = "microsoft.kubernetesconfiguration/sourcecontrolconfigurations"
        cluster = cluster_of(self._sim, target)
        found = self._sim.store.children(cluster.key, kind)
        if request.method != "GET":
            raise method_not_allowed(request.method, target.path)
        if target.is_collection:
            return self._sim.page(request, found, lambda resource, _: resource.document)
        for resource in found:
            if resource.key == target.path.lower():
                return Answer(200, resource.document)
        raise ArmError(404, "ResourceNotFound", f"'{target.name}' was not found.")

    def _require_subscription(self, target: Target) -> None:
        self.inventory.require_subscription(target)

    def _require_group(self, target: Target) -> None:
        self._require_subscription(target)
        key = f"/subscriptions/{target.subscription}/resourceGroups/{target.resource_group}"
        if self._sim.store.get(key) is None:
            raise resource_group_not_found(target.resource_group or "")

    def _with_headers(self, request: Request, answer: Answer) -> Answer:
        headers = request.headers
        request_id = str(uuid.uuid4())
        answer.headers.setdefault("x-ms-request-id", request_id)
        answer.headers.setdefault(
            "x-ms-correlation-request-id", headers.get("x-ms-correlation-request-id", request_id)
        )
        answer.headers["x-ms-routing-request-id"] = f"LOCAL:{request_id}"
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if headers.get("x-ms-return-client-request-id", "").lower() == "true":
            answer.headers["x-ms-client-request-id"] = headers.get("x-ms-client-request-id", "")
        return answer


def _check_audience(audience: str) -> None:
    """Refuse tokens that were issued for something else, such as an id token."""
    if urlsplit(audience).hostname not in _AUDIENCES:
        raise TokenError(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource "
            f"'{audience}'. It should exactly match with one of the allowed audiences.",
        )


def _is_registration(request: Request, target: Target) -> bool:
    return (
        request.method == "POST"
        and bool(target.types)
        and (target.types[-1].lower() in ("register", "unregister"))
    )


def _action(request: Request, target: Target) -> str:
    namespace = target.namespace or "Microsoft.Resources"
    kind = "/".join((namespace, *target.types))
    if target.namespace is None:
        kind = "Microsoft.Resources/subscriptions"
        if len(target.path.split("/")) > 3:
            kind += "/" + target.path.split("/")[3]
    if request.method == "POST":
        return f"{kind}/action"
    return f"{kind}/{_ACTIONS.get(request.method, 'read')}"
