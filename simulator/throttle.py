"""ARM's and Resource Graph's request limits, at their published rates."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.clock import Clock

# Kind of call -> (bucket size, tokens a second), for each subscription (or tenant) and principal.
RATES = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}
GRAPH_QUERIES, GRAPH_WINDOW = 15, timedelta(seconds=5)

KIND_OF_METHOD = {
    "GET": "reads",
    "HEAD": "reads",
    "OPTIONS": "reads",
    "DELETE": "deletes",
}


@dataclass
class _Bucket:
    tokens: float
    filled: datetime


class Throttle:
    """Token buckets. With ``enabled`` off every call passes and the headers show full buckets."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._queries: dict[str, deque[datetime]] = {}

    def take(self, scope: str, principal: str, kind: str) -> tuple[int, int]:
        """Use one token: return (what remains, seconds to wait; 0 when it was granted)."""
        size, rate = RATES[kind]
        if not self.enabled:
            return size - 1, 0
        now = self._clock.now()
        with self._lock:
            bucket = self._buckets.setdefault((scope, principal, kind), _Bucket(size, now))
            elapsed = max(0.0, (now - bucket.filled).total_seconds())
            bucket.tokens = min(float(size), bucket.tokens + elapsed * rate)
            bucket.filled = now
            if bucket.tokens < 1:
                return 0, max(1, math.ceil((1 - bucket.tokens) / rate))
            bucket.tokens -= 1
            return int(bucket.tokens), 0

    def take_query(self, principal: str) -> tuple[int, timedelta, bool]:
        """Use one Resource Graph query: (quota left, time until it resets, granted)."""
        now = self._clock.now()
        with self._lock:
            used = self._queries.setdefault(principal, deque())
            while used and now - used[0] >= GRAPH_WINDOW:
                used.popleft()
            resets = (used[0] + GRAPH_WINDOW - now) if used else GRAPH_WINDOW
            if not self.enabled:
                return GRAPH_QUERIES - 1, resets, True
            if len(used) >= GRAPH_QUERIES:
                return 0, resets, False
            used.append(now)
            return GRAPH_QUERIES - len(used), resets, True

    def reset(self) -> None:
        with self._lock:
            self._buckets.clear()
            self._queries.clear()
