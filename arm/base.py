"""The core of the gateway: SDK clients made when first needed, one way to call them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core.exceptions import (
    AzureError,
    DecodeError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from arm.account import Account, credential_for, forget_sign_in, transport_for
from arm.errors import ArmError, SignInFailed, translate, unanswered
from arm.pipeline import Answer, Timeouts, policies_for
from arm.throttle import Priority, Throttle

_Client = TypeVar("_Client")

TERMINAL = frozenset({"succeeded", "failed", "canceled", "cancelled"})
"""The states, in lower case, in which a long-running operation or a resource rests."""


@dataclass(frozen=True)
class Accepted:
    """ARM took a write. ``operation_url`` says where to ask how it goes; None when it is done or
    when only the resource's own ``provisioningState`` tells. ``retry_after`` is in seconds."""

    status: int
    resource: dict[str, Any] | None
    operation_url: str | None
    retry_after: float | None
    request_id: str
    correlation_id: str


@dataclass(frozen=True)
class OperationState:
    """How a long-running operation stands. ``retry_after``: seconds until to ask again."""

    status: str
    terminal: bool
    succeeded: bool
    error_code: str = ""
    error_message: str = ""
    retry_after: float | None = None


class GatewayBase:
    """What the operations share. Not for use by itself; see ``arm.Gateway``."""

    def __init__(
        self,
        account: Account,
        *,
        throttle: Throttle,
        priority: Priority = Priority.INTERACTIVE,
        patience: float = 5.0,
        timeouts: Timeouts | None = None,
    ) -> None:
        """``patience``: the most seconds that one request waits for its turn in the throttle."""
        self.account = account
        self._throttle = throttle
        self._priority = priority
        self._patience = patience
        self._timeouts = timeouts or Timeouts()
        self._clients: dict[tuple[Any, ...], Any] = {}
        self._policies: list[Any] = []

    def sign_in(self) -> str:
        """Have a token at hand, so that the next request leaves at once; gives the authority.

        For the apply engine, which must know that a write leaves before its lease is over.
        Raises ``SignInFailed``, or ``Retryable`` when the authority is out of reach.
        """
        self._token_for(self.account.cloud.arm_scope)
        return self.account.cloud.authority

    def _token_for(self, scope: str) -> str:
        """A token for another audience, kept until near its end. Raises as ``sign_in`` does."""
        failure: ArmError | None = None
        try:
            return credential_for(self.account).get_token(scope).token
        except Exception as error:
            failure = translate(error, secrets=self.account.secrets)
        raise failure

    def _client(
        self, make: Callable[..., _Client], subscription_id: str | None = None, **options: Any
    ) -> _Client:
        """The client of an SDK package for this account, kept for the gateway's life."""
        key = (make, subscription_id, tuple(sorted(options.items())))
        if key not in self._clients:
            cloud = self.account.cloud
            subscription = () if subscription_id is None else (subscription_id,)
            self._clients[key] = make(
                credential_for(self.account),
                *subscription,
                base_url=cloud.arm_endpoint,
                credential_scopes=[cloud.arm_scope],
                **self._pipeline(),
                **options,
            )
        return self._clients[key]  # type: ignore[no-any-return]

    def _pipeline(self) -> dict[str, Any]:
        if not self._policies:
            self._policies = policies_for(
                self.account, self._throttle, self._priority, self._patience
            )
        return {"policies": self._policies, "transport": transport_for(self.account)}

    def _call(
        self,
        operation: Callable[..., Any],
        *,
        writing: bool = False,
        client_request_id: str = "",
        secrets: Iterable[str] = (),
    ) -> Answer:
        """Run one SDK operation and give the answer as it came over the wire.

        ``operation`` is called with the options that it must pass on to the SDK. A token that ARM
        refuses is thrown away and the call is made once more with a new one: a 401 means that
        nothing was done. Raises ``ArmError``.
        """
        request_id = client_request_id or str(uuid.uuid4())
        hidden = (*secrets, *self.account.secrets)
        try:
            return self._attempt(operation, writing, request_id, hidden)
        except SignInFailed as error:
            if error.status != 401:
                raise
        self._sign_in_again()
        return self._attempt(operation, writing, request_id, hidden)

    def _attempt(
        self,
        operation: Callable[..., Any],
        writing: bool,
        client_request_id: str,
        secrets: tuple[str, ...],
    ) -> Answer:
        seen: list[Any] = []
        failure: Exception | None = None
        try:
            operation(
                **self._call_options(client_request_id),
                raw_response_hook=lambda response: seen.append(response.http_response),
            )
        except Exception as error:
            if not _is_the_sdks_alone(error, seen):
                failure = translate(error, writing=writing, secrets=secrets)
        # Raised out here so that the SDK's own error, and with it ARM's raw text, is not attached.
        if failure:
            raise failure
        return self._read(seen[-1], writing)

    def _read(self, response: Any, writing: bool) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            answer = Answer(response.status_code, headers, response.text())
            answer.json()
        except (AzureError, ValueError):
            pass
        else:
            return answer
        raise unanswered("InvalidResponse", "The answer is not JSON.", writing=writing)

    def _write(self, operation: Callable[..., Any], **call: Any) -> Accepted:
        """Run an SDK operation that alters something, without waiting for its end."""
        answer = self._call(lambda **it: operation(polling=False, **it), writing=True, **call)
        body = answer.json()
        return Accepted(
            status=answer.status,
            resource=body if isinstance(body, dict) else None,
            operation_url=answer.headers.get("azure-asyncoperation")
            or answer.headers.get("location"),
            retry_after=answer.retry_after,
            request_id=answer.request_id,
            correlation_id=answer.correlation_id,
        )

    def _get(self, operation: Callable[..., Any]) -> dict[str, Any]:
        return as_object(self._call(operation))

    def _list(self, operation: Callable[..., Any]) -> list[dict[str, Any]]:
        """Every item of a paged list, as ARM sent them.

        The SDK makes the first request; later pages follow ``nextLink`` as it is, on our host only.
        """
        return self._pages(self._call(lambda **options: next(operation(**options).by_page())))

    def _pages(self, first: Answer) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        links: set[str] = set()
        body = as_object(first)
        while True:
            items.extend(body.get("value") or [])
            link = body.get("nextLink")
            if not link:
                return items
            if link in links:
                raise unanswered("InvalidResponse", "The list goes in a circle.", writing=False)
            links.add(link)
            body = as_object(self._send("GET", link))

    def _send(self, method: str, url: str, **call: Any) -> Answer:
        """A request for which the SDK has no operation, through the same pipeline."""

        def operation(**options: Any) -> None:
            client = self._client(_raw_client)
            client.send_request(HttpRequest(method, url), **options).raise_for_status()

        return self._call(operation, **call)

    def _call_options(self, client_request_id: str) -> dict[str, Any]:
        return {
            "request_id": client_request_id,
            "connection_timeout": self._timeouts.connect,
            "read_timeout": self._timeouts.read,
        }

    def _sign_in_again(self) -> None:
        forget_sign_in(self.account)
        self._clients.clear()
        self._policies = []


def encode(body: Mapping[str, Any]) -> bytes:
    """A body for ARM. The SDK sends bytes as they are, so nothing is added, renamed or dropped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def as_object(answer: Answer) -> dict[str, Any]:
    """The body, which must be a JSON object; raises ``Retryable`` otherwise."""
    body = answer.json()
    if not isinstance(body, dict):
        raise unanswered("InvalidResponse", "The answer is not an object.", writing=False)
    return body


def _is_the_sdks_alone(error: Exception, seen: list[Any]) -> bool:
    """Whether ARM declared a success that the SDK cannot make sense of.

    Its models know fewer fields, forms and status codes than ARM has. A body that broke off or is
    no JSON (``DecodeError``) is another matter.
    """
    lost = isinstance(error, ArmError | DecodeError | ServiceRequestError | ServiceResponseError)
    return not lost and bool(seen) and 200 <= seen[-1].status_code < 300


def _raw_client(
    _credential: object, *, base_url: str, credential_scopes: object, **pipeline: Any
) -> ARMPipelineClient[Any, Any]:
    """The bare pipeline; its policies already hold the credential and the scope."""
    return ARMPipelineClient(base_url, **pipeline)
