"""Who may do what: role assignments, and the permissions listing that shows them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from simulator.http import Answer, Document, Principal, Request

if TYPE_CHECKING:
    from simulator.arm.paths import Target
    from simulator.core import Simulator

ROLES: dict[str, Document] = {
    "Owner": {"actions": ["*"], "notActions": []},
    "Contributor": {
        "actions": ["*"],
        "notActions": [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    },
    "Reader": {"actions": ["*/read"], "notActions": []},
}


class Permissions:
    """Role assignments by principal and scope. A grant holds for everything below its scope."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._grants: dict[str, dict[str, Document]] = {}
        for application in simulator.identity.applications:
            self._grants[application.object_id] = {"": ROLES["Contributor"]}
        for person in simulator.identity.people:
            self._grants[person.object_id] = {"": ROLES[person.role]}
        for key, record in simulator.store.records("grants").items():
            self._grants[key] = record["scopes"]

    def grant(self, object_id: str, scope: str, actions: list[str], not_actions: list[str]) -> None:
        """Give a principal these actions at a scope instead of what it had there."""
        scopes = self._grants.setdefault(object_id, {})
        scopes[scope.lower().rstrip("/")] = {"actions": actions, "notActions": not_actions}
        self._save(object_id)

    def revoke(self, object_id: str, scope: str | None = None) -> None:
        """Take away the grant at a scope, or all of them."""
        if scope is None:
            self._grants[object_id] = {}
        else:
            self._grants.get(object_id, {}).pop(scope.lower().rstrip("/"), None)
        self._save(object_id)

    def allows(self, principal: Principal, action: str, scope: str) -> bool:
        return any(
            _matches(action, tuple(grant["actions"]))
            and not _matches(action, tuple(grant["notActions"]))
            for grant in self._at(principal, scope)
        )

    def read_scopes(self, principal: Principal) -> list[str] | None:
        """Return the scopes that a principal may read; None when that is everything."""
        scopes = [
            scope
            for scope, grant in self._grants.get(principal.object_id, {}).items()
            if any(action.lower() in ("*", "*/read") for action in grant["actions"])
        ]
        return None if "" in scopes else scopes

    def sees_subscription(self, principal: Principal, key: str) -> bool:
        """A subscription is listed for whoever may read something in it."""
        scopes = self.read_scopes(principal)
        return scopes is None or any(f"{scope}/".startswith(f"{key}/") for scope in scopes)

    def handle(self, request: Request, target: Target) -> Answer:
        """``{scope}/providers/Microsoft.Authorization/permissions``."""
        shown = [
            {**grant, "dataActions": [], "notDataActions": []}
            for grant in self._at(request.caller, target.scope.lower())
        ]
        return Answer(200, {"value": shown, "nextLink": None})

    def _at(self, principal: Principal, scope: str) -> list[Document]:
        scope = scope.lower()
        return [
            grant
            for granted, grant in self._grants.get(principal.object_id, {}).items()
            if not granted or scope == granted or scope.startswith(granted + "/")
        ]

    def _save(self, object_id: str) -> None:
        self._sim.store.record("grants", object_id, {"scopes": self._grants[object_id]})


@lru_cache(maxsize=4096)
def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"), re.IGNORECASE)
