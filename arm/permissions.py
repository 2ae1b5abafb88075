"""What the signed-in principal may do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from arm.base import GatewayBase
from arm.ids import scope_path

_API = "2022-04-01"


@dataclass(frozen=True)
class Permission:
    """One entry that a role assignment brings. Actions may hold ``*`` for any text."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


class PermissionOperations(GatewayBase):
    def permissions(self, scope_id: str) -> list[Permission]:
        """The principal's own permissions at a subscription, resource group or resource.

        The same path serves every scope, while the SDK knows only two of them.
        """
        url = (
            f"{self.account.cloud.arm_endpoint}{scope_path(scope_id)}"
            f"/providers/Microsoft.Authorization/permissions?api-version={_API}"
        )
        return [
            Permission(
                actions=tuple(item.get("actions") or ()),
                not_actions=tuple(item.get("notActions") or ()),
                data_actions=tuple(item.get("dataActions") or ()),
                not_data_actions=tuple(item.get("notDataActions") or ()),
            )
            for item in self._pages(self._send("GET", url))
        ]


def allows(permissions: Iterable[Permission], action: str) -> bool:
    """Whether any entry grants ``action`` without taking it back itself.

    What one role excludes another may grant (Azure RBAC: not-actions are no denial).
    """
    return any(
        _matches(permission.actions, action) and not _matches(permission.not_actions, action)
        for permission in permissions
    )


def missing(permissions: Iterable[Permission], actions: Iterable[str]) -> list[str]:
    """Those of ``actions`` that nothing grants, in their order."""
    held = list(permissions)
    return [action for action in actions if not allows(held, action)]


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)
