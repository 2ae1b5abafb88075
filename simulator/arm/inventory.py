"""Subscriptions, tenants, resource groups and the clusters themselves: what a portal reads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.arm.errors import (
    bad_request,
    method_not_allowed,
    missing_registration,
    resource_group_not_found,
    resource_not_found,
    subscription_not_found,
)
from simulator.arm.paths import Target
from simulator.arm.versions import LOCATIONS, TYPES
from simulator.arm.writes import stamped
from simulator.http import Answer, Document, Request
from simulator.settings import TENANT_DOMAIN
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

SUBSCRIPTION = "subscriptions"
GROUP = "microsoft.resources/resourcegroups"
_FILTER = re.compile(r"(\w+)\s+eq\s+'([^']*)'\Z", re.IGNORECASE)


class Inventory:
    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    # -- ARM's own collections

    def tenants(self, request: Request) -> Answer:
        tenant = self._sim.identity.tenant_id
        shown = {
            "id": f"/tenants/{tenant}",
            "tenantId": tenant,
            "countryCode": "NL",
            "displayName": "Fluxgate demo",
            "domains": [TENANT_DOMAIN],
            "defaultDomain": TENANT_DOMAIN,
            "tenantCategory": "Home",
            "tenantType": "AAD",
        }
        return Answer(200, {"value": [shown]})

    def subscriptions(self, request: Request) -> Answer:
        found = [
            s
            for s in self._sim.store.of_type(SUBSCRIPTION)
            if self._sim.permissions.sees_subscription(request.caller, s.key)
        ]
        body = self._sim.page(request, found, _subscription).body
        return Answer(200, {**body, "count": {"type": "Total", "value": len(found)}})

    def subscription(self, request: Request, target: Target) -> Answer:
        if request.method != "GET":
            raise method_not_allowed(request.method, target.path)
        return Answer(200, _subscription(self.require_subscription(target), request))

    def locations(self, request: Request, target: Target) -> Answer:
        self.require_subscription(target)
        shown = [
            {
                "id": f"/subscriptions/{target.subscription}/locations/"
                + place.replace(" ", "").lower(),
                "name": place.replace(" ", "").lower(),
                "type": "Region",
                "displayName": place,
                "regionalDisplayName": place,
            }
            for place in LOCATIONS
        ]
        return Answer(200, {"value": shown})

    def groups(self, request: Request, target: Target) -> Answer:
        subscription = self.require_subscription(target)
        found = self._sim.store.children(subscription.key, GROUP)
        return self._sim.page(request, _filtered(found, request), _plain)

    def group(self, request: Request, target: Target) -> Answer:
        self.require_subscription(target)
        current = self._sim.store.get(target.path)
        match request.method:
            case "GET" | "HEAD":
                if current is None:
                    raise resource_group_not_found(target.name)
                return Answer(200, current.document)
            case "PUT":
                return self._put_group(request, target, current)
            case "DELETE":
                if current is None:
                    raise resource_group_not_found(target.name)
                self._sim.remove_tree(current.key)
                return Answer(200)
            case method:
                raise method_not_allowed(method, target.path)

    def _put_group(self, request: Request, target: Target, current: Resource | None) -> Answer:
        body = request.json() or {}
        location = body.get("location")
        if not location:
            raise bad_request("LocationRequired", "The location property is required.")
        document = {
            "id": current.id if current else target.path,
            "name": target.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "tags": body.get("tags") or {},
            "properties": {"provisioningState": "Succeeded"},
        }
        self._sim.store.put(Resource(document))
        return Answer(200 if current else 201, document)

    def resources(self, request: Request, target: Target) -> Answer:
        """The generic listing of tracked resources, in a subscription or a group."""
        if target.resource_group is not None:
            self.require_group(target)
        else:
            self.require_subscription(target)
        below = target.scope.lower() + "/"
        tracked = [key for key, entry in TYPES.items() if entry.tracked]
        found = [r for r in self._sim.store.of_type(*tracked) if r.key.startswith(below)]
        return self._sim.page(request, _filtered(found, request), _generic, size=1000)

    # -- clusters and other tracked resources

    def tracked(self, request: Request, target: Target) -> Answer:
        namespace = TYPES[target.full_type].namespace
        if target.resource_group is not None:
            self.require_group(target)
        else:
            self.require_subscription(target)
        if target.is_collection:
            if request.method != "GET":
                raise method_not_allowed(request.method, target.path)
            below = target.scope.lower() + "/"
            found = [
                r for r in self._sim.store.of_type(target.full_type) if r.key.startswith(below)
            ]
            return self._sim.page(request, found, _plain)
        current = self._sim.store.get(target.path)
        if current is None:
            raise resource_not_found(
                TYPES[target.full_type].full_name, target.name, target.resource_group
            )
        match request.method:
            case "GET":
                return Answer(200, current.document)
            case "PATCH":
                if not self._sim.providers.is_registered(target.subscription or "", namespace):
                    raise missing_registration(namespace)
                return self._tag(request, current)
            case "DELETE":
                self._sim.remove_tree(current.key)
                return Answer(200)
            case method:
                raise method_not_allowed(method, target.path)

    def _tag(self, request: Request, current: Resource) -> Answer:
        """PATCH of a tracked resource replaces its tags, and nothing else here."""
        body = request.json() or {}
        if set(body) - {"tags"}:
            raise bad_request("InvalidRequestContent", "Only the tags can be changed.")
        document = {
            **current.document,
            "tags": body.get("tags") or {},
            "systemData": stamped(self._sim, request, current),
        }
        return Answer(200, self._sim.store.put(replace(current, document=document)).document)

    # -- scopes that must exist

    def require_subscription(self, target: Target) -> Resource:
        found = self._sim.store.get(f"/subscriptions/{target.subscription}")
        if found is None:
            raise subscription_not_found(target.subscription or "")
        return found

    def require_group(self, target: Target) -> Resource:
        self.require_subscription(target)
        key = f"/subscriptions/{target.subscription}/resourceGroups/{target.resource_group}"
        found = self._sim.store.get(key)
        if found is None:
            raise resource_group_not_found(target.resource_group or "")
        return found


def _subscription(resource: Resource, request: Request) -> Document:
    properties = resource.properties
    return {
        "id": resource.id,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": resource.name,
        "tenantId": properties["tenantId"],
        "displayName": properties["displayName"],
        "state": "Enabled",
        "tags": resource.document.get("tags") or {},
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _plain(resource: Resource, request: Request) -> Document:
    return resource.document


def _generic(resource: Resource, request: Request) -> Document:
    names = ("id", "name", "type", "location", "kind", "sku", "tags", "identity", "managedBy")
    return {name: resource.document[name] for name in names if resource.document.get(name)}


def _filtered(resources: list[Resource], request: Request) -> list[Resource]:
    """Apply ``$filter``: equality clauses joined by ``and``, as the listing supports."""
    text = request.query.get("$filter", "").strip()
    if not text:
        return resources
    wanted: dict[str, str] = {}
    for clause in re.split(r"\s+and\s+", text, flags=re.IGNORECASE):
        match = _FILTER.match(clause.strip())
        if match is None:
            raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}'.")
        wanted[match[1].lower()] = match[2]
    unknown = set(wanted) - {
        "resourcetype",
        "resourcegroup",
        "location",
        "name",
        "tagname",
        "tagvalue",
    }
    if unknown:
        raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}'.")
    return [resource for resource in resources if _passes(resource, wanted)]


def _passes(resource: Resource, wanted: dict[str, str]) -> bool:
    document = resource.document
    tags = {str(k).lower(): v for k, v in (document.get("tags") or {}).items()}
    tag = wanted.get("tagname", "").lower()
    checks = {
        "resourcetype": resource.type,
        "resourcegroup": resource.resource_group or "",
        "location": str(document.get("location", "")).lower(),
        "name": resource.name.lower(),
    }
    if any(name in wanted and wanted[name].lower() != value for name, value in checks.items()):
        return False
    if tag and tag not in tags:
        return False
    return "tagvalue" not in wanted or tags.get(tag) == wanted["tagvalue"]
