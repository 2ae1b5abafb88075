"""The ASGI application: every door of the simulator on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from simulator.arm.credentials import KUBERNETES_DOOR
from simulator.control_routes import control_routes
from simulator.core import Simulator
from simulator.faults import Fault
from simulator.http import RESET, Answer, Request
from simulator.identity.routes import SignIn
from simulator.identity.tokens import TokenError
from simulator.kubernetes_door import KubernetesDoor


def create_app(simulator: Simulator) -> ASGIApp:
    sign_in = SignIn(simulator.identity, simulator.tokens, simulator.clock)
    arm = ArmDoor(simulator)
    return Starlette(
        routes=[
            Mount("/_control", routes=control_routes(simulator)),
            Mount(KUBERNETES_DOOR, app=KubernetesDoor(simulator)),
            *(route for route in sign_in.routes() if isinstance(route, Route)),
            Mount("/", app=arm),
        ]
    )


class ArmDoor:
    """Lets faults have their say, then passes the request on."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        web = WebRequest(scope, receive)
        request = Request(
            method=web.method,
            path=scope["path"],
            query=dict(web.query_params),
            headers={name.lower(): value for name, value in web.headers.items()},
            body=await web.body(),
            base_url=str(web.base_url).rstrip("/"),
        )
        reset = cast("Callable[[], None]", scope.get("extensions", {}).get(RESET))
        fault = self._sim.faults.at_the_door(request.method, request.path)
        if fault is not None:
            self._sim.journal.requests[f"fault.{fault.kind}"] += 1
            if fault.kind == "hang":
                await asyncio.sleep(fault.seconds)
            if fault.kind == "reset_before":
                reset()
                return
        answer = self._answer_of(fault, request) or await self._handle(request)
        if fault is not None and fault.kind == "reset_after":
            reset()
            return
        response = Response(answer.encoded(), answer.status, answer.headers)
        if answer.body is not None:
            response.headers["Content-Type"] = "application/json; charset=utf-8"
        await response(scope, receive, send)

    async def _handle(self, request: Request) -> Answer:
        if request.path.lower().startswith("/providers/microsoft.resourcegraph/"):
            # A query over a fleet takes long enough to keep others waiting.
            return await run_in_threadpool(self._sim.handle, request)
        return self._sim.handle(request)

    def _answer_of(self, fault: Fault | None, request: Request) -> Answer | None:
        """Return the answer that a fault gives in place of the real one."""
        if fault is None:
            return None
        if fault.kind == "expired_token":
            expired = TokenError(
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.",
            )
            return self._sim.router.unauthenticated(request, expired).answer()
        if fault.kind == "status":
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            body = {"error": {"code": fault.code, "message": fault.message}}
            return Answer(fault.status, body, headers)
        return None
