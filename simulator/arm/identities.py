"""User-assigned identities and their federated credentials."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from simulator.arm.errors import ArmError, bad_request, method_not_allowed, resource_not_found
from simulator.arm.inventory import Inventory
from simulator.arm.paths import Target
from simulator.http import Answer, Document, Request
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

IDENTITY = "microsoft.managedidentity/userassignedidentities"
CREDENTIAL = f"{IDENTITY}/federatedidentitycredentials"
_MEMBERS = ("issuer", "subject", "audiences")
_LIMIT = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}", re.ASCII)
_ISSUER_URL = re.compile(r"https://\S{1,592}")


class Identities:
    def __init__(self, simulator: Simulator, inventory: Inventory) -> None:
        self._sim = simulator
        self._inventory = inventory
        self._written: dict[str, datetime] = {}  # identity: when its credentials were written

    def handle(self, request: Request, target: Target) -> Answer:
        """Identities are read as any tracked resource; credentials hang below them."""
        if target.full_type == IDENTITY:
            return self._inventory.tracked(request, target)
        self._inventory.require_group(target)
        identity = self._sim.store.get(target.up().path)
        if identity is None:
            raise resource_not_found(
                "Microsoft.ManagedIdentity/userAssignedIdentities",
                target.names[0],
                target.resource_group,
            )
        if target.is_collection:
            found = self._sim.store.children(identity.key, CREDENTIAL)
            return self._sim.page(request, found, lambda resource, _: resource.document)
        key = f"{identity.id}/federatedIdentityCredentials/{target.name}"
        current = self._sim.store.get(key)
        match request.method:
            case "GET":
                if current is None:
                    raise resource_not_found(
                        "Microsoft.ManagedIdentity/userAssignedIdentities/"
                        "federatedIdentityCredentials",
                        target.name,
                        target.resource_group,
                    )
                return Answer(200, current.document)
            case "PUT":
                return self._put(request, identity, key, current)
            case "DELETE":
                if current is None:
                    return Answer(204)
                self._refuse_concurrent(identity)
                self._sim.store.remove(current.key)
                return Answer(200)
            case method:
                raise method_not_allowed(method, target.path)

    def _put(
        self, request: Request, identity: Resource, key: str, current: Resource | None
    ) -> Answer:
        body = request.json()
        properties = body.get("properties") if isinstance(body, dict) else None
        if not isinstance(properties, dict) or set(properties) - set(_MEMBERS):
            raise bad_request("BadRequest", "The request body is not a federated credential.")
        for member in _MEMBERS:
            if not properties.get(member):
                raise bad_request("BadRequest", f"The property '{member}' is required.")
        if not _NAME.fullmatch(key.rsplit("/", 1)[1]):
            raise bad_request(
                "BadRequest", "The name of a federated identity credential is not valid."
            )
        if not _ISSUER_URL.fullmatch(str(properties["issuer"])):
            raise bad_request("BadRequest", "The issuer must be a valid HTTPS URL.")
        self._refuse_duplicate(identity, key, properties)
        self._refuse_concurrent(identity)
        document = {
            "id": current.id if current else key,
            "name": key.rsplit("/", 1)[1],
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
            "properties": {name: properties[name] for name in _MEMBERS},
        }
        self._sim.store.put(Resource(document))
        return Answer(200 if current else 201, document)

    def _refuse_duplicate(self, identity: Resource, key: str, properties: Document) -> None:
        others = [
            other
            for other in self._sim.store.children(identity.key, CREDENTIAL)
            if other.key != key.lower()
        ]
        same = ("issuer", "subject")
        if any(all(o.properties[m] == properties[m] for m in same) for o in others):
            raise ArmError(
                409,
                "Conflict",
                "Issuer and subject combination already exists for this Managed Identity.",
            )
        if len(others) >= _LIMIT:
            raise bad_request(
                "BadRequest",
                f"Too many Federated Identity Credentials: {_LIMIT} is the limit for an identity.",
            )

    def _refuse_concurrent(self, identity: Resource) -> None:
        """One write at a time for an identity. Ours take no time, so the option
        ``credential_write_seconds`` says for how long one keeps others out."""
        now = self._sim.clock.now()
        busy = timedelta(seconds=float(self._sim.options["credential_write_seconds"]))
        before = self._written.get(identity.key)
        if before is not None and now - before < busy:
            raise ArmError(
                409,
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed "
                f"identity '{identity.name}'. Concurrent Federated Identity Credentials writes "
                "under the same managed identity are not supported.",
            )
        self._written[identity.key] = now
