"""The control door: ``Control`` over HTTP, for this machine only.

``GET /_control/`` lists what there is. Reading is GET; everything else is POST with the method's
arguments as a JSON object, and answers ``{"result": ...}``.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.control import Control

if TYPE_CHECKING:
    from simulator.core import Simulator

_READS = (
    "time",
    "faults",
    "journal",
    "requests",
    "resource",
    "resources",
    "options",
    "kubernetes_requests",
)
_LOCAL = ("127.0.0.1", "::1", "localhost", "testclient")


def control_routes(simulator: Simulator) -> list[Route]:
    control = Control(simulator)
    operations = {
        name: method
        for name, method in inspect.getmembers(control, inspect.ismethod)
        if not name.startswith("_")
    }

    async def index(request: Request) -> Response:
        shown = {
            name: {
                "method": "GET" if name in _READS else "POST",
                "arguments": str(inspect.signature(method)),
                "help": (inspect.getdoc(method) or "").split("\n")[0],
            }
            for name, method in operations.items()
        }
        return JSONResponse(shown)

    async def call(request: Request) -> Response:
        if request.client is not None and request.client.host not in _LOCAL:
            return JSONResponse({"error": "This door is for this machine only."}, 403)
        if "origin" in request.headers:
            # A page in a browser on this machine is not meant either.
            return JSONResponse({"error": "This door is not for web pages."}, 403)
        name = request.path_params["name"].replace("-", "_")
        operation = operations.get(name)
        if operation is None:
            return JSONResponse({"error": f"There is no {name!r}."}, 404)
        if request.method == "GET" and name not in _READS:
            return JSONResponse({"error": f"{name!r} takes POST."}, 405)
        try:
            arguments = await _arguments(request)
            result = await run_in_threadpool(operation, **arguments)
        except KeyError as error:
            return JSONResponse({"error": f"There is no {error.args[0]!r}."}, 404)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"result": result})

    return [
        Route("/", index),
        Route("/{name}", call, methods=["GET", "POST"]),
    ]


async def _arguments(request: Request) -> dict[str, Any]:
    if request.method == "GET":
        return {
            name: int(value) if value.isdigit() else value
            for name, value in request.query_params.items()
        }
    if not await request.body():
        return {}
    arguments = await request.json()
    if not isinstance(arguments, dict):
        raise TypeError("The body must be a JSON object of arguments.")
    return arguments
