"""The journal of the test kind, and what goes through the engine with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from changes import outbox
from changes.engine import advance
from changes.models import Change
from tests.factories.changes import JOURNAL, JournalKind, make_due


@pytest.fixture(autouse=True)
def journal(tmp_path: Path) -> JournalKind:
    """An empty store for each test."""
    JOURNAL.use(tmp_path / "journal.sqlite3")
    return JOURNAL


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none in these tests; the engine goes on without, as it must."""
    monkeypatch.setattr(outbox, "_quiet_until", float("inf"))


def run(change: Change, rounds: int = 30) -> Change:
    """Advance everything of the change, skipping the pauses, until nothing is left to do."""
    for _ in range(rounds):
        make_due(change)
        ids = change.operations.filter(finished_at=None).values_list("pk", flat=True)
        if not [advance(pk) for pk in list(ids)]:
            break
    change.refresh_from_db()
    return change
