"""Move one operation on by one step: the engine's only entry (design.md section 4).

A worker claims, reads, writes or asks once, records, and lets go; it never waits for Azure to
finish. Whatever happens in between, the row says enough for the next one to go on:

    waiting                the base is read and compared; then intent, then the write
    sending, no answer     the live resource is read and compared: adopted or sent again
    polling                the operation URL is asked; without one the resource itself is judged
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from changes.claim import Lease, LeaseLost, claim
from changes.content import readable, step_at
from changes.crash_points import crash_point
from changes.errors import WriteProblem
from changes.kinds import Kind, Live, Polled, Sent, Step, kind_named
from changes.late_writes import check_again
from changes.models import Operation, Problem
from changes.record import (
    NotApproved,
    let_go,
    record_accepted,
    record_failed,
    record_intent,
    record_not_yet,
    record_succeeded,
    record_waiting,
    refuse_unapproved,
)

log = logging.getLogger(__name__)
State = Operation.State

# These wait however they are reported: approved work is never lost to an outage or a sign-in.
PATIENT = frozenset({Problem.SIGN_IN_LOST, Problem.UNREACHABLE, Problem.WRONG_CONNECTION})
STUCK_AFTER = timedelta(minutes=30)
STUCK_POLL_SECONDS = 300.0
# A cluster that is offline takes its configuration within 48 h or never (azure-docs).
GIVEN_UP_AFTER = timedelta(hours=48)
NEIGHBOUR_SECONDS = 3.0  # another write runs on the resource: look again so soon


def advance(operation_id: int) -> float | None:
    """Claim the operation if it is due and move it on.

    Returns the seconds after which it wants to be looked at again; None when it ended, is not
    due or belongs to another worker.
    """
    lease = claim(operation_id)
    if lease is None:
        return None
    crash_point("after_claim")
    try:
        return _move_on(lease)
    except LeaseLost as lost:
        log.warning("Discarded the word of a worker that was paused: %s", lost)
        return None


def _move_on(lease: Lease) -> float | None:
    operation = lease.operation
    try:
        kind = kind_named(operation.kind)
        step = step_at(operation.change.content, operation.target.position, operation.sequence)
        by_state = {State.WAITING: _begin, State.SENDING: _recover, State.POLLING: _poll}
        return by_state[State(operation.state)](lease, kind, step)
    except WriteProblem as problem:
        return _on_problem(lease, kind, step, problem)
    except NotApproved as refusal:
        record_failed(lease, kind, step, refusal.problem)
        return None
    except LeaseLost:
        raise
    except Exception as fault:  # a fault of ours must not lose approved work
        log.exception("Operation %s met a fault", operation.pk)
        return record_waiting(lease, WriteProblem(Problem.FAULT, code=type(fault).__name__))


def _begin(lease: Lease, kind: Kind, step: Step) -> float | None:
    """Nothing was sent yet: send if what is approved still meets the base it was approved for."""
    refuse_unapproved(lease.operation.change, lease.operation)
    live = kind.read(lease.operation, step)
    if kind.is_desired(step, live):
        outcome = _judge(kind, step, live)
        if not outcome.terminal:
            return let_go(lease, NEIGHBOUR_SECONDS)
        if outcome.succeeded:
            crash_point("before_finish")
            record_succeeded(lease, kind, step, note="already_so")
            return None
        return _send(lease, kind, step)  # as wanted, but it failed: this is the second try
    if live.digest != step.base_digest and not _looks_sent(lease.operation, kind, step, live):
        record_failed(lease, kind, step, Problem.BASE_MOVED, live=live)
        return None
    return _send(lease, kind, step)


def _looks_sent(operation: Operation, kind: Kind, step: Step, live: Live) -> bool:
    """Whether an earlier try of this operation left what can be read as wanted.

    Secrets cannot be read back, so such a write is never known to be there; sending the whole
    approved body once more is right.
    """
    return operation.attempt > 0 and kind.is_desired(readable(step), live)


def _recover(lease: Lease, kind: Kind, step: Step) -> float | None:
    """A write may or may not have arrived: the live resource says which."""
    live = kind.read(lease.operation, step)
    if kind.is_desired(step, live):
        sent = Sent(finished=False, resource=live.resource)
        # Whoever sent it may only be paused, and send once more: verify at the end.
        return record_accepted(lease, kind, step, sent, note="adopted", verify=True)
    if live.resource is not None and not kind.settled(step, live).terminal:
        return record_not_yet(lease, None)
    if live.digest != step.base_digest and not _looks_sent(lease.operation, kind, step, live):
        record_failed(lease, kind, step, Problem.BASE_MOVED, live=live)
        return None
    return _send(lease, kind, step, verify=True)


def _send(lease: Lease, kind: Kind, step: Step, **values: object) -> float | None:
    """Intent, then the write, then its answer."""
    operation = lease.operation
    crash_point("before_intent")
    try:
        if not record_intent(lease, **values):
            return None
    except IntegrityError:  # one_operation_in_flight
        return let_go(lease, NEIGHBOUR_SECONDS)
    crash_point("after_intent")
    if not lease.has_time_to_send():
        return None  # paused here too long: whoever claims next reads and decides
    crash_point("before_send")
    try:
        sent = kind.send(operation, step, client_request_id=operation.client_request_id)
    except WriteProblem as problem:
        try:
            return _on_problem(lease, kind, step, problem)
        except LeaseLost:
            if problem.outcome_unknown:
                check_again(operation)
            raise
    crash_point("after_send")
    try:
        delay = record_accepted(lease, kind, step, sent)
    except LeaseLost:
        check_again(operation)
        raise
    crash_point("after_record")
    if sent.finished:
        return _ended(lease, kind, step, Polled(terminal=True, succeeded=True), None)
    return delay


def _poll(lease: Lease, kind: Kind, step: Step) -> float | None:
    """Ask how the write stands; where nobody can say, judge by the resource."""
    crash_point("while_polling")
    operation = lease.operation
    polled: Polled | None = None
    if operation.operation_url:
        try:
            polled = kind.poll(operation)
        except WriteProblem as problem:
            if problem.retry or problem.problem in PATIENT:
                raise
            log.info("Operation %s cannot be asked for (%s)", operation.pk, problem.code)
    live: Live | None = None
    if polled is None or polled.gone:
        live = kind.read(operation, step)
        polled = _judge(kind, step, live)
    if polled.terminal:
        return _ended(lease, kind, step, polled, live)
    return _still_running(lease, kind, step, polled)


def _judge(kind: Kind, step: Step, live: Live) -> Polled:
    """The outcome by the resource: a deleted one is gone, any other says how it is."""
    if live.resource is None:
        return Polled(
            terminal=True,
            succeeded=kind.is_desired(step, live),
            code="NotFound",
            message="The resource does not exist.",
        )
    return kind.settled(step, live)


def _ended(lease: Lease, kind: Kind, step: Step, polled: Polled, live: Live | None) -> float | None:
    """Azure says that it is over. Compare once more where a second writer was possible."""
    operation = lease.operation
    if not polled.succeeded:
        crash_point("before_finish")
        record_failed(
            lease, kind, step, Problem.OPERATION_FAILED, code=polled.code, message=polled.message
        )
        return None
    if operation.verify and live is None:
        live = kind.read(operation, step)
    if live is not None and not kind.is_desired(readable(step), live):
        if operation.note == "reapplied":
            record_failed(lease, kind, step, Problem.BASE_MOVED, live=live)
            return None
        return _send(lease, kind, step, note="reapplied", verify=True)
    crash_point("before_finish")
    record_succeeded(lease, kind, step)
    return None


def _still_running(lease: Lease, kind: Kind, step: Step, polled: Polled) -> float | None:
    operation = lease.operation
    since = operation.accepted_at or operation.sent_at or operation.created_at
    running = timezone.now() - since
    if running > GIVEN_UP_AFTER:
        record_failed(lease, kind, step, Problem.STUCK, code=polled.code, message=polled.message)
        return None
    if running > STUCK_AFTER:
        stuck = WriteProblem(
            Problem.STUCK,
            code=polled.code,
            message=polled.message,
            counts=False,
            retry_after=STUCK_POLL_SECONDS,
        )
        return record_waiting(lease, stuck)
    return record_not_yet(lease, polled.retry_after)


def _on_problem(lease: Lease, kind: Kind, step: Step, problem: WriteProblem) -> float | None:
    """Wait, or end: by what kind of problem it is and whether the write may have arrived."""
    operation = lease.operation
    if problem.outcome_unknown:  # stays where it is: sending is recovered, the rest repeated
        return record_waiting(lease, problem)
    if problem.retry or problem.problem in PATIENT:
        not_sent = operation.state == State.SENDING and operation.accepted_at is None
        return record_waiting(lease, problem, state=State.WAITING if not_sent else None)
    record_failed(
        lease,
        kind,
        step,
        problem.problem,
        code=problem.code,
        message=problem.message,
        correlation_id=problem.correlation_id,
    )
    return None
