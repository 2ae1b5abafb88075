"""kill -9 at every point between an approval and its recorded result: nothing lost, one write."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from changes.crash_points import CRASH_POINTS
from tests.faults.conftest import House


def survive(house: House, point: str) -> None:
    """A worker dies at `point`; another one and the sweep go on."""
    house.redis()
    doomed = house.worker(FLUXGATE_CRASH_POINT=point)
    house.approve(1)
    house.wait_for(lambda: doomed.poll() is not None, f"the worker dies at {point}")
    assert doomed.returncode == -signal.SIGKILL
    assert house.states() != ["applied"]
    house.time_passes()
    house.worker()
    house.sweep()
    house.wait_until_applied()
    assert house.writes() == [("/r/0", '{"size": 1}')]
    house.verify()


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_worker_killed_at_any_point_loses_nothing(house: House, point: str) -> None:
    survive(house, point)


@pytest.mark.postgresql
@pytest.mark.parametrize("point", ["after_intent", "after_send"])
def test_the_same_on_postgresql(house_on_postgresql: House, point: str) -> None:
    survive(house_on_postgresql, point)


def test_a_worker_paused_within_the_write_does_no_lasting_harm(house: House) -> None:
    """Stopped while the request is on its way, past its lease; then it goes on and writes late."""
    house.redis()
    marker = house.folder / "stopped"
    zombie = house.worker(FLUXGATE_TEST_STOP=str(marker))
    house.approve(1)
    house.wait_for(marker.exists, "the worker is within the write")
    house.time_passes()
    marker.touch()  # only the first one stops
    house.worker()
    house.sweep()
    house.wait_until_applied()
    assert len(house.writes()) == 1
    os.kill(zombie.pid, signal.SIGCONT)
    house.wait_for(lambda: len(house.writes()) == 2, "the late write arrives")
    rechecked = "SELECT count(*) FROM audit_auditevent WHERE action = 'operation.rechecked'"
    house.wait_for(lambda: house.sql(rechecked) == [(1,)], "the late write is noticed")
    house.wait_until_applied()
    assert Counter(house.writes()) == {("/r/0", '{"size": 1}'): 2}, "at least once, and convergent"


def test_redis_killed_before_the_approval(house: House) -> None:
    """The approval does not notice, and the sweep applies."""
    redis = house.redis()
    house.worker()
    redis.kill()
    redis.wait()
    house.approve(3)
    assert house.states() == ["approved"] * 3
    house.sweep()
    house.wait_until_applied()
    assert Counter(resource for resource, _ in house.writes()) == {f"/r/{n}": 1 for n in range(3)}
    house.verify()


def test_redis_killed_with_work_in_its_queue(house: House) -> None:
    """What was queued is gone with Redis; the database still knows all of it."""
    redis = house.redis()
    house.approve(5)  # rung, and nobody there to hear it
    assert house.sql("SELECT count(*) FROM changes_outbox") == [(0,)]
    redis.kill()
    redis.wait()
    house.sweep()
    house.wait_until_applied()
    assert Counter(resource for resource, _ in house.writes()) == {f"/r/{n}": 1 for n in range(5)}
    house.verify()


def test_redis_killed_and_back_while_workers_and_sweep_run(house: House) -> None:
    """Both go for the same operations the whole time; each is written once."""
    redis = house.redis()
    house.worker()
    house.worker()
    house.sweep()
    house.sweep()
    house.approve(5)
    redis.kill()
    redis.wait()
    house.wait_until_applied()
    house.redis()
    assert len(house.writes()) == 5
    house.verify()


@pytest.mark.postgresql
def test_the_database_cuts_every_connection(house_on_postgresql: House) -> None:
    """As a restart of PostgreSQL does, again and again while work is under way."""
    house = house_on_postgresql
    house.redis()
    house.worker()
    house.sweep()
    house.approve(5)
    for _ in range(5):
        house.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(0.3)  # let them connect again, to be cut off again
    house.time_passes()
    house.wait_until_applied()
    assert Counter(resource for resource, _ in house.writes()) == {f"/r/{n}": 1 for n in range(5)}
    assert "events hold" in house.python("manage.py", "verify_audit")


def test_the_web_dies_between_commit_and_bell(house: House) -> None:
    """The outbox row is all that is left of the bell."""
    house.redis()
    house.environment["FLUXGATE_CRASH_POINT"] = "before_bell"
    with pytest.raises(AssertionError):
        house.approve(1)
    del house.environment["FLUXGATE_CRASH_POINT"]
    assert house.states() == ["approved"]
    assert house.sql("SELECT count(*) FROM changes_outbox") == [(1,)]
    house.worker()
    house.sweep()
    house.wait_until_applied()
    assert len(house.writes()) == 1
    house.verify()
