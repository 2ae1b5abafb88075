"""The HTTP pipeline under every SDK client: only the policies that Fluxgate wants.

Left out on purpose: the SDK's retries (the apply engine decides about those), redirects (a token
must not travel), silent registration of providers (it blocks and it writes), and the logging of
headers and bodies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    CustomHookPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from arm.account import Account, credential_for
from arm.errors import retry_after_seconds
from arm.ids import pin, subscription_of
from arm.throttle import Kind, Priority, Throttle

_REMAINING = {
    Kind.READ: (
        "x-ms-ratelimit-remaining-subscription-reads",
        "x-ms-ratelimit-remaining-tenant-reads",
    ),
    Kind.WRITE: (
        "x-ms-ratelimit-remaining-subscription-writes",
        "x-ms-ratelimit-remaining-tenant-writes",
    ),
    Kind.DELETE: (
        "x-ms-ratelimit-remaining-subscription-deletes",
        "x-ms-ratelimit-remaining-tenant-deletes",
    ),
    Kind.GRAPH: ("x-ms-user-quota-remaining",),
}


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, and to wait for an answer (between bytes)."""

    connect: float = 10.0
    read: float = 60.0


@dataclass(frozen=True)
class Answer:
    """An answer of ARM as it came: header names in lower case, the body unread."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def request_id(self) -> str:
        return self.headers.get("x-ms-request-id", "")

    @property
    def correlation_id(self) -> str:
        return self.headers.get("x-ms-correlation-request-id", "")

    @property
    def retry_after(self) -> float | None:
        return retry_after_seconds(self.headers.get("retry-after"))

    def json(self) -> Any:
        """The body, or None when there is none. Raises ``ValueError`` when it is not JSON."""
        return json.loads(self.text) if self.text.strip() else None


class PinPolicy(SansIOHTTPPolicy[Any, Any]):
    """Nothing leaves for another host than the account's, whatever an answer's link says."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def on_request(self, request: PipelineRequest[Any]) -> None:
        pin(request.http_request.url, self._endpoint)


class ThrottlePolicy(SansIOHTTPPolicy[Any, Any]):
    """A token for each request, pages of a list too; the answers' headers teach the throttle."""

    def __init__(
        self, account: Account, throttle: Throttle, priority: Priority, patience: float
    ) -> None:
        self._principal = account.principal
        self._throttle = throttle
        self._priority = priority
        self._patience = patience

    def on_request(self, request: PipelineRequest[Any]) -> None:
        key, kind = self._bucket(request)
        self._throttle.acquire(key, kind, self._priority, budget=self._patience)

    def on_response(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> None:
        key, kind = self._bucket(request)
        headers = response.http_response.headers
        if response.http_response.status_code == 429:
            self._throttle.freeze(key, kind, retry_after_seconds(headers.get("Retry-After")))
        for name in _REMAINING[kind]:
            value = headers.get(name, "")
            if value.isdecimal():
                self._throttle.observe(key, kind, float(value))

    def _bucket(self, request: PipelineRequest[Any]) -> tuple[str, Kind]:
        url, method = request.http_request.url, request.http_request.method
        if method == "POST" and "/microsoft.resourcegraph/" in url.lower():
            return self._principal, Kind.GRAPH
        kind = {"GET": Kind.READ, "HEAD": Kind.READ, "DELETE": Kind.DELETE}.get(method, Kind.WRITE)
        return f"{self._principal}:{subscription_of(url) or 'tenant'}", kind


def policies_for(
    account: Account, throttle: Throttle, priority: Priority, patience: float
) -> list[Any]:
    """The policies of every client of one gateway, from the caller towards the wire."""
    return [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy("fluxgate"),
        ContentDecodePolicy(),
        PinPolicy(account.cloud.arm_endpoint),
        ThrottlePolicy(account, throttle, priority, patience),
        ARMChallengeAuthenticationPolicy(credential_for(account), account.cloud.arm_scope),
        CustomHookPolicy(),
    ]
