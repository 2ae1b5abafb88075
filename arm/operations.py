"""Long-running operations: one look, never a wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from arm.base import TERMINAL, GatewayBase, OperationState
from arm.ids import pin
from arm.scrub import scrub


class OperationOperations(GatewayBase):
    def get_operation(self, url: str, *, secrets: Iterable[str] = ()) -> OperationState:
        """How the operation behind ``Accepted.operation_url`` stands.

        ``secrets``: what the write held and what must not show in the error that ends it.

        Raises ``UnsafeUrl`` when the URL is not on the account's ARM endpoint, and ``NotFound``
        when ARM no longer keeps the operation: then the resource itself is the judge.
        """
        pin(url, self.account.cloud.arm_endpoint)
        hidden = tuple(secrets)
        answer = self._send("GET", url, secrets=hidden)
        body = answer.json()
        body = body if isinstance(body, dict) else {}
        status = _status(body, answer.status)
        error = body.get("error")
        error = error if isinstance(error, dict) else {}
        return OperationState(
            status=status,
            terminal=status.lower() in TERMINAL,
            succeeded=status.lower() == "succeeded",
            error_code=scrub(str(error.get("code") or ""), hidden),
            error_message=scrub(str(error.get("message") or ""), hidden),
            retry_after=answer.retry_after,
        )


def _status(body: dict[str, Any], http_status: int) -> str:
    """An operation says ``status``; behind a Location header it is 202 until the resource comes."""
    if body.get("status"):
        return str(body["status"])
    if http_status == 202:
        return "InProgress"
    properties = body.get("properties")
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return str(state or "Succeeded")
