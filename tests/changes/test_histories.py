"""Many short lives of changes, each with its own bad luck, drawn from a seed.

In each, workers die anywhere, answers get lost, Azure throttles, outsiders write, messages come
twice. Whatever happens: nothing approved is lost, nothing unapproved is written, and nothing is
written more often than answers got lost.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.models import Environment, User
from audit.chain import verify
from changes import engine
from changes.crash_points import CRASH_POINTS
from changes.models import Change
from changes.services import change_review_again, operation_retry
from tests.factories.changes import JournalKind, approve, make_due, step, submit, target

HISTORIES = int(os.environ.get("TEST_HISTORIES", "200"))
ROUNDS = 40


class Killed(BaseException):
    """A worker's end: passes every `except Exception`, as a signal would."""


class BadLuck:
    """What goes wrong in one life, by its seed."""

    def __init__(self, seed: int, journal: JournalKind) -> None:
        self.dice = random.Random(seed)
        self.journal = journal
        self.lost_answers = 0
        self.foreign = False
        self.quiet = False

    def crash_point(self, name: str) -> None:
        if not self.quiet and self.dice.random() < 0.08:
            self.lost_answers += name in {"after_send"}
            raise Killed(name)

    def strike(self) -> None:
        """Prepare what the far side does next."""
        luck = self.dice.random()
        if luck < 0.10:
            self.journal.fail_next("read", problem="unreachable", retry=True)
        elif luck < 0.18:
            self.journal.fail_next(
                "send", problem="throttled", retry=True, counts=False, retry_after=9
            )
        elif luck < 0.30:
            arrives = self.dice.random() < 0.5
            self.lost_answers += 1
            self.journal.fail_next(
                "send", problem="unreachable", retry=True, outcome_unknown=True, after=arrives
            )
        elif luck < 0.35:
            self.journal.fail_next("send", problem="refused", code="No")
        elif luck < 0.40:
            self.journal.fail_next("poll", problem="sign_in_lost")
        elif luck < 0.45:
            self.journal.fail_next("poll", terminal=False, gone=True)
        elif luck < 0.47 and not self.foreign:
            self.foreign = True
            self.journal.put("/r/one", {"size": "foreign"})


def live_out(change: Change, people: tuple[User, ...], luck: BadLuck) -> None:
    """Until the change is applied; people try again and review again where it asks for that."""
    author, approver = people
    for number in range(ROUNDS):
        luck.quiet = number > ROUNDS // 2
        if not luck.quiet:
            luck.strike()
        make_due(change)
        for pk in change.operations.filter(finished_at=None).values_list("pk", flat=True):
            for _delivery in range(luck.dice.choice([1, 1, 3])):
                try:
                    engine.advance(pk)
                except Killed:
                    make_due(change)
        change.refresh_from_db()
        if change.state == "applied":
            return
        if change.state == "failed":
            failed = change.operations.filter(state="failed", digest=change.digest).first()
            assert failed is not None
            assert failed.problem
            if failed.problem == "base_moved":
                change_review_again(actor=author, change=change)
                change.refresh_from_db()
                approve(approver, change)
            else:
                operation_retry(actor=author, operation=failed)
    pytest.fail(f"lost: {change.state} {list(change.operations.values())}")


@pytest.fixture
def crashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BadLuck]]:
    """The engine's crash points, played by the luck that is first in the list."""
    playing: list[BadLuck] = []
    monkeypatch.setattr(engine, "crash_point", lambda name: playing[0].crash_point(name))
    return playing


@pytest.mark.django_db
@pytest.mark.parametrize("block", range(10))
def test_nothing_is_lost_and_nothing_unapproved_is_written(
    block: int,
    author: User,
    approver: User,
    environment: Environment,
    journal: JournalKind,
    tmp_path: Path,
    crashes: list[BadLuck],
) -> None:
    for seed in range(block * HISTORIES // 10, (block + 1) * HISTORIES // 10):
        journal.use(tmp_path / f"{seed}.sqlite3")
        luck = BadLuck(seed, journal)
        crashes[:] = [luck]
        bodies = [{"seed": seed, "step": number} for number in range(2)]
        steps = [step("/r/one", bodies[0]), step("/r/two", bodies[1])]
        change = approve(approver, submit(author, target(environment, *steps)))
        live_out(change, (author, approver), luck)
        written = [write["body"] for write in journal.writes()]
        assert all(body in bodies for body in written), f"unapproved, seed {seed}"
        assert journal.live("/r/two") == bodies[1], f"seed {seed}"
        if not luck.foreign:
            assert journal.live("/r/one") == bodies[0], f"seed {seed}"
        requests = [write["request"] for write in journal.writes()]
        assert len(set(requests)) == len(requests), f"the same request twice, seed {seed}"
        repeats = len(written) - len({json.dumps(body) for body in written})
        assert repeats <= luck.lost_answers + luck.foreign, f"seed {seed}"
    assert verify().ok


def test_every_crash_point_is_in_the_engine() -> None:
    source = Path(engine.__file__).read_text()
    assert all(f'crash_point("{name}")' in source for name in CRASH_POINTS)
