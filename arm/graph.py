"""Azure Resource Graph: one query over many subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from azure.mgmt.resourcegraph import ResourceGraphClient

from arm.base import GatewayBase, encode
from arm.errors import unanswered


@dataclass(frozen=True)
class GraphPage:
    """One page of rows. ``truncated`` on any page means that the whole answer is incomplete."""

    rows: list[dict[str, Any]]
    total: int
    truncated: bool
    skip_token: str


class GraphOperations(GatewayBase):
    def query_graph(
        self, query: str, *, subscriptions: Sequence[str], page_size: int = 1000
    ) -> Iterator[GraphPage]:
        """Run a query (``arm.queries`` has ready ones) and yield its pages of at most 1,000 rows.

        Each page costs one query of the quota. The query must project ``id`` and have an order, or
        Resource Graph truncates instead of paging. Raises ``ArmError`` between pages too: an
        iteration that did not end by itself has not seen everything.
        """
        skip_token = ""
        while True:
            page = self._graph_page(query, subscriptions, page_size, skip_token)
            yield page
            if not page.skip_token:
                return
            if page.skip_token == skip_token:
                raise unanswered("InvalidResponse", "The pages go in a circle.", writing=False)
            skip_token = page.skip_token

    def _graph_page(
        self, query: str, subscriptions: Sequence[str], page_size: int, skip_token: str
    ) -> GraphPage:
        options: dict[str, Any] = {"$top": page_size, "resultFormat": "objectArray"}
        if skip_token:
            options["$skipToken"] = skip_token
        body = encode({"subscriptions": list(subscriptions), "query": query, "options": options})
        client: Any = ResourceGraphClient
        answer = self._get(lambda **it: self._client(client).resources(body, **it))
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise unanswered("InvalidResponse", "The answer holds no rows.", writing=False)
        return GraphPage(
            rows=rows,
            total=int(answer.get("totalRecords", len(rows))),
            truncated=str(answer.get("resultTruncated", "false")).lower() == "true",
            skip_token=answer.get("$skipToken") or "",
        )
