"""Ring the open pages through Redis; without Redis they notice by the database's versions."""

from __future__ import annotations

from collections.abc import Sequence


def publish(scopes: Sequence[str]) -> None:
    """Tell the listening processes that these scopes moved; never raises."""
