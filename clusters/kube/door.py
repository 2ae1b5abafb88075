"""One cluster's Kubernetes API, by the official client: small, bounded requests, and few verbs.

Errors become `KubernetesProblem`s, which are named states and hold no credential.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import tempfile
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, SSLError

from clusters.kube.kubeconfig import Access

CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 15.0, 30.0
OPEN_SECONDS = 60.0  # one door: a slow cluster must not keep a worker from the others
MOST_BYTES = 8_000_000  # 250 rows with their metadata take about one
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MERGE_PATCH = "application/merge-patch+json"
READS = frozenset({"GET"})
READS_AND_ASKS = frozenset({"GET", "PATCH"})

_FORBIDDEN = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)


class KubernetesProblem(Exception):  # noqa: N818 (a state of the cluster or its credential)
    """Why the API did not answer: `code` is a name of problems.STATES, `facts` are plain text."""

    def __init__(self, code: str, message: str = "", **facts: str) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message[:500]
        self.facts = facts


class KubernetesDoor:
    """Requests to one API server with one credential; `verbs` is all that can leave it."""

    def __init__(self, access: Access, *, verbs: frozenset[str] = READS) -> None:
        self._closes_at = time.monotonic() + OPEN_SECONDS
        configuration = Configuration(host=access.server)
        configuration.proxy = None  # the host's own would see the credential's host only
        if access.token:
            configuration.api_key = {"authorization": f"Bearer {access.token}"}
        self._client = ApiClient(configuration)
        self._client.user_agent = "fluxgate"
        self._client.rest_client.pool_manager = _Pool(_context(access), verbs)

    def __enter__(self) -> KubernetesDoor:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.rest_client.pool_manager.clear()

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """What is at `path`, as JSON. Raises KubernetesProblem."""
        return self._call("GET", path, query, "application/json")

    def table(self, path: str, query: Mapping[str, str | int]) -> dict[str, Any]:
        """A list as the server's own table (meta.k8s.io/v1), with plain metadata of each row."""
        return self._call("GET", path, {**query, "includeObject": "Metadata"}, TABLE)

    def annotate(self, path: str, annotations: Mapping[str, str]) -> None:
        """Set annotations on an object, and nothing else of it."""
        body = {"metadata": {"annotations": dict(annotations)}}
        self._call("PATCH", path, None, "application/json", body)

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None,
        accept: str,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        if time.monotonic() > self._closes_at:
            raise KubernetesProblem("too_slow")
        headers = {"Accept": accept} | ({"Content-Type": MERGE_PATCH} if body else {})
        problem: KubernetesProblem
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            found = json.loads(_content(answer))
        except ApiException as error:
            problem = _refusal(error)
        except ValueError:
            problem = KubernetesProblem("not_kubernetes")
        else:
            if isinstance(found, dict):
                return found
            problem = KubernetesProblem("not_kubernetes")
        raise problem


def _content(answer: Any) -> bytes:
    response = answer[0] if isinstance(answer, tuple) else answer
    return bytes(response.data)


class _Pool(urllib3.PoolManager):
    """Every answer, a refusal's too, is read within limits; no redirect is followed."""

    def __init__(self, context: ssl.SSLContext, verbs: frozenset[str]) -> None:
        super().__init__(num_pools=1, maxsize=1, ssl_context=context, retries=False)
        self._verbs = verbs

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        if method not in self._verbs:
            raise RuntimeError(f"{method} is not sent to a cluster.")
        given = {**options, "preload_content": False, "retries": False}
        problem: KubernetesProblem
        try:
            answer = super().urlopen(method, url, redirect=False, **given)
            try:
                content = _bounded(answer)
            finally:
                answer.close()
        except (HTTPError, OSError) as error:
            problem = _unanswered(error)
        else:
            return _whole(answer, content)
        raise problem


def _whole(answer: urllib3.BaseHTTPResponse, content: bytes) -> urllib3.BaseHTTPResponse:
    return urllib3.HTTPResponse(
        body=BytesIO(content), status=answer.status, reason=answer.reason, preload_content=True
    )


def _bounded(answer: urllib3.BaseHTTPResponse) -> bytes:
    deadline = time.monotonic() + ANSWER_SECONDS
    parts, size = [], 0
    for part in answer.stream(65_536, decode_content=True):
        size += len(part)
        if size > MOST_BYTES:
            raise KubernetesProblem("too_large")
        if time.monotonic() > deadline:
            raise KubernetesProblem("too_slow")
        parts.append(part)
    return b"".join(parts)


def _context(access: Access) -> ssl.SSLContext:
    """TLS with the cluster's authority alone, and the client certificate where there is one."""
    try:
        context = ssl.create_default_context(cadata=access.authority or None)
        if access.certificate:
            _load_chain(context, access)
    except (ssl.SSLError, ValueError) as error:
        raise KubernetesProblem("certificate", "The stored certificate cannot be used.") from error
    return context


def _load_chain(context: ssl.SSLContext, access: Access) -> None:
    """OpenSSL takes the key from a file only: one in memory, gone when it is closed."""
    descriptor = os.memfd_create("client") if hasattr(os, "memfd_create") else None
    if descriptor is None:
        with tempfile.NamedTemporaryFile() as file:  # mode 0600
            file.write(f"{access.certificate}\n{access.key}".encode())
            file.flush()
            context.load_cert_chain(file.name)
        return
    with os.fdopen(descriptor, "wb") as memory:
        memory.write(f"{access.certificate}\n{access.key}".encode())
        memory.flush()
        context.load_cert_chain(f"/proc/self/fd/{memory.fileno()}")


# --- Errors ---------------------------------------------------------------------------------
def _refusal(error: ApiException) -> KubernetesProblem:
    """A Status of the API server (or whatever answers in its place) as a named state."""
    message = _message_of(error.body)
    match error.status:
        case 401:
            return KubernetesProblem("unauthorized", message)
        case 403:
            found = _FORBIDDEN.search(message)
            facts = {k: v for k, v in found.groupdict().items() if v} if found else {}
            return KubernetesProblem("forbidden", message, **facts)
        case 404:
            return KubernetesProblem("not_found", message)
        case 410:
            return KubernetesProblem("page_gone", message)
        case 429:
            return KubernetesProblem("busy", message)
        case status if status is not None and 300 <= status < 400:
            return KubernetesProblem("not_kubernetes", "It sends elsewhere; that is not followed.")
        case status if status is not None and status >= 500:
            return KubernetesProblem("failing", message)
    return KubernetesProblem("refused", message)


def _message_of(body: Any) -> str:
    try:
        status = json.loads(body or b"")
    except (ValueError, TypeError):
        return ""
    message = str(status.get("message") or "") if isinstance(status, dict) else ""
    return message.replace("\x00", "")


def _unanswered(error: Exception) -> KubernetesProblem:
    text = str(error)
    if isinstance(error, SSLError) or "CERTIFICATE" in text or "SSL" in text:
        # The client's certificate is refused by an alert of the server, in the same way.
        if "alert" in text.lower():
            return KubernetesProblem("unauthorized", "The server refuses the client certificate.")
        return KubernetesProblem("certificate", _plain_ssl(text))
    return KubernetesProblem("unreachable", _plain_network(error))


def _plain_ssl(text: str) -> str:
    found = re.search(r"certificate verify failed: ([^(\[]+)", text)
    return found.group(1).strip() if found else "The TLS handshake failed."


def _plain_network(error: Exception) -> str:
    """Only what kind it is: the text of such errors can hold more than people need."""
    return {
        "NameResolutionError": "The name of the server is not known.",
        "ConnectTimeoutError": "No connection within 5 s.",
        "ReadTimeoutError": "No answer within 15 s.",
    }.get(type(error).__name__, "The connection failed.")
