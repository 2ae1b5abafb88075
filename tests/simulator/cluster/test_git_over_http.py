"""Git over real HTTP: sign-in, and how refusals of a server are told."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import Bench

PREFIX = "failed to checkout and determine revision: "


class Server(ThreadingHTTPServer):
    """Answers every request with one status, and keeps what was sent to sign in."""

    status = 404
    signed_in: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        sent = self.headers.get("Authorization")
        if sent:
            self.server.signed_in.append(sent)
        self.send_response(self.server.status)
        if self.server.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[int], tuple[str, Server]]]:
    servers = []

    def start(status: int) -> tuple[str, Server]:
        server = Server(("127.0.0.1", 0), Handler)
        server.status, server.signed_in = status, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/team/fleet", server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "unable to clone '{url}': authentication required: Unauthorized"),
        (403, "unable to clone '{url}': authorization failed: Forbidden"),
        (404, "unable to clone '{url}': repository not found: Not Found"),
        (
            503,
            (
                "unable to clone '{url}': unexpected client error: unexpected requesting "
                '"{url}/info/refs?service=git-upload-pack" status code: 503'
            ),
        ),
    ],
)
def test_a_server_that_refuses(
    bench: Bench, serve: Callable[[int], tuple[str, Server]], status: int, text: str
) -> None:
    url, _ = serve(status)
    bench.put({}, git={"url": url})
    bench.settle()
    message = PREFIX + text.format(url=url)
    assert bench.ready("config") == ("False", "GitOperationFailed", message)


def test_a_port_where_nobody_listens(bench: Bench) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/team/fleet"
    bench.put({}, git={"url": url})
    bench.settle()
    get = f'Get "{url}/info/refs?service=git-upload-pack"'
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert bench.ready("config")[2] == f"{PREFIX}unable to clone '{url}': {get}: {refused}"


def test_user_and_key_reach_the_server(
    bench: Bench, serve: Callable[[int], tuple[str, Server]]
) -> None:
    url, server = serve(401)
    key = base64.b64encode(b"s3cret").decode()
    bench.put(
        {},
        git={"url": url, "httpsUser": "robot"},
        configurationProtectedSettings={"httpsKey": key},
    )
    bench.settle()
    assert base64.b64encode(b"robot:s3cret").decode() in server.signed_in[0]
    assert "s3cret" not in bench.ready("config")[2]
    assert "s3cret" not in str(bench.simulation.state.store.all())
