"""Resource providers and their registration, which takes time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from simulator.arm.errors import ArmError, method_not_allowed
from simulator.arm.paths import Target
from simulator.arm.versions import LOCATIONS, NAMESPACES, TYPES
from simulator.http import Answer, Document, Request

if TYPE_CHECKING:
    from simulator.core import Simulator

_REGISTRATION_SECONDS = 10


class Providers:
    """NotRegistered -> Registering -> Registered, and back with Unregistering in between.

    A namespace that was never touched counts as registered: the seeds start that way.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._states = simulator.store.records("registration")
        self._places = simulator.store.records("locations")

    def handle(self, request: Request, target: Target) -> Answer:
        """``/subscriptions/{id}/providers[/{namespace}[/register|/unregister]]``."""
        subscription = target.subscription or ""
        if target.namespace is None:
            shown = [self._body(subscription, name) for name in NAMESPACES.values()]
            return Answer(200, {"value": shown})
        namespace = NAMESPACES.get(target.namespace.lower())
        if namespace is None:
            raise ArmError(
                404,
                "InvalidResourceNamespace",
                f"The resource namespace '{target.namespace}' is invalid.",
            )
        action = target.types[0].lower() if target.types else ""
        if request.method == "GET" and not action:
            return Answer(200, self._body(subscription, namespace))
        if request.method == "POST" and action == "register":
            if not self.is_registered(subscription, namespace):
                self._move(subscription, namespace, "Registering")
            return Answer(200, self._body(subscription, namespace))
        if request.method == "POST" and action == "unregister":
            self._move(subscription, namespace, "Unregistering")
            return Answer(200, self._body(subscription, namespace))
        raise method_not_allowed(request.method, target.path)

    def is_registered(self, subscription: str, namespace: str) -> bool:
        return self.state(subscription, namespace) == "Registered"

    def state(self, subscription: str, namespace: str) -> str:
        record = self._states.get(_key(subscription, namespace))
        if record is None:
            return "Registered"
        state: str = record["state"]
        if record["due"] and datetime.fromisoformat(record["due"]) <= self._sim.clock.now():
            return {"Registering": "Registered", "Unregistering": "NotRegistered"}[state]
        return state

    def set_state(self, subscription: str, namespace: str, state: str) -> None:
        """Put a registration into a state at once, as the control door may."""
        self._save(subscription, namespace, {"state": state, "due": None})

    def locations(self, namespace: str) -> list[str]:
        """Where a namespace offers its types, as ARM writes it: "West Europe"."""
        kept = self._places.get(namespace.lower())
        return list(kept["locations"]) if kept else list(LOCATIONS)

    def set_locations(self, namespace: str, locations: list[str]) -> None:
        """Offer a namespace in these regions only, as the control door may; none: in all again."""
        key = namespace.lower()
        if not locations:
            self._places.pop(key, None)
            self._sim.store.forget("locations", key)
            return
        self._places[key] = {"locations": locations}
        self._sim.store.record("locations", key, self._places[key])

    def require_location(self, namespace: str, type_name: str, location: str) -> None:
        """Refuse a new resource in a region that its provider does not offer."""
        offered = [it.replace(" ", "").lower() for it in self.locations(namespace)]
        if location.replace(" ", "").lower() not in offered:
            raise ArmError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{location}' is not available for resource type "
                f"'{namespace}/{type_name}'. List of available regions for the resource type is "
                f"'{','.join(offered)}'.",
            )

    def next_due(self) -> datetime | None:
        """Return when the next registration that is under way ends."""
        now = self._sim.clock.now()
        times = [datetime.fromisoformat(r["due"]) for r in self._states.values() if r["due"]]
        return min((moment for moment in times if moment > now), default=None)

    def _move(self, subscription: str, namespace: str, state: str) -> None:
        if self.state(subscription, namespace) == state:
            return
        due = self._sim.clock.now() + self._sim.delay(seconds=_REGISTRATION_SECONDS)
        self._save(subscription, namespace, {"state": state, "due": due.isoformat()})

    def _save(self, subscription: str, namespace: str, record: Document) -> None:
        key = _key(subscription, namespace)
        self._states[key] = record
        self._sim.store.record("registration", key, record)

    def _body(self, subscription: str, namespace: str) -> Document:
        types = [t for t in TYPES.values() if t.namespace == namespace]
        return {
            "id": f"/subscriptions/{subscription}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": self.state(subscription, namespace),
            "resourceTypes": [
                {
                    "resourceType": entry.name,
                    "locations": self.locations(namespace),
                    "apiVersions": sorted(entry.versions, reverse=True),
                    "capabilities": "SupportsTags, SupportsLocation" if entry.tracked else "None",
                }
                for entry in types
            ],
        }


def _key(subscription: str, namespace: str) -> str:
    return f"{subscription}/{namespace}".lower()
