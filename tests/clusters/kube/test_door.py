"""The door to an API server that misbehaves: bounds hold, nothing is followed."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from clusters.kube.door import MOST_BYTES, KubernetesDoor, KubernetesProblem
from clusters.kube.kubeconfig import Access

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """HTTPS on localhost under an authority of its own; asks for a client certificate if told."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.answer: Answer = lambda request: reply(request, 200, b"{}")
        self.seen: list[str] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(self.context)
        self.authority.configure_trust(self.context)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                outer.answer(self)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def access(self, **credential: str) -> Access:
        port = self.server.server_address[1]
        authority = self.authority.cert_pem.bytes().decode()
        return Access(
            f"https://localhost:{port}", authority, **(credential or {"token": "canary-token"})
        )


def reply(
    request: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    started.server.shutdown()
    started.server.server_close()


def problem_of(access: Access) -> KubernetesProblem:
    with KubernetesDoor(access) as door, pytest.raises(KubernetesProblem) as problem:
        door.get("/api/v1/namespaces")
    assert "canary" not in str(problem.value)
    return problem.value


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answer = lambda request: reply(request, 302, b"", Location="/elsewhere")
    assert problem_of(server.access()).code == "not_kubernetes"
    assert server.seen == ["/api/v1/namespaces"]


@pytest.mark.parametrize("status", [200, 403, 500])
def test_an_answer_without_end_is_cut_off_a_refusals_too(server: Server, status: int) -> None:
    body = b"x" * (MOST_BYTES + 70_000)
    server.answer = lambda request: reply(request, status, body)
    assert problem_of(server.access()).code == "too_large"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"<html>hello</html>", "not_kubernetes"),
        (200, b"[]", "not_kubernetes"),
        (401, b"\xff", "not_kubernetes"),
        (401, b"no", "unauthorized"),
        (403, b'{"message": 5}', "forbidden"),
        (429, b"{}", "busy"),
        (503, b"", "failing"),
    ],
)
def test_whatever_answers_there_ends_in_a_named_state(
    server: Server, status: int, body: bytes, code: str
) -> None:
    server.answer = lambda request: reply(request, status, body)
    assert problem_of(server.access()).code == code


def test_a_client_certificate_opens_a_server_that_asks_for_one(server: Server) -> None:
    server.context.verify_mode = ssl.CERT_REQUIRED
    issued = server.authority.issue_cert("fluxgate")
    access = server.access(
        certificate=issued.cert_chain_pems[0].bytes().decode(),
        key=issued.private_key_pem.bytes().decode(),
    )
    with KubernetesDoor(access) as door:
        assert door.get("/version") == {}


def test_a_server_of_another_name_is_not_trusted(server: Server) -> None:
    access = server.access()
    other = Access(access.server.replace("localhost", "127.0.0.1"), access.authority, token="x")
    assert problem_of(other).code == "certificate"


def test_nobody_there_is_unreachable(server: Server) -> None:
    access = server.access()
    server.server.shutdown()
    server.server.server_close()
    assert problem_of(access).code == "unreachable"
