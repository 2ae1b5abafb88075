"""What can go wrong at ARM, as a small set of types.

``translate`` turns whatever the SDK raises into one of them. Messages are ARM's or Entra ID's own
words without anything secret. Which type means what follows from the status code and the error code
(ARM's error envelope: ``{"error": {"code", "message", "target", "details": [...]}}``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ssl import SSLCertVerificationError
from time import time
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from arm.scrub import scrub

_IN_PROGRESS = {
    "operationinprogress",
    "anotheroperationinprogress",
    "resourceoperationinprogress",
    "conflictingconcurrentwritenotallowed",
    "concurrentfederatedidentitycredentialswritesforsinglemanagedidentity",
}
_NOT_REGISTERED = {"missingsubscriptionregistration", "subscriptionnotregistered"}
_ACTION = re.compile(r"perform action '(?P<action>[^']+)'(?: over scope '(?P<scope>[^']+)')?")
_NAMESPACE = re.compile(r"namespace '(?P<namespace>[A-Za-z.]+)'")


@dataclass(frozen=True)
class Detail:
    """One entry of ``error.details``."""

    code: str
    message: str
    target: str = ""


class ArmError(Exception):
    """A call to ARM, or the sign-in before it, did not succeed.

    ``code`` and ``message`` are ARM's; ``status`` is the HTTP status or None when there was no
    answer; ``request_id`` and ``correlation_id`` are what Microsoft's support asks for;
    ``retry_after`` is in seconds.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str = "",
        correlation_id: str = "",
        retry_after: float | None = None,
        target: str = "",
        details: tuple[Detail, ...] = (),
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.correlation_id = correlation_id
        self.retry_after = retry_after
        self.target = target
        self.details = details

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status}, {str(self)!r})"


class Retryable(ArmError):  # noqa: N818 - the field's own term
    """Worth another attempt later.

    ``outcome_unknown`` is true when a write may have been carried out all the same: the answer was
    lost, late, or a server error. Such a write is compared with the live resource, not just resent.
    """

    outcome_unknown: bool = False


class Throttled(Retryable):
    """Too many requests (429), or held back by our own throttle (``status`` None). No attempt."""


class NotFound(ArmError):  # noqa: N818 - the field's own term
    """404: the resource, its group or its subscription is not there, or not visible."""


class Conflict(ArmError):  # noqa: N818 - the field's own term
    """409: the resource is in a state that does not allow this."""


class OperationInProgress(Conflict):
    """409 because another operation on the resource still runs; wait for it."""


class SignInFailed(ArmError):  # noqa: N818 - the field's own term
    """No token could be had, or ARM did not take it (401), not even a fresh one."""


class Permanent(ArmError):  # noqa: N818 - the field's own term
    """The request is refused as it stands; sending it again cannot help."""


class Forbidden(Permanent):
    """403. For AuthorizationFailed ``action`` and ``scope`` say what is missing where."""

    action: str = ""
    scope: str = ""


class ProviderNotRegistered(Permanent):
    """The subscription has not registered the resource provider ``namespace``."""

    namespace: str = ""


class UnsafeUrl(Permanent):
    """A URL from an answer is not on the account's ARM endpoint; nothing was sent."""

    def __init__(self, *, url: str, endpoint: str) -> None:
        host = _host(url) or "unreadable"
        super().__init__("UnsafeUrl", f"The address is not on {endpoint} (its host: {host}).")


def translate(error: Exception, *, writing: bool = False, secrets: Iterable[str] = ()) -> ArmError:
    """The ``ArmError`` for anything that the SDK or its transport raised.

    ``writing`` says whether the request would alter something: then an answer that was lost means
    an unknown outcome. ``secrets`` are the values that the request held. An ``ArmError`` passes
    through. Raise the result outside of the ``except`` block: the context would carry the text as
    it was before scrubbing.
    """
    if isinstance(error, ArmError):
        return error
    response = getattr(error, "response", None)
    if isinstance(error, ClientAuthenticationError) and not _is_from_arm(response):
        if isinstance(error.__cause__, ServiceRequestError | ServiceResponseError):
            return unanswered("Unreachable", scrub(str(error.message), secrets), writing=False)
        return SignInFailed("SignInFailed", scrub(str(error.message), secrets))
    if isinstance(error, ServiceResponseError | IncompleteReadError):
        return unanswered("ResponseLost", scrub(str(error), secrets), writing=writing)
    unreadable = isinstance(error, DecodeError | DeserializationError)
    if unreadable and (response is None or response.status_code < 300):
        text = "The answer could not be read."
        return unanswered("InvalidResponse", text, writing=writing)
    if isinstance(error, HttpResponseError) and response is not None:
        return from_response(
            response.status_code,
            dict(response.headers),
            _text(response),
            writing=writing,
            secrets=secrets,
        )
    if isinstance(error, ServiceRequestError):
        doubt = writing and not _was_never_sent(error)
        return unanswered("Unreachable", scrub(str(error), secrets), writing=doubt)
    if isinstance(error, AzureError | OSError):
        return unanswered("TransportFailed", scrub(str(error), secrets), writing=writing)
    # Anything else is a fault of ours: its type is told, its text may hold what was sent.
    return Permanent("ClientFault", f"The request could not be made ({type(error).__name__}).")


def unanswered(code: str, message: str, *, writing: bool) -> Retryable:
    """A request to which no readable answer came."""
    result = Retryable(code, message)
    result.outcome_unknown = writing
    return result


def from_response(
    status: int,
    headers: Mapping[str, str],
    body: str,
    *,
    writing: bool = False,
    secrets: Iterable[str] = (),
) -> ArmError:
    """The error for an answer that is not a success."""
    secrets = tuple(secrets)
    lower = {name.lower(): value for name, value in headers.items()}
    envelope = _envelope(body)
    code = scrub(_string(envelope.get("code")) or f"Http{status}", secrets)
    message = scrub(_string(envelope.get("message")) or f"HTTP status {status}.", secrets)
    kind = _kind(status, code)
    result = kind(
        code,
        message,
        status=status,
        request_id=lower.get("x-ms-request-id", ""),
        correlation_id=lower.get("x-ms-correlation-request-id", ""),
        retry_after=retry_after_seconds(lower.get("retry-after")),
        target=scrub(_string(envelope.get("target")), secrets),
        details=_details(envelope, secrets),
    )
    if isinstance(result, Retryable) and not isinstance(result, Throttled):
        result.outcome_unknown = writing
    if isinstance(result, Forbidden) and (match := _ACTION.search(message)):
        result.action, result.scope = match["action"], match["scope"] or ""
    if isinstance(result, ProviderNotRegistered) and (match := _NAMESPACE.search(message)):
        result.namespace = match["namespace"]
    return result


def retry_after_seconds(value: str | None, *, now: float | None = None) -> float | None:
    """Seconds from a ``Retry-After`` header: a number or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - (time() if now is None else now))


def _kind(status: int, code: str) -> type[ArmError]:
    lower = code.lower()
    if lower in _NOT_REGISTERED:
        return ProviderNotRegistered
    if status == 429:
        return Throttled
    if status == 408 or status >= 500:
        return Retryable
    if status == 409:
        return OperationInProgress if lower in _IN_PROGRESS else Conflict
    return {401: SignInFailed, 403: Forbidden, 404: NotFound}.get(status, Permanent)


def _envelope(body: str) -> dict[str, Any]:
    """ARM's ``error`` object; Entra ID's and OData's forms are brought into the same shape."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    error = content.get("error", content)
    if isinstance(error, dict):
        return error
    return {"code": error, "message": content.get("error_description", "")}


def _details(envelope: Mapping[str, Any], secrets: tuple[str, ...]) -> tuple[Detail, ...]:
    entries = envelope.get("details")
    if not isinstance(entries, list):
        return ()
    return tuple(
        Detail(
            code=scrub(_string(entry.get("code")), secrets),
            message=scrub(_string(entry.get("message")), secrets),
            target=scrub(_string(entry.get("target")), secrets),
        )
        for entry in entries
        if isinstance(entry, dict)
    )


def _is_from_arm(response: Any) -> bool:
    """Whether an authentication error is ARM's 401 rather than a failure to get a token."""
    url = getattr(getattr(response, "request", None), "url", "")
    return "/oauth2/" not in url and bool(url)


def _was_never_sent(error: object) -> bool:
    """Whether the failure, somewhere inside, is one of making the connection at all.

    The SDK puts every connection error that it cannot place among those of unsent requests; in case
    of doubt the write may have arrived.
    """
    if isinstance(error, NewConnectionError | ConnectTimeoutError | SSLCertVerificationError):
        return True
    inner = (getattr(error, name, None) for name in ("inner_exception", "reason"))
    wrapped = (arg for arg in getattr(error, "args", ()) if isinstance(arg, BaseException))
    return any(_was_never_sent(it) for it in (*inner, *wrapped) if it is not None)


def _text(response: Any) -> str:
    try:
        return str(response.text())
    except Exception:  # a body that breaks off must not hide the status that came with it
        return ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
