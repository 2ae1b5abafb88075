"""The routes of the read-only Kubernetes API."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from simulator.cluster.conditions import REQUESTED_AT
from simulator.cluster.objects import Manifest, ObjectKey, key_of
from simulator.cluster.resources import Resource
from simulator.cluster.state import ClusterState

from . import discovery
from .tables import table
from .view import objects_of, selected


def kubernetes_app(
    state: ClusterState, request_reconcile: Callable[[ObjectKey, str], None]
) -> Starlette:
    """Return an ASGI app that shows one cluster. It asks for no sign-in.

    The one thing that can be written is the annotation by which Flux is asked to reconcile an
    object now; `request_reconcile` gets the object's key and the annotation's value.
    """
    routes = _Routes(state, request_reconcile)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/version", _fixed(discovery.version())),
            Route("/openapi/v2", _fixed(discovery.openapi_v2())),
            Route("/openapi/v3", _fixed(discovery.openapi_v3())),
            *(Route(f"/{name}", _ok) for name in ("healthz", "livez", "readyz")),
            Route("/api", _fixed(discovery.core_versions())),
            Route("/apis", routes.groups),
            Route("/apis/{group}", routes.group),
            Route("/api/{version}", routes.kinds),
            Route("/apis/{group}/{version}", routes.kinds),
            Route("/api/{version}/{rest:path}", routes.objects, methods=methods),
            Route("/apis/{group}/{version}/{rest:path}", routes.objects, methods=methods),
        ]
    )


async def _ok(request: Request) -> Response:
    return PlainTextResponse("ok")


def _fixed(body: Manifest) -> Any:
    async def answer(request: Request) -> Response:
        return _json(body)

    return answer


def _json(body: object, status: int = 200) -> Response:
    text = json.dumps(body, default=str, separators=(",", ":"))
    return Response(text, status_code=status, media_type="application/json")


def _problem(status: int, reason: str, message: str) -> Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    return _json(body, status)


def _no_resource() -> Response:
    return _problem(404, "NotFound", "the server could not find the requested resource")


def _read_only() -> Response:
    return _problem(405, "MethodNotAllowed", "the simulated cluster can be read only")


def _requested_at(body: bytes) -> str | None:
    """Return the value of the annotation that a merge patch sets; None for any other patch."""
    try:
        patch = json.loads(body)
    except ValueError:
        return None
    if not isinstance(patch, dict) or set(patch) - {"metadata", "apiVersion", "kind"}:
        return None
    metadata = patch.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict) or set(annotations) != {REQUESTED_AT}:
        return None
    return str(annotations[REQUESTED_AT])


class _Routes:
    """Handlers over one cluster."""

    def __init__(
        self, state: ClusterState, request_reconcile: Callable[[ObjectKey, str], None]
    ) -> None:
        self.state = state
        self.request_reconcile = request_reconcile

    @property
    def resources(self) -> list[Resource]:
        return self.state.store.registry.resources

    async def groups(self, request: Request) -> Response:
        return _json(discovery.groups(self.resources))

    async def group(self, request: Request) -> Response:
        found = discovery.group(request.path_params["group"], self.resources)
        return _json(found) if found else _no_resource()

    async def kinds(self, request: Request) -> Response:
        where = request.path_params
        found = discovery.kinds(where.get("group", ""), where["version"], self.resources)
        return _json(found) if found else _no_resource()

    async def objects(self, request: Request) -> Response:
        where = request.path_params
        if request.method not in ("GET", "PATCH"):
            return _read_only()
        namespace, plural, name, rest = _divide(where["rest"])
        resource = next(
            (
                item
                for item in self.resources
                if (item.group, item.plural) == (where.get("group", ""), plural)
                and where["version"] in item.versions
            ),
            None,
        )
        if resource is None or rest not in ("", "status"):
            return _no_resource()
        if request.query_params.get("watch") in ("1", "true"):
            return _problem(405, "MethodNotAllowed", "watch is not supported on this cluster")
        found = objects_of(self.state, resource, where["version"], namespace)
        if request.method == "PATCH":
            return self._annotate(resource, found, name, await request.body())
        return self._answer(request, resource, found, name)

    def _annotate(
        self, resource: Resource, found: list[Manifest], name: str, body: bytes
    ) -> Response:
        """Take a merge patch that sets the annotation which asks for a reconcile, nothing else."""
        token = _requested_at(body)
        if token is None or not resource.group.endswith(".toolkit.fluxcd.io"):
            return _read_only()
        manifest = next((item for item in found if item["metadata"]["name"] == name), None)
        if manifest is None:
            text = f'{resource.qualified_name} "{name}" not found'
            return _problem(404, "NotFound", text)
        self.request_reconcile(key_of(manifest), token)
        metadata = manifest["metadata"]
        annotations = (metadata.get("annotations") or {}) | {REQUESTED_AT: token}
        return _json(manifest | {"metadata": metadata | {"annotations": annotations}})

    def _answer(
        self, request: Request, resource: Resource, found: list[Manifest], name: str
    ) -> Response:
        query, version = request.query_params, request.path_params["version"]
        if name:
            found = [item for item in found if item["metadata"]["name"] == name]
            if not found:
                text = f'{resource.qualified_name} "{name}" not found'
                return _problem(404, "NotFound", text)
        else:
            labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
            found = [item for item in found if selected(item, labels, fields)]
        try:
            found, paging = ([*found], {}) if name else _page(found, query)
        except ValueError:
            return _problem(410, "Expired", "The provided continue parameter is too old.")
        if "as=Table" in request.headers.get("accept", ""):
            include = query.get("includeObject", "Metadata")
            shown = table(resource, version, found, self.state.now, include)
            return _json(shown | {"metadata": shown["metadata"] | paging})
        if name:
            return _json(found[0])
        return _json(
            {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.group_version(version),
                "metadata": {"resourceVersion": str(self.state.store.version)} | paging,
                "items": found,
            }
        )


def _page(found: list[Manifest], query: QueryParams) -> tuple[list[Manifest], Manifest]:
    """The part of a list that `limit` and `continue` ask for, and how the next part is asked for.

    Raises ValueError for a `continue` that no list gave.
    """
    start = 0
    if query.get("continue"):
        start = int(base64.urlsafe_b64decode(query["continue"].encode()).decode())
    limit = int(query.get("limit") or 0)
    end = start + limit
    if not limit or end >= len(found):
        return found[start:], {}
    following = base64.urlsafe_b64encode(str(end).encode()).decode()
    return found[start:end], {"continue": following, "remainingItemCount": len(found) - end}


def _divide(path: str) -> tuple[str | None, str, str, str]:
    """Return namespace (None for all), plural, name and what follows from the end of a path."""
    parts = path.strip("/").split("/")
    namespace = None
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] != "status":
        namespace = parts[1]
        parts = parts[2:]
    parts += [""] * (3 - len(parts))
    return namespace, parts[0], parts[1], "/".join(parts[2:]).strip("/")
