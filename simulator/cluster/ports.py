"""What a simulated cluster needs from the rest of the simulator."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The time that the simulator lives by."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...


class Access(Protocol):
    """Something that a source asks for: see ``simulator.sources.ACCESS_KINDS``."""

    @property
    def kind(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def parts(self) -> list[str]: ...


class SourceMap(Protocol):
    """Where the content of a source URL is really found, and what it asks for."""

    def resolve(self, url: str) -> str:
        """Return a local path for a mapped URL, otherwise the URL itself."""
        ...

    def tags(self, url: str) -> dict[str, Path]:
        """Return folder by tag of an OCI repository."""
        ...

    def access(self, url: str) -> tuple[Access, ...]:
        """Return what a source asks for; nothing for a public one."""
        ...


class Federation(Protocol):
    """What Microsoft Entra ID knows of an identity."""

    def __call__(self, client_id: str, subject: str) -> bool:
        """Tell whether an identity trusts a service account of this cluster."""
        ...
