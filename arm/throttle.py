"""Keeping within ARM's limits, together with every other process of the portal.

One token bucket for each principal, subscription and kind of call, at 60 % of the published rate
(learn.microsoft.com, "Understand how Azure Resource Manager throttles requests": reads 250 refilled
by 25 a second, writes and deletes 200 by 10; Resource Graph: 15 queries in 5 s), so that people and
other tools keep their share. The lower the priority the more tokens it must leave in the bucket.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import redis

from arm.errors import Throttled

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

SHARE = 0.6
"""Our part of each published limit."""

DEFAULT_FREEZE = 10.0
"""Seconds to stay away after a 429 that names no time."""

REDIS_PAUSE = 5.0
"""Seconds to go without Redis before it is tried again."""


class Kind(enum.StrEnum):
    """The kinds of call that ARM counts apart."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    GRAPH = "graph"


class Priority(enum.IntEnum):
    """Who goes first. Approved changes before people's pages before background reads."""

    APPLY = 0
    INTERACTIVE = 1
    POLL = 2


@dataclass(frozen=True)
class Limit:
    """A bucket: ``capacity`` tokens, refilled by ``rate`` a second."""

    capacity: float
    rate: float


LIMITS: dict[Kind, Limit] = {
    Kind.READ: Limit(250 * SHARE, 25 * SHARE),
    Kind.WRITE: Limit(200 * SHARE, 10 * SHARE),
    Kind.DELETE: Limit(200 * SHARE, 10 * SHARE),
    Kind.GRAPH: Limit(15 * SHARE, 15 / 5 * SHARE),
}

RESERVE: dict[Priority, float] = {
    Priority.APPLY: 0.0,
    Priority.INTERACTIVE: 0.1,
    Priority.POLL: 0.4,
}
"""The part of a bucket's capacity that a priority leaves for those before it."""


class Buckets(Protocol):
    """Where buckets live. Every call is atomic."""

    def take(self, name: str, limit: Limit, reserve: float) -> float:
        """Take one token, leaving ``reserve``; 0.0 when taken, else the seconds to wait for one."""

    def freeze(self, name: str, limit: Limit, seconds: float) -> None:
        """Give nothing for ``seconds``, and start from empty after that."""

    def cap(self, name: str, limit: Limit, tokens: float) -> None:
        """Have no more than ``tokens`` left."""


class LocalBuckets:
    """Buckets of this process alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state: dict[str, tuple[float, float]] = {}

    def take(self, name: str, limit: Limit, reserve: float) -> float:
        with self._lock:
            now, tokens, at = self._now(name, limit)
            if at > now:
                return at - now + (1 + reserve) / limit.rate
            if tokens >= 1 + reserve:
                self._state[name] = (tokens - 1, now)
                return 0.0
            return (1 + reserve - tokens) / limit.rate

    def freeze(self, name: str, limit: Limit, seconds: float) -> None:
        with self._lock:
            now, _, at = self._now(name, limit)
            self._state[name] = (0.0, max(at, now + seconds))

    def cap(self, name: str, limit: Limit, tokens: float) -> None:
        with self._lock:
            now, held, at = self._now(name, limit)
            self._state[name] = (min(held, tokens), max(at, now))

    def _now(self, name: str, limit: Limit) -> tuple[float, float, float]:
        """Now, the tokens at this moment, and since when: a time to come while frozen."""
        now = self._clock()
        tokens, at = self._state.get(name, (limit.capacity, now))
        if at > now:
            return now, tokens, at
        return now, min(limit.capacity, tokens + (now - at) * limit.rate), at


_SCRIPT = """
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local capacity, rate, verb, value = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1] or capacity), tonumber(state[2] or now)
local wait = 0
if at <= now then
  tokens = math.min(capacity, tokens + (now - at) * rate)
end
if verb == 'take' then
  if at > now then
    return tostring(at - now + (1 + value) / rate)
  elseif tokens < 1 + value then
    return tostring((1 + value - tokens) / rate)
  end
  tokens, at = tokens - 1, now
elseif verb == 'freeze' then
  tokens, at = 0, math.max(at, now + value)
else
  tokens, at = math.min(tokens, value), math.max(at, now)
end
local life = math.ceil((at - now + capacity / rate) * 1000) + 1000
tokens, at = string.format('%.6f', tokens), string.format('%.6f', at)
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', at)
redis.call('PEXPIRE', KEYS[1], life)
return '0'
"""


class RedisBuckets:
    """Buckets shared through Redis, counted by its clock; every step is one atomic script."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str = "fluxgate:throttle:",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._script = client.register_script(_SCRIPT)
        self._prefix = prefix
        self._clock = clock

    def take(self, name: str, limit: Limit, reserve: float) -> float:
        return float(self._run(name, limit, "take", reserve))

    def freeze(self, name: str, limit: Limit, seconds: float) -> None:
        self._run(name, limit, "freeze", seconds)

    def cap(self, name: str, limit: Limit, tokens: float) -> None:
        self._run(name, limit, "cap", tokens)

    def _run(self, name: str, limit: Limit, verb: str, value: float) -> Any:
        now = -1.0 if self._clock is None else self._clock()
        arguments = [repr(now), repr(limit.capacity), repr(limit.rate), verb, repr(value)]
        return self._script(keys=[self._prefix + name], args=arguments)


class Throttle:
    """Asks for a token before each request and learns from the answers.

    With ``redis_url`` the buckets are shared by all processes. While Redis is gone each process
    keeps to buckets of its own, so the limits may be passed by as many times as there are processes
    until ARM says so; nothing stops.
    """

    def __init__(
        self,
        redis_url: str = "",
        *,
        shared: Buckets | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._local = LocalBuckets(clock)
        self._shared = shared
        self._without_shared_until = 0.0
        if shared is None and redis_url:
            client = redis.Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)
            self._shared = RedisBuckets(client)

    def acquire(self, key: str, kind: Kind, priority: Priority, *, budget: float = 0.0) -> None:
        """Take a token for one call, waiting no longer than ``budget`` seconds in all.

        ``key`` names the principal and the subscription. Raises ``Throttled`` with ``retry_after``
        when a token is further off than that.
        """
        limit = LIMITS[kind]
        reserve = limit.capacity * RESERVE[priority]
        left = budget
        while wait := self._on_buckets(lambda it: it.take(_name(key, kind), limit, reserve)):
            if wait > left:
                raise Throttled(
                    "Throttled",
                    f"Held back for {wait:.1f} s to stay within Azure's limit for {kind} calls.",
                    retry_after=wait,
                )
            pause = max(wait, 0.005)
            self._sleep(pause)
            left -= pause

    def freeze(self, key: str, kind: Kind, retry_after: float | None) -> None:
        """ARM said 429: no call of this kind until its ``Retry-After`` is over."""
        seconds = DEFAULT_FREEZE if retry_after is None else retry_after
        self._on_buckets(lambda it: it.freeze(_name(key, kind), LIMITS[kind], seconds))

    def observe(self, key: str, kind: Kind, remaining: float) -> None:
        """ARM told how many calls are left to this principal: use no more than our share."""
        tokens = remaining * SHARE
        if tokens < LIMITS[kind].capacity:
            self._on_buckets(lambda it: it.cap(_name(key, kind), LIMITS[kind], tokens))

    def _on_buckets(self, do: Callable[[Buckets], _Result]) -> _Result:
        if self._shared is not None and self._clock() >= self._without_shared_until:
            try:
                return do(self._shared)
            except redis.RedisError:
                _log.warning("Redis does not answer; this process keeps to limits of its own.")
                self._without_shared_until = self._clock() + REDIS_PAUSE
        return do(self._local)


def _name(key: str, kind: Kind) -> str:
    return f"{key}:{kind}"
