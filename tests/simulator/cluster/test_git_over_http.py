"""Git over real HTTP: sign-in, and how refusals of a server are told."""

from __future__ import annotations

import base64
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, CGIHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import Bench, Repository, config_map

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


@pytest.fixture
def published(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Serve a repository by Git's own HTTP backend; give its URL."""
    programs = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    scripts = tmp_path / "web" / "cgi-bin"
    scripts.mkdir(parents=True)
    script = scripts / "git"
    script.write_text(f'#!/bin/sh\nexec "{programs.stdout.strip()}/git-http-backend"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_PROJECT_ROOT", str(repository.path.parent))
    monkeypatch.setenv("GIT_HTTP_EXPORT_ALL", "1")
    for number, (name, value) in enumerate([("safe.directory", "*")]):
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    class Backend(CGIHTTPRequestHandler):
        have_fork = False  # a process of its own, since other threads run here

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def translate_path(self, path: str) -> str:
            return str(scripts.parent) + path.partition("?")[0]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = repository.path.name
    yield f"http://127.0.0.1:{server.server_port}/cgi-bin/git/{name}/.git"
    server.shutdown()
    server.server_close()


def test_a_remote_is_cloned_and_followed(
    bench: Bench, repository: Repository, published: str
) -> None:
    old = repository.commit({"app/a.yaml": config_map("a")})
    first = repository.commit({"app/b.yaml": config_map("b")})
    bench.put({"app": {"path": "app", "prune": True}}, git={"url": published})
    bench.settle()
    assert bench.simulation.report("config").source_synced_commit_id == f"main@sha1:{first}"
    assert bench.compliance() == "Compliant"
    second = repository.commit({"app/a.yaml": None})
    bench.later(minutes=11)
    assert bench.simulation.report("config").source_synced_commit_id == f"main@sha1:{second}"
    assert bench.object("ConfigMap", "a") is None
    bench.put({}, git={"url": published, "repositoryRef": {"commit": old}})
    bench.settle()
    assert bench.simulation.report("config").source_synced_commit_id == f"sha1:{old}"
