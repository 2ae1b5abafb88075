"""The Kubernetes API of each simulated cluster, on the same port as ARM."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from simulator.agents import SYNTHETIC
from simulator.http import RESET
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

_NAMESPACES = {
    "managedclusters": "microsoft.containerservice",
    "connectedclusters": "microsoft.kubernetes",
    "provisionedclusters": "microsoft.hybridcontainerservice",
}


class KubernetesDoor:
    """``/{subscription}/{group}/{kind}/{cluster}/...`` to the cluster's own application."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = scope.get("root_path", "")
        parts = scope["path"][len(prefix) :].split("/", 5)
        cluster = self._find(parts)
        if cluster is None:
            response = _status(404, "NotFound", "the server could not find the requested resource")
            await response(scope, receive, send)
            return
        door = self._sim.router.credentials.door(cluster)
        rest = "/" + (parts[5] if len(parts) > 5 else "")
        self._sim.journal.note_kubernetes(scope["method"], cluster.name, rest)
        if door.unreachable:
            cut = cast("Callable[[], None] | None", (scope.get("extensions") or {}).get(RESET))
            if cut is None:
                raise ConnectionResetError
            cut()
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if not self._sim.router.credentials.accepts(cluster, authorization):
            await _status(401, "Unauthorized", "Unauthorized")(scope, receive, send)
            return
        refused = _refused(door.forbid, scope["method"], rest)
        if refused:
            await _status(403, "Forbidden", refused)(scope, receive, send)
            return
        inner = dict(scope)
        inner["root_path"] = ""
        inner["path"] = rest
        inner["raw_path"] = inner["path"].encode()
        await self._sim.agents.simulation(cluster).kubernetes_app()(inner, receive, send)

    def _find(self, parts: list[str]) -> Resource | None:
        if len(parts) < 5:
            return None
        _, subscription, group, kind, name = parts[:5]
        namespace = _NAMESPACES.get(kind.lower())
        if namespace is None:
            return None
        cluster = self._sim.store.get(
            f"/subscriptions/{subscription}/resourcegroups/{group}/providers/{namespace}/"
            f"{kind}/{name}"
        )
        if cluster is None or cluster.private.get("agent") == SYNTHETIC:
            return None
        return cluster


def _refused(forbid: list[str], method: str, path: str) -> str:
    """What the API server says of a request that RBAC refuses; empty where it lets it pass."""
    parts = path.strip("/").split("/")
    # api/VERSION/... or apis/GROUP/VERSION/...
    group, rest = (
        ("", parts[2:]) if parts[0] == "api" else (parts[1] if parts[1:] else "", parts[3:])
    )
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return ""
    verb = "patch" if method == "PATCH" else "get" if len(rest) > 1 else "list"
    if f"{verb} {rest[0]}" not in forbid:
        return ""
    kind = f"{rest[0]}.{group}" if group else rest[0]
    name = f' "{rest[1]}"' if len(rest) > 1 else ""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    return (
        f'{kind}{name} is forbidden: User "fluxgate" cannot {verb} resource "{rest[0]}" in API '
        f'group "{group}" {where}'
    )


def _status(code: int, reason: str, message: str) -> JSONResponse:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return JSONResponse(body, status_code=code)
