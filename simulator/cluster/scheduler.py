"""When each object of a cluster is reconciled next, and how far a running reconcile is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator
from datetime import datetime, timedelta

from .objects import ObjectKey

# A reconcile yields how long its present state stays visible, and returns when it wants
# to run again; None means not before something asks for it.
Reconcile = Generator[timedelta, None, timedelta | None]

_log = logging.getLogger(__name__)
_FIRST_RETRY = timedelta(milliseconds=750)
_LAST_RETRY = timedelta(minutes=15)


class Scheduler:
    """A work queue: one entry an object, as controllers have."""

    def __init__(self) -> None:
        self._due: dict[ObjectKey, datetime] = {}
        self._running: dict[ObjectKey, Reconcile] = {}
        self._again: set[ObjectKey] = set()
        self._failures: dict[ObjectKey, int] = {}

    def enqueue(self, key: ObjectKey, at: datetime) -> None:
        """Ask for a reconcile; while one runs it starts over when that has ended."""
        if key in self._running:
            self._again.add(key)
        else:
            self._due[key] = min(at, self._due.get(key, at))

    def forget(self, key: ObjectKey) -> None:
        running = self._running.pop(key, None)
        if running is not None:
            running.close()
        self._due.pop(key, None)
        self._failures.pop(key, None)
        self._again.discard(key)

    def restart(self, key: ObjectKey, at: datetime) -> None:
        """Give up a running reconcile and begin anew, as after a change of its object."""
        failures = self._failures.get(key, 0)
        self.forget(key)
        if failures:
            self._failures[key] = failures
        self._due[key] = at

    def back_off(self, key: ObjectKey) -> timedelta:
        """Count a failure and return the wait: doubled each time, 15 minutes at most."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return min(_LAST_RETRY, _FIRST_RETRY * float(2 ** min(count, 20)))

    def succeeded(self, key: ObjectKey) -> None:
        self._failures.pop(key, None)

    def next_due(self) -> datetime | None:
        return min(self._due.values(), default=None)

    def run_due(self, now: datetime, start: Callable[[ObjectKey], Reconcile | None]) -> bool:
        """Move every due reconcile one step on; tell whether there was any."""
        due = sorted(key for key, at in self._due.items() if at <= now)
        due.sort(key=lambda key: self._due[key])
        for key in due:
            if key in self._due:
                self._step(key, now, start)
        return bool(due)

    def _step(
        self, key: ObjectKey, now: datetime, start: Callable[[ObjectKey], Reconcile | None]
    ) -> None:
        del self._due[key]
        reconcile = self._running.pop(key, None) or start(key)
        if reconcile is None:
            return
        self._running[key] = reconcile
        try:
            pause = next(reconcile)
        except StopIteration as end:
            self._running.pop(key, None)
            wait: timedelta | None = end.value
            if key in self._again:
                self._again.discard(key)
                wait = timedelta()
            if wait is not None:
                self._due[key] = min(now + wait, self._due.get(key, now + wait))
        except Exception:
            # As a controller does: one bad object must not stop the work on the others.
            _log.exception("the reconcile of %s failed", key)
            self._running.pop(key, None)
            self._due[key] = now + self.back_off(key)
        else:
            # The reconcile may have been given up by what it did itself.
            if self._running.get(key) is reconcile:
                self._due[key] = now + pause

    def snapshot(self) -> dict[str, object]:
        return {
            "due": [[*key, at.isoformat()] for key, at in self._due.items()],
            "failures": [[*key, count] for key, count in self._failures.items()],
        }

    def restore(self, data: dict[str, list[list[str]]]) -> None:
        """Take up a stored queue. What was running starts over, as after a controller's restart."""
        self._running.clear()
        self._again.clear()
        self._due = {ObjectKey(*row[:4]): datetime.fromisoformat(row[4]) for row in data["due"]}
        self._failures = {ObjectKey(*row[:4]): int(row[4]) for row in data["failures"]}


def jittered(interval: timedelta, seed: str) -> timedelta:
    """Spread an interval by up to 5 % either way, the same way for the same seed."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
    return interval * (0.95 + number * 0.1)
