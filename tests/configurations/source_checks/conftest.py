"""Repositories as strangers may write them, and a Git server over TLS on this machine."""

from __future__ import annotations

import functools
import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {}
"""


@pytest.fixture
def checks(settings: Any) -> dict[str, Any]:
    """The settings of source checks, switched on; a test may alter them."""
    settings.SOURCE_CHECKS = {
        "on": True,
        "hosts": ["github.com"],
        "private_hosts": [],
        "ca_file": "",
        "local": {},
        "seconds": 60.0,
        "megabytes": 20,
    }
    found: dict[str, Any] = settings.SOURCE_CHECKS
    return found


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=S", "-c", "user.email=s@example.com", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"},
    )
    return done.stdout.strip()


class Repository:
    """A repository on this machine that stands for a URL of GitHub."""

    url = "https://github.com/strange/source"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def commit(self) -> str:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", "m")
        return git(self.folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, checks: dict[str, Any]) -> Repository:
    made = Repository(tmp_path / "repository")
    checks["local"][made.url] = str(made.folder)
    return made


# --- A server -------------------------------------------------------------------------------
@dataclass
class Server:
    """What a host does with requests; `asked` has every path that came."""

    port: int
    root: Path
    asked: list[str] = field(default_factory=list)
    answer: Callable[[http.server.BaseHTTPRequestHandler], bool] = field(default=lambda _it: False)


@pytest.fixture
def server(tmp_path: Path, checks: dict[str, Any]) -> Iterator[Server]:
    """An HTTPS server for `git.example`, whose CA the checks trust and whose files are below
    `root`. The name resolves nowhere but in a test that says so."""
    authority = trustme.CA()
    checks["ca_file"] = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(checks["ca_file"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("git.example", "localhost").configure_cert(context)
    root = tmp_path / "served"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            if not made.answer(self):
                _backend(self, root)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_words: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(root))
    )
    httpd.daemon_threads = True
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    made = Server(port=httpd.server_address[1], root=root)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield made
    httpd.shutdown()
    httpd.server_close()


def _backend(handler: http.server.BaseHTTPRequestHandler, root: Path) -> None:
    """Git's own server program, by CGI."""
    path, _mark, query = handler.path.partition("?")
    length = int(handler.headers.get("Content-Length") or 0)
    done = subprocess.run(
        ["git", "http-backend"],
        input=handler.rfile.read(length),
        capture_output=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
        },
    )
    head, _empty, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    handler.send_response(int(headers.pop("Status", "200").split()[0]))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
