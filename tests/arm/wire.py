"""A TLS server on the loopback that answers as each test says, so that the real SDK meets it.

It speaks just enough of Entra ID for ``azure-identity`` to get a token, and lets a test script what
ARM answers, down to connections that break at a given moment.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import trustme

TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop"
AKS = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/shop-1"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge-1"
_KC = "/providers/Microsoft.KubernetesConfiguration"
CONFIGURATION = f"{AKS}{_KC}/fluxConfigurations/podinfo"
EXTENSION = f"{AKS}{_KC}/extensions/flux"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/flux-id"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``fault``: ``reset`` breaks the connection instead, ``hang`` says nothing until the end,
    ``truncate`` promises more bytes than it sends."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def arm_error(status: int, code: str, message: str, **more: Any) -> Reply:
    headers = {
        "x-ms-request-id": "req-1",
        "x-ms-correlation-request-id": "cor-1",
        **more.pop("headers", {}),
    }
    return Reply(status, {"error": {"code": code, "message": message, **more}}, headers)


class WireServer:
    """``arm`` is called with each ``Request`` to ARM; ``requests`` keeps all of those in order."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self.arm: Callable[[Request], Reply] = lambda request: Reply(200, {})
        self.token: Callable[[Request], Reply] = self.issue_token
        self.requests: list[Request] = []
        self.tokens_issued = 0
        self.closing = threading.Event()
        handler = type("BoundHandler", (_Handler,), {"wire": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        self.requests.clear()
        self.arm = lambda request: Reply(200, {})
        self.token = self.issue_token

    def answer(self, *replies: Reply) -> None:
        """Give these in order; the last one again and again."""
        left = list(replies)
        self.arm = lambda request: left.pop(0) if len(left) > 1 else left[0]

    def issue_token(self, request: Request) -> Reply:
        self.tokens_issued += 1
        token = f"token-{self.tokens_issued}"
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def reply_to(self, request: Request) -> Reply:
        if request.path.endswith("/openid-configuration"):
            base = f"{self.url}/{TENANT}"
            return Reply(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                },
            )
        if "/oauth2/" in request.path:
            return self.token(request)
        self.requests.append(request)
        return self.arm(request)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    wire: ClassVar[WireServer]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        reply = self.wire.reply_to(request)
        if reply.fault == "reset":
            self._reset()
            return
        if reply.fault == "hang":
            self.wire.closing.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        extra = 100 if reply.fault == "truncate" else 0
        self.send_header("Content-Length", str(len(reply.content) + extra))
        self.send_header("Content-Type", "application/json")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content)
        self.close_connection = bool(reply.fault)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST = answer  # noqa: N815 - the base class's names

    def _reset(self) -> None:
        """A TCP reset rather than an orderly end: linger of zero seconds."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
