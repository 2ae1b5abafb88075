"""The Kubernetes API of each simulated cluster, on the same port as ARM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from simulator.agents import SYNTHETIC
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
        headers = {name.lower(): value for name, value in scope["headers"]}
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if not self._sim.router.credentials.accepts(cluster, authorization):
            await _status(401, "Unauthorized", "Unauthorized")(scope, receive, send)
            return
        inner = dict(scope)
        inner["root_path"] = ""
        inner["path"] = "/" + (parts[5] if len(parts) > 5 else "")
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
