"""The engine against a kind with a real store: what is written, and what is never written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.models import Environment, RoleAssignment, User
from audit.models import AuditEvent
from changes.claim import LeaseLost, claim, due
from changes.content import digest_of
from changes.engine import advance
from changes.errors import ChangeRefused
from changes.models import Change, Operation, Outbox, Review
from changes.record import backoff, poll_delay, record_waiting
from changes.services import change_review_again, operation_retry
from tests.changes.conftest import run
from tests.factories.changes import (
    JournalKind,
    approve,
    make_due,
    step,
    submit,
    target,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def change(author: User, approver: User, environment: Environment) -> Change:
    """An approved change that creates /r/one."""
    return approve(approver, submit(author, target(environment)))


@pytest.fixture
def operation(change: Change) -> Operation:
    return change.operations.get()


def actions(change: Change) -> list[str]:
    events = AuditEvent.objects.filter(change_id=change.pk).order_by("id")
    return [event.action for event in events][2:]  # after submitted and approved


def fresh(row: Any) -> Any:
    row.refresh_from_db()
    return row


# --- The straight way ---------------------------------------------------------------------
def test_what_was_approved_is_written_once(change: Change, journal: JournalKind) -> None:
    run(change)
    operation = change.operations.get()
    assert (change.state, operation.state) == ("applied", "succeeded")
    assert [w["body"] for w in journal.writes()] == [
        change.content["targets"][0]["steps"][0]["body"]
    ]
    assert journal.writes()[0]["request"] == operation.client_request_id
    assert operation.correlation_id.startswith("correlation-")
    assert journal.heard == [("accepted", operation.pk), ("finished", operation.pk)]
    assert actions(change) == [
        "operation.sending",
        "operation.accepted",
        "operation.succeeded",
        "change.applied",
    ]
    event = AuditEvent.objects.get(action="operation.accepted")
    assert (event.change_id, event.cluster_id, event.environment_id) == (
        change.pk,
        1,
        operation.target.environment_id,
    )


def test_a_worker_never_waits_for_the_outcome(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.seconds = 3600
    delay = advance(operation.pk)
    assert delay is not None
    assert delay <= 2
    assert (fresh(operation).state, operation.lease_until) == ("polling", None)
    assert operation.operation_url == f"journal:{operation.client_request_id}"
    make_due(change)
    assert advance(operation.pk) is not None
    assert (fresh(change).state, len(journal.writes())) == ("applying", 1)


def test_nothing_is_written_before_the_approval(
    author: User, environment: Environment, journal: JournalKind
) -> None:
    change = submit(author, target(environment))
    assert not due().exists()
    run(change)
    assert journal.writes() == []


def test_what_is_already_so_succeeds_without_a_write(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.put("/r/one", {"name": "/r/one", "size": 1})
    run(change)
    assert (change.state, fresh(operation).note) == ("applied", "already_so")
    assert journal.writes() == []


def test_steps_of_a_target_run_one_after_another(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    steps = [step("/r/a"), step("/r/b"), step("/r/c")]
    change = approve(approver, submit(author, target(environment, *steps)))
    second = change.operations.get(sequence=1)
    assert advance(second.pk) is None
    run(change)
    assert change.state == "applied"
    assert [w["resource"] for w in journal.writes()] == ["/r/a", "/r/b", "/r/c"]
    assert {row.key for row in Outbox.objects.all()} >= {str(second.pk)}


def test_a_delete_ends_with_the_resource_gone(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    base = {"size": 1}
    journal.put("/r/one", base)
    gone = step("/r/one", base=base, method="DELETE", verb="delete")
    change = approve(approver, submit(author, target(environment, gone), verb="delete"))
    run(change)
    assert (change.state, journal.live("/r/one")) == ("applied", None)


# --- What stops it ------------------------------------------------------------------------
def test_a_base_that_moved_stops_the_change(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.put("/r/one", {"size": 7})
    run(change)
    assert (change.state, fresh(operation).problem) == ("failed", "base_moved")
    assert operation.live == {"resource": {"size": 7}, "digest": digest_of({"size": 7})}
    assert journal.writes() == []
    with pytest.raises(ChangeRefused) as refused:
        operation_retry(actor=change.author, operation=operation)
    assert refused.value.code == "not_approved"


def test_a_stopped_change_is_reviewed_against_the_new_base(
    change: Change, author: User, approver: User, admin: User, journal: JournalKind
) -> None:
    journal.put("/r/one", {"size": 7})
    run(change)
    old = change.digest
    change_review_again(actor=approver, change=change)
    change.refresh_from_db()
    assert (change.state, change.revision) == ("in_review", 2)
    assert change.digest != old
    assert change.content["targets"][0]["steps"][0]["base"] == {"size": 7}
    with pytest.raises(ChangeRefused) as refused:  # who asked for it wrote a part of it
        approve(approver, change)
    assert refused.value.code == "own_change"
    run(change)
    assert journal.writes() == [], "the approval of the old base does not count"
    run(approve(admin, change))
    assert (fresh(change).state, len(journal.writes())) == ("applied", 1)
    assert change.operations.count() == 2


def test_a_moved_base_stops_the_other_targets_too(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    targets = [target(environment), target(environment, step("/r/two"), name="cluster-2")]
    change = approve(approver, submit(author, *targets))
    journal.put("/r/one", {"size": 7})
    first, second = change.operations.all()
    advance(first.pk)
    assert advance(second.pk) is None
    assert (fresh(change).state, journal.writes()) == ("failed", [])


def test_content_that_was_altered_after_the_approval_is_not_sent(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    change.content["targets"][0]["steps"][0]["body"] = {"name": "evil"}
    Change.objects.filter(pk=change.pk).update(content=change.content)
    run(change)
    assert (fresh(operation).problem, change.state) == ("digest_mismatch", "failed")
    assert journal.writes() == []


def test_content_and_digest_altered_together_have_no_approval(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    change.content["targets"][0]["steps"][0]["body"] = {"name": "evil"}
    forged = digest_of(change.content)
    Change.objects.filter(pk=change.pk).update(content=change.content, digest=forged)
    Operation.objects.filter(pk=operation.pk).update(digest=forged)
    run(change)
    assert (fresh(operation).problem, journal.writes()) == ("rights_lost", [])


def test_an_operation_that_nobody_approved_is_not_sent(
    author: User, environment: Environment, journal: JournalKind
) -> None:
    """Rows put into the database by hand, past every service."""
    change = submit(author, target(environment))
    Change.objects.filter(pk=change.pk).update(
        state="approved", approvals_needed=1, approved_at=timezone.now()
    )
    first = change.content["targets"][0]["steps"][0]
    operation = Operation.objects.create(
        change=change,
        target=change.targets.get(),
        sequence=0,
        kind="journal",
        verb="create",
        resource_id=first["resource_id"],
        resource_name="one",
        digest=change.digest,
        next_at=timezone.now(),
        created_at=timezone.now(),
    )
    run(change)
    assert (fresh(operation).problem, journal.writes()) == ("rights_lost", [])


@pytest.mark.parametrize("how", ["role", "account", "editor"])
def test_an_approver_who_lost_the_right_before_the_write(
    change: Change, operation: Operation, approver: User, journal: JournalKind, how: str
) -> None:
    if how == "role":
        RoleAssignment.objects.filter(user=approver).delete()
    elif how == "account":
        User.objects.filter(pk=approver.pk).update(is_active=False)
    else:
        change.editors.add(approver)
    run(change)
    assert (fresh(operation).problem, change.state) == ("rights_lost", "failed")
    assert journal.writes() == []


def test_the_right_is_asked_for_again_right_before_the_write(
    change: Change,
    operation: Operation,
    approver: User,
    journal: JournalKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = journal.read

    def read_while_the_role_goes(*args: Any) -> Any:
        RoleAssignment.objects.filter(user=approver).delete()
        return read(*args)

    monkeypatch.setattr(journal, "read", read_while_the_role_goes)
    run(change)
    assert (fresh(operation).problem, journal.writes()) == ("rights_lost", [])


def test_a_withdrawal_while_the_base_is_read_wins(
    change: Change,
    operation: Operation,
    author: User,
    journal: JournalKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from changes.services import change_withdraw

    read = journal.read

    def read_while_it_is_withdrawn(*args: Any) -> Any:
        change_withdraw(actor=author, change=change, reason="stop")
        return read(*args)

    monkeypatch.setattr(journal, "read", read_while_it_is_withdrawn)
    advance(operation.pk)
    assert (fresh(change).state, fresh(operation).state) == ("withdrawn", "superseded")
    assert journal.writes() == []


def test_an_approval_that_expired_on_the_way_is_not_used(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    change = approve(approver, submit(author, target(environment, step("/r/a"), step("/r/b"))))
    advance(change.operations.get(sequence=0).pk)
    Change.objects.filter(pk=change.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    run(change)
    assert change.operations.get(sequence=1).problem == "approval_expired"
    assert (change.state, len(journal.writes())) == ("failed", 1)
    change_review_again(actor=author, change=change)
    run(approve(approver, fresh(change)))
    assert (fresh(change).state, len(journal.writes())) == ("applied", 2)


# --- Problems -----------------------------------------------------------------------------
def test_a_permanent_refusal_keeps_the_words_of_the_far_side(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.fail_next("send", problem="refused", code="InvalidScope", message="Scope is wrong.")
    run(change)
    operation.refresh_from_db()
    assert (change.state, operation.state, operation.problem) == ("failed", "failed", "refused")
    assert (operation.problem_code, operation.problem_message) == (
        "InvalidScope",
        "Scope is wrong.",
    )
    assert actions(change)[-2:] == ["operation.failed", "change.failed"]


def test_a_failed_operation_is_tried_again_under_its_approval(
    change: Change, operation: Operation, author: User, viewer: User, journal: JournalKind
) -> None:
    journal.fail_next("send", problem="forbidden")
    run(change)
    with pytest.raises(ChangeRefused) as refused:
        operation_retry(actor=viewer, operation=operation)
    assert refused.value.code == "no_right"
    operation_retry(actor=author, operation=operation)
    assert fresh(change).state == "applying"
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 1)
    assert "operation.retried" in actions(change)


def test_nothing_of_a_stopped_change_is_tried_again(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    """One target was refused, and another one's base moved: the whole needs a new review."""
    targets = [target(environment), target(environment, step("/r/two"), name="cluster-2")]
    change = approve(approver, submit(author, *targets))
    first, second = change.operations.all()
    journal.fail_next("send", problem="forbidden")
    advance(first.pk)
    journal.put("/r/two", {"size": 7})
    advance(second.pk)
    assert fresh(change).state == "failed"
    with pytest.raises(ChangeRefused) as refused:
        operation_retry(actor=author, operation=fresh(first))
    assert refused.value.code == "not_approved"
    change_review_again(actor=author, change=change)
    run(approve(approver, fresh(change)))
    assert (fresh(change).state, len(journal.writes())) == ("applied", 2)


def test_a_retry_needs_the_resource_to_be_free(
    change: Change,
    operation: Operation,
    author: User,
    environment: Environment,
    journal: JournalKind,
) -> None:
    journal.fail_next("send", problem="forbidden")
    run(change)
    submit(author, target(environment))
    with pytest.raises(ChangeRefused) as refused:
        operation_retry(actor=author, operation=operation)
    assert refused.value.code == "resource_taken"
    assert (fresh(change).state, fresh(operation).state) == ("failed", "failed")


def test_throttling_waits_as_told_and_is_no_attempt(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.fail_next("send", problem="throttled", retry=True, counts=False, retry_after=37)
    assert advance(operation.pk) == 37
    operation.refresh_from_db()
    assert (operation.state, operation.attempt, operation.problem) == ("waiting", 0, "throttled")
    assert timedelta(seconds=30) < operation.next_at - timezone.now() <= timedelta(seconds=37)
    run(change)
    assert (change.state, fresh(operation).attempt, operation.problem) == ("applied", 1, "")


@pytest.mark.parametrize("problem", ["sign_in_lost", "unreachable", "wrong_connection"])
@pytest.mark.parametrize("call", ["read", "send"])
def test_an_outage_never_loses_approved_work(
    change: Change, operation: Operation, journal: JournalKind, problem: str, call: str
) -> None:
    for _ in range(12):
        journal.fail_next(call, problem=problem, retry=False)
    for _ in range(12):
        make_due(change)
        advance(operation.pk)
        assert (fresh(operation).state, operation.problem) == ("waiting", problem)
    assert actions(change).count("operation.waiting") == 1, "once a problem, not once a try"
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 1)


@pytest.mark.parametrize("arrived", [True, False])
def test_an_answer_that_was_lost(
    change: Change, operation: Operation, journal: JournalKind, arrived: bool
) -> None:
    journal.fail_next(
        "send", problem="unreachable", retry=True, outcome_unknown=True, after=arrived
    )
    advance(operation.pk)
    assert (fresh(operation).state, operation.problem) == ("sending", "unreachable")
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 1)
    assert fresh(operation).note == ("adopted" if arrived else "")


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_to_a_write_with_a_secret(
    author: User, approver: User, environment: Environment, journal: JournalKind, arrived: bool
) -> None:
    """Nobody can read the secret back: the approved body is sent once more."""
    body = {"size": 1, "protected": {"key": {"$secret": "8"}}}
    change = approve(approver, submit(author, target(environment, step(body=body))))
    journal.fail_next(
        "send", problem="unreachable", retry=True, outcome_unknown=True, after=arrived
    )
    run(change)
    assert change.state == "applied"
    assert [w["body"] for w in journal.writes()] == [body] * (2 if arrived else 1)


def test_a_retry_of_a_write_that_azure_failed_sends_again(
    change: Change, operation: Operation, author: User, journal: JournalKind
) -> None:
    """The resource reads as wanted, and yet its last operation failed."""
    advance(operation.pk)
    journal.fail_next("poll", terminal=True, succeeded=False, code="Timeout")
    run(change)
    assert change.state == "failed"
    journal.fail_next("settled", terminal=True, succeeded=False)
    operation_retry(actor=author, operation=fresh(operation))
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 2)


def test_a_lost_answer_and_then_a_foreign_write(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.fail_next("send", problem="unreachable", retry=True, outcome_unknown=True)
    advance(operation.pk)
    journal.put("/r/one", {"size": 7})
    run(change)
    assert (fresh(operation).problem, journal.writes()) == ("base_moved", [])


def test_an_operation_url_that_is_gone_leaves_the_resource_to_judge(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    advance(operation.pk)
    Operation.objects.filter(pk=operation.pk).update(operation_url="journal:forgotten")
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 1)


def test_a_url_that_may_not_be_asked_leaves_the_resource_to_judge(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    advance(operation.pk)
    journal.fail_next("poll", problem="forbidden")
    run(change)
    assert change.state == "applied"


def test_a_write_that_fails_later_says_why(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    advance(operation.pk)
    journal.fail_next("poll", terminal=True, succeeded=False, code="Timeout", message="No agent.")
    run(change)
    operation.refresh_from_db()
    assert (operation.problem, operation.problem_code) == ("operation_failed", "Timeout")
    assert change.state == "failed"


def test_a_write_that_does_not_end_is_stuck_and_asked_for_ever_more_rarely(
    change: Change, operation: Operation, journal: JournalKind
) -> None:
    journal.seconds = 3600 * 100
    advance(operation.pk)
    Operation.objects.filter(pk=operation.pk).update(
        accepted_at=timezone.now() - timedelta(minutes=31)
    )
    make_due(change)
    assert advance(operation.pk) == 300
    assert (fresh(operation).state, operation.problem) == ("polling", "stuck")
    make_due(change)
    advance(operation.pk)
    assert actions(change).count("operation.waiting") == 1
    Operation.objects.filter(pk=operation.pk).update(
        accepted_at=timezone.now() - timedelta(hours=49)
    )
    run(change)
    assert (fresh(operation).state, operation.problem) == ("failed", "stuck")
    assert change.state == "failed"


def test_a_fault_of_ours_keeps_the_work(
    change: Change, operation: Operation, journal: JournalKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(journal, "is_desired", fault)
        assert advance(operation.pk) is not None
    operation.refresh_from_db()
    assert (operation.state, operation.problem) == ("waiting", "fault")
    assert operation.problem_code == "ZeroDivisionError"
    run(change)
    assert change.state == "applied"


def test_pauses_grow_with_jitter_between_two_seconds_and_five_minutes() -> None:
    for failures in range(1, 40):
        pauses = [backoff(failures) for _ in range(50)]
        assert all(2 <= pause <= min(300, 2 * 2**failures) for pause in pauses)
        assert len(set(pauses)) > 1
    assert max(backoff(30) for _ in range(200)) > 150


def test_the_first_questions_come_quickly_then_as_told() -> None:
    assert poll_delay(timedelta(0), 60) <= 2
    assert poll_delay(timedelta(seconds=9), 60) <= 2
    assert poll_delay(timedelta(seconds=20), 60) == 60
    assert poll_delay(timedelta(seconds=20), None) == 5
    assert poll_delay(timedelta(hours=1), None) == 30


# --- Claims, fences, zombies --------------------------------------------------------------
def test_a_claim_is_held_by_one_worker(operation: Operation) -> None:
    lease = claim(operation.pk)
    assert lease is not None
    assert claim(operation.pk) is None
    assert lease.until - timezone.now() <= timedelta(seconds=90)


def test_a_claim_that_ran_out_is_taken_over_with_a_higher_fence(
    change: Change, operation: Operation
) -> None:
    first = claim(operation.pk)
    make_due(change)
    second = claim(operation.pk)
    assert first is not None
    assert second is not None
    assert second.fence > first.fence


def test_the_word_of_a_zombie_does_not_count(change: Change, operation: Operation) -> None:
    zombie = claim(operation.pk)
    make_due(change)
    claim(operation.pk)
    assert zombie is not None
    with pytest.raises(LeaseLost):
        zombie.write_back(state="failed")
    assert fresh(operation).state == "waiting"


def test_a_worker_that_was_paused_before_the_write_does_not_write(
    change: Change,
    operation: Operation,
    journal: JournalKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Paused between intent and write for longer than the lease leaves for a write."""
    monkeypatch.setattr("changes.record.LEASE", timedelta(seconds=30))
    assert advance(operation.pk) is None
    assert (fresh(operation).state, journal.writes()) == ("sending", [])
    monkeypatch.undo()
    journal.use(journal.path)
    run(change)
    assert (fresh(change).state, len(journal.writes())) == ("applied", 1)


def test_a_late_write_of_a_zombie_is_found_and_set_right(
    author: User,
    approver: User,
    environment: Environment,
    journal: JournalKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker is paused within the write; meanwhile its change and a newer one are applied."""
    old = approve(approver, submit(author, target(environment, step(body={"size": 1}))))
    operation = old.operations.get()
    newer: list[Change] = []
    accept = journal.accept

    def paused(late_step: Any, request: str) -> None:
        monkeypatch.setattr(journal, "accept", accept)
        run(old)  # another worker takes over and finishes
        assert fresh(old).state == "applied"
        again = step(body={"size": 2}, base={"size": 1}, verb="update")
        newer.append(approve(approver, submit(author, target(environment, again))))
        run(newer[0])
        assert journal.live("/r/one") == {"size": 2}
        accept(late_step, request)  # and only now the first one's write arrives

    monkeypatch.setattr(journal, "accept", paused)
    advance(operation.pk)
    assert journal.live("/r/one") == {"size": 1}, "the late write did harm"
    assert fresh(newer[0]).state == "applying", "and was noticed"
    run(newer[0])
    assert (newer[0].state, journal.live("/r/one")) == ("applied", {"size": 2})
    assert newer[0].operations.get().note == "reapplied"
    assert fresh(old).state == "applied"


def test_one_write_in_flight_on_a_resource(
    author: User, approver: User, environment: Environment, journal: JournalKind, admin: User
) -> None:
    """Two operations on one resource (within one change: two targets share a registration)."""
    shared = step("/r/shared")
    change = approve(
        approver,
        submit(
            author,
            target(environment, shared, step("/r/a"), resource_id="/r/a"),
            target(environment, shared, step("/r/b"), resource_id="/r/b", name="cluster-2"),
        ),
    )
    journal.seconds = 3600
    first, second = change.operations.filter(sequence=0)
    advance(first.pk)
    assert advance(second.pk) is None
    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.filter(pk=second.pk).update(state="sending")
    journal.seconds = 0
    journal.put("/r/shared", shared.body)
    run(change)
    assert change.state == "applied"
    assert [w["resource"] for w in journal.writes()].count("/r/shared") == 1
    assert fresh(second).note == "already_so"


def test_a_newer_approval_supersedes_what_still_waited(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    older = approve(approver, submit(author, target(environment, step("/r/a"), step("/r/one"))))
    journal.fail_next("send", problem="refused")
    run(older)
    assert older.state == "failed"
    waiting = older.operations.get(sequence=1)
    assert waiting.state == "waiting"
    newer = approve(approver, submit(author, target(environment)))
    assert fresh(waiting).state == "superseded"
    assert fresh(older).superseded_by == newer
    assert "operation.superseded" in actions(older)
    run(newer)
    assert newer.state == "applied"


def test_later_steps_of_a_failed_target_go_on_after_the_retry(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    change = approve(approver, submit(author, target(environment, step("/r/a"), step("/r/b"))))
    journal.fail_next("send", problem="refused")
    run(change)
    first, second = change.operations.all()
    assert (first.state, second.state, change.state) == ("failed", "waiting", "failed")
    operation_retry(actor=author, operation=first)
    run(change)
    assert (change.state, len(journal.writes())) == ("applied", 2)


def test_one_failed_target_does_not_hold_the_others(
    author: User, approver: User, environment: Environment, journal: JournalKind
) -> None:
    targets = [target(environment), target(environment, step("/r/two"), name="cluster-2")]
    change = approve(approver, submit(author, *targets))
    journal.fail_next("send", problem="refused")
    run(change)
    assert sorted(change.operations.values_list("state", flat=True)) == ["failed", "succeeded"]
    assert change.state == "failed"


def test_a_problem_recorded_by_a_zombie_alters_nothing(
    change: Change, operation: Operation
) -> None:
    from changes.errors import WriteProblem
    from changes.models import Problem

    zombie = claim(operation.pk)
    make_due(change)
    claim(operation.pk)
    assert zombie is not None
    events = AuditEvent.objects.count()
    with pytest.raises(LeaseLost):
        record_waiting(zombie, WriteProblem(Problem.BUSY, retry=True))
    assert AuditEvent.objects.count() == events
    assert fresh(operation).problem == ""


def test_every_write_has_its_approval(
    author: User,
    approver: User,
    environment: Environment,
    journal: JournalKind,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    """Whatever happens on the way, each body in the journal is one that was approved."""
    change = submit(author, target(environment, step(body={"size": 5})))
    change = submit(author, target(environment, step(body={"size": 1})), revises=change)
    approve(approver, change)
    for fault in ("unreachable", "busy", "throttled"):
        journal.fail_next("send", problem=fault, retry=True)
    run(change)
    approved = set(Review.objects.filter(verdict="approve").values_list("digest", flat=True))
    assert change.digest in approved
    assert [w["body"] for w in journal.writes()] == [{"size": 1}]
