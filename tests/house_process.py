"""The whole house as a user starts it: `with House(folder) as house`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90


@dataclass(frozen=True)
class Account:
    """A demo account as `script/run` prints it."""

    name: str
    password: str


class House:
    """`python -m portal.supervisor` on a free port with a data folder of its own."""

    def __init__(self, data: Path, *, options: str = "", env: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        self._options = options
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLUXGATE_", "SIMULATOR_", "DATABASE_URL", "REDIS_URL"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portal.supervisor"],
            cwd=ROOT,
            env=kept
            | {
                "PORT": str(self.port),
                "FLUXGATE_DATA": str(self.data),
                "SIMULATOR_PORT": str(free_port()),
                "SIMULATOR_OPTIONS": self._options,
                "PYTHONUNBUFFERED": "1",
            }
            | self._env,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops everything" not in self.log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The house did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        if self._process.poll() is None:
            self._process.kill()

    def pids(self, part: str) -> list[int]:
        """Process ids of a part ("worker", "redis"), as the supervisor started it."""
        assert self._process is not None
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self._process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        marks = {"redis": "redis-server", "worker": " worker ", "web": "uvicorn", "beat": " beat "}
        return [
            int(line.split()[0]) for line in listed.splitlines() if marks.get(part, part) in line
        ]

    @property
    def accounts(self) -> dict[str, Account]:
        """The demo accounts by name."""
        lines = (self.data / "demo-accounts.txt").read_text().splitlines()
        pairs = [line.split()[:2] for line in lines if line.strip()]
        return {name: Account(name, password) for name, password in pairs}

    @property
    def simulator(self) -> dict[str, Any]:
        """What the simulator wrote of itself."""
        found: dict[str, Any] = json.loads((self.data / "simulator" / "simulator.json").read_text())
        return found

    @contextlib.contextmanager
    def control(self) -> Iterator[httpx.Client]:
        """A client of the simulator's control door."""
        base = self.simulator["control_endpoint"]
        with httpx.Client(base_url=base, verify=self.simulator["ca_file"], timeout=30) as client:
            yield client

    def tell(self, operation: str, **arguments: Any) -> Any:
        """Call one operation of the simulator's control door; its result."""
        with self.control() as control:
            answer = control.post(operation, json=arguments)
        assert answer.is_success, answer.text
        return answer.json()["result"]

    def ask(self, what: str, **arguments: str) -> Any:
        """Read something from the control door."""
        with self.control() as control:
            answer = control.get(what, params=arguments)
        assert answer.is_success, answer.text
        return answer.json()["result"]

    def journal(self) -> list[dict[str, Any]]:
        """Every write that ARM accepted, in order."""
        found: list[dict[str, Any]] = self.ask("journal")
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
