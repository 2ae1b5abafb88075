"""The time the simulation lives by."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _real_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Real time plus an offset, or a time that stands still until it is moved.

    ``Clock()`` follows the machine. ``Clock.frozen(start)`` moves only by ``advance`` and ``set``,
    which makes a test deterministic.
    """

    def __init__(self, source: Callable[[], datetime] = _real_now) -> None:
        self._source = source
        self._offset = timedelta()
        self._lock = threading.Lock()

    @classmethod
    def frozen(cls, start: datetime | None = None) -> Clock:
        moment = (start or _real_now()).astimezone(UTC)
        return cls(lambda: moment)

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        return self._source() + self._offset

    def advance(self, by: timedelta) -> datetime:
        with self._lock:
            self._offset += by
        return self.now()

    def set(self, moment: datetime) -> datetime:
        with self._lock:
            self._offset = moment.astimezone(UTC) - self._source()
        return self.now()


def wire_time(moment: datetime) -> str:
    """Format a moment the way the service writes it: ``2022-05-13T11:54:42+00:00``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def wire_time_precise(moment: datetime) -> str:
    """With microseconds and ``Z``, as in ``systemData``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
