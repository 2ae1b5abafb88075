"""Many at once: the first wins, the others are refused, and nothing happens twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from access.models import Environment, User
from audit.models import AuditEvent
from changes.claim import claim
from changes.engine import advance
from changes.errors import ChangeRefused
from changes.models import Change, Operation, Review
from changes.services import change_withdraw, review_add
from tests.factories.access import make_user
from tests.factories.changes import JournalKind, approve, step, submit, target

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 8


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all of them at the same moment, each with its own connection; their results.

    A ChangeRefused counts as its code; any other exception fails the test.
    """
    barrier = Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def do(position: int) -> None:
        try:
            barrier.wait()
            results[position] = acts[position]()
        except ChangeRefused as refused:
            results[position] = refused.code
        except Exception as other:
            results[position] = other
        finally:
            connection.close()

    threads = [Thread(target=do, args=(position,)) for position in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faults = [result for result in results if isinstance(result, Exception)]
    assert not faults, faults
    return results


@pytest.fixture
def change(author: User, environment: Environment) -> Change:
    return submit(author, target(environment))


def review(who: User, change: Change, verdict: str = "approve") -> Callable[[], Review]:
    return lambda: review_add(
        reviewer=who, change=change, verdict=verdict, comment="", digest=change.digest
    )


def test_many_approvers_at_once_approve_once(change: Change, environment: Environment) -> None:
    crowd = [make_user("approver", environment) for _ in range(CROWD)]
    results = at_once([review(who, change) for who in crowd])
    refused = Counter(result for result in results if isinstance(result, str))
    assert refused == {"not_in_review": CROWD - 1}
    assert Operation.objects.count() == 1
    assert AuditEvent.objects.filter(action="change.approved").count() == 1


def test_one_person_in_many_windows_approves_once(change: Change, environment: Environment) -> None:
    Change.objects.update(approvals_needed=2)
    eager = make_user("approver", environment)
    results = at_once([review(eager, change)] * CROWD)
    assert Counter(r for r in results if isinstance(r, str)) == {"already_approved": CROWD - 1}
    change.refresh_from_db()
    assert (change.state, Review.objects.count()) == ("in_review", 1)


def test_approve_reject_and_withdraw_at_once_have_one_winner(
    author: User, environment: Environment
) -> None:
    approver, other = (make_user("approver", environment) for _ in range(2))
    for number in range(5):
        change = submit(author, target(environment, step(f"/r/{number}")))
        results = at_once(
            [
                review(approver, change),
                review(other, change, "reject"),
                lambda change=change: change_withdraw(actor=author, change=change, reason=""),
            ]
        )
        change.refresh_from_db()
        waiting = change.operations.filter(state="waiting").count()
        assert change.state in {"approved", "rejected", "withdrawn"}
        # An author may still withdraw what was approved a moment before; else one act counts.
        done = [result for result in results if not isinstance(result, str)]
        assert len(done) == (2 if change.state == "withdrawn" and len(done) == 2 else 1)
        assert waiting == (1 if change.state == "approved" else 0)


def test_two_changes_for_one_resource_at_once_are_one(
    author: User, environment: Environment
) -> None:
    results = at_once([lambda: submit(author, target(environment))] * CROWD)
    assert Counter(r for r in results if isinstance(r, str)) == {"resource_taken": CROWD - 1}
    assert Change.objects.count() == 1


def test_a_revision_and_an_approval_at_once(author: User, environment: Environment) -> None:
    """Either the old content was approved and is applied, or the new one is in review."""
    approver = make_user("approver", environment)
    for number in range(5):
        resource = f"/r/{number}"
        change = submit(author, target(environment, step(resource)))
        shown = change.digest
        again = target(environment, step(resource, body={"size": 99}))
        at_once(
            [
                review(approver, change),
                lambda again=again, change=change: submit(author, again, revises=change),
            ]
        )
        change.refresh_from_db()
        if change.state == "approved":
            assert change.digest == shown
        else:
            assert (change.state, change.revision) == ("in_review", 2)
            assert not change.operations.exists()


def test_many_workers_claim_once(change: Change, approver: User) -> None:
    operation = approve(approver, change).operations.get()
    leases = at_once([lambda: claim(operation.pk)] * CROWD)
    assert len([lease for lease in leases if lease is not None]) == 1
    operation.refresh_from_db()
    assert operation.fence == 1


def test_a_message_delivered_many_times_writes_once(
    change: Change, approver: User, journal: JournalKind
) -> None:
    operation = approve(approver, change).operations.get()
    at_once([lambda: advance(operation.pk)] * CROWD)
    assert len(journal.writes()) == 1
