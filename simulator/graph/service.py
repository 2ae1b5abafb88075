"""``POST /providers/Microsoft.ResourceGraph/resources``."""

from __future__ import annotations

import base64
import json
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from simulator.arm.errors import ArmError, bad_request, method_not_allowed
from simulator.graph import values
from simulator.graph.expressions import Row
from simulator.graph.functions import scalars
from simulator.graph.query import compile_query
from simulator.graph.tokens import QueryError
from simulator.http import Answer, Document, Request

if TYPE_CHECKING:
    from simulator.core import Simulator

_MEMBERS = {"query", "subscriptions", "managementGroups", "options", "facets"}
_KEPT_RESULTS = 8
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


class ResourceGraph:
    """Runs queries over what the caller may read, a page at a time."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._scalars = scalars(simulator.clock.now)
        # The rows of results that have more pages, so that a page does not cost a whole query.
        self._results: OrderedDict[str, tuple[list[Row], list[str]]] = OrderedDict()

    def handle(self, request: Request) -> Answer:
        if request.method != "POST":
            raise method_not_allowed(request.method, request.path)
        left, resets, granted = self._sim.throttle.take_query(request.caller.object_id)
        self._sim.journal.requests["graph.queries"] += 1
        headers = {
            "x-ms-user-quota-remaining": str(left),
            "x-ms-user-quota-resets-after": _clock_time(resets.total_seconds()),
            "x-ms-tenant-subscription-limit-hit": "false",
        }
        if not granted:
            self._sim.journal.requests["graph.throttled"] += 1
            raise ArmError(
                429,
                "RateLimiting",
                "Please provide below info when asking for support: the client application has "
                "been throttled and should not attempt to repeat the request until an amount of "
                "time has elapsed.",
                headers={**headers, "Retry-After": str(max(1, round(resets.total_seconds())))},
            )
        body = request.json()
        if not _is_request(body):
            raise bad_request("BadRequest", "The query request is invalid.")
        try:
            answer = self._answer(request, body)
        except QueryError as error:
            raise _invalid_query(str(error)) from error
        return Answer(200, answer, headers)

    def _answer(self, request: Request, body: Document) -> Document:
        options = body.get("options") or {}
        top = _whole_number(options, "$top", int(self._sim.options["graph_row_limit"]))
        top = min(top, int(self._sim.options["graph_row_limit"]))
        token = options.get("$skipToken")
        start = _whole_number(options, "$skip", 0)
        result, may_page = "", False
        if token:
            result, start = _read_token(token)
        kept = self._results.get(result)
        if kept is not None:
            rows, columns = kept
            may_page = True
        else:
            rows, columns, may_page = self._run(request, body)
        page = rows[start : start + top]
        more = start + top < len(rows)
        answer: Document = {
            "totalRecords": len(rows),
            "count": len(page),
            "data": self._formatted(request, options, page, columns),
            "facets": [],
            "resultTruncated": "true" if more and not may_page else "false",
        }
        if more and may_page:
            if kept is None:
                result = uuid.uuid4().hex
                self._results[result] = (rows, columns)
                while len(self._results) > _KEPT_RESULTS:
                    self._results.popitem(last=False)
            answer["$skipToken"] = _write_token(result, start + top)
        return answer

    def _run(self, request: Request, body: Document) -> tuple[list[Row], list[str], bool]:
        """Run the query: rows, columns, and whether the service would page the result.

        It pages only when the rows carry their id and the query does not limit them itself.
        """
        self._sim.tables.settle()
        asked = {str(subscription).lower() for subscription in body.get("subscriptions") or ()}
        scopes = self._sim.permissions.read_scopes(request.caller)

        def source(table: str) -> list[Row] | None:
            rows = self._sim.tables.rows(table)
            if rows is not None and asked:
                rows = [row for row in rows if row["subscriptionId"] in asked]
            if rows is not None and scopes is not None:
                rows = [row for row in rows if _is_below(row["id"], scopes)]
            return rows

        query = compile_query(str(body["query"]), self._scalars, source)
        rows = query.run(source)
        return rows, query.columns, "id" in query.columns and not query.is_cut

    def _formatted(
        self, request: Request, options: Document, rows: list[Row], columns: list[str]
    ) -> Any:
        by_default = "table" if str(request.api_version) < "2021" else "objectArray"
        wanted = str(options.get("resultFormat") or by_default)
        if wanted.lower() == "objectarray":
            return [{name: values.to_wire(row.get(name)) for name in columns} for row in rows]
        return {
            "columns": [{"name": name, "type": _type_of(name, rows)} for name in columns],
            "rows": [[values.to_wire(row.get(name)) for name in columns] for row in rows],
        }


def _type_of(name: str, rows: list[Row]) -> str:
    value = next((row[name] for row in rows if row.get(name) is not None), "")
    return _TYPES.get(type(value), "object" if isinstance(value, dict | list) else "string")


def _is_request(body: Any) -> bool:
    return (
        isinstance(body, dict)
        and not set(body) - _MEMBERS
        and isinstance(body.get("query"), str)
        and bool(body["query"].strip())
        and isinstance(body.get("subscriptions") or [], list)
        and isinstance(body.get("options") or {}, dict)
    )


def _is_below(identifier: str, scopes: list[str]) -> bool:
    key = identifier.lower() + "/"
    return any(key.startswith(scope + "/") for scope in scopes)


def _clock_time(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _whole_number(options: Document, name: str, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or value < 0:
        raise bad_request("BadRequest", f"The option '{name}' is not valid.")
    return value


def _write_token(result: str, start: int) -> str:
    return base64.b64encode(json.dumps({"r": result, "s": start}).encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        content = json.loads(base64.b64decode(token))
        return str(content["r"]), int(content["s"])
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request("BadRequest", "The $skipToken is not valid.") from error


def _invalid_query(reason: str) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        "Please provide below info when asking for support.",
        details=[
            {
                "code": "InvalidQuery",
                "message": "Query is invalid. Please refer to the documentation for the Azure "
                "Resource Graph service and fix the error before retrying.",
            },
            {"code": "ParserFailure", "message": reason},
        ],
    )
