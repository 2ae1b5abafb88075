"""What a simulated cluster needs from the rest of the simulator."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time that the simulator lives by."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...


class SourceMap(Protocol):
    """Where the content of a source URL is really found."""

    def resolve(self, url: str) -> str:
        """Return a local path for a mapped URL, otherwise the URL itself."""
        ...
