"""What a worker writes down about an operation: each in one transaction with its event.

Every function takes the lease and raises LeaseLost, altering nothing, when it no longer holds.
Those that keep the operation in play return the seconds until it wants to be looked at again.
The change's row is locked first, so that two operations which end together settle it once.
"""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from changes.apply import settle
from changes.claim import LEASE, Lease
from changes.content import Content, digest_of, step_at
from changes.errors import WriteProblem
from changes.events import operation_event, tick
from changes.four_eyes import standing_approvals
from changes.kinds import Kind, Live, Sent, Step
from changes.models import Change, Operation, Problem
from changes.outbox import enqueue
from changes.policy import policy_named
from changes.states import move

State = Operation.State
BACKOFF_FIRST, BACKOFF_LONGEST = 2.0, 300.0  # seconds
NO_PROBLEM: dict[str, Any] = {
    "problem": "",
    "problem_code": "",
    "problem_message": "",
    "problem_since": None,
}


class NotApproved(Exception):  # noqa: N818 (a finding, not a fault)
    """Right before a write: what should be sent is not, or no longer, approved."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def refuse_unapproved(change: Change, operation: Operation) -> None:
    """Raise NotApproved unless this very operation of this very content is approved now."""
    if operation.digest != change.digest or not _is_whole(change, operation):
        raise NotApproved(Problem.DIGEST_MISMATCH)
    step = step_at(change.content, operation.target.position, operation.sequence)
    asked = (step.kind, step.verb, step.resource_id)
    if asked != (operation.kind, operation.verb, operation.resource_id):
        raise NotApproved(Problem.DIGEST_MISMATCH)
    policy = policy_named(change.policy_version)
    needed = max(change.approvals_needed, policy.approvals_needed)
    if len(standing_approvals(change)) < needed:
        raise NotApproved(Problem.RIGHTS_LOST)
    if change.expires_at <= timezone.now() and operation.state != State.POLLING:
        raise NotApproved(Problem.APPROVAL_EXPIRED)


def _is_whole(change: Change, operation: Operation) -> bool:
    """Whether the content still has the digest that was approved.

    A large content takes a while to digest; one that is equal to what this worker digested a
    moment ago for the same operation is compared instead.
    """
    known: tuple[Content, str] | None = getattr(operation, "_digested", None)
    if known is None or known[0] != change.content:
        known = (change.content, digest_of(change.content))
        operation._digested = known  # type: ignore[attr-defined]
    return known[1] == change.digest


@transaction.atomic
def record_intent(lease: Lease, **values: Any) -> bool:
    """Commit that a write is about to be sent; False when the change was ended meanwhile.

    Raises NotApproved; IntegrityError while another write runs on the resource.
    """
    operation = lease.operation
    change = _locked(lease)
    if change.state not in {Change.State.APPROVED, Change.State.APPLYING}:
        lease.write_back(lease_until=None)
        return False
    refuse_unapproved(change, operation)
    now = timezone.now()
    lease.write_back(
        state=State.SENDING,
        client_request_id=str(uuid.uuid4()),
        sent_at=now,
        attempt=operation.attempt + 1,
        operation_url="",
        lease_until=now + LEASE,
        **values,
    )
    if change.state == Change.State.APPROVED:
        move(change, to=Change.State.APPLYING)
    operation_event("operation.sending", operation, client_request_id=operation.client_request_id)
    tick(change, target=operation.target)
    return True


@transaction.atomic
def record_accepted(
    lease: Lease, kind: Kind, step: Step, sent: Sent, *, note: str = "", **values: Any
) -> float:
    """Azure took the write: keep where to ask about it, and let go unless nothing remains."""
    operation = lease.operation
    change = _locked(lease)
    now = timezone.now()
    delay = 0.0 if sent.finished else poll_delay(timedelta(0), sent.retry_after)
    lease.write_back(
        state=State.POLLING,
        operation_url=sent.operation_url,
        correlation_id=sent.correlation_id or operation.correlation_id,
        accepted_at=now,
        next_at=now + timedelta(seconds=delay),
        lease_until=lease.until if sent.finished else None,
        failures=0,
        note=note or operation.note,
        **NO_PROBLEM,
        **values,
    )
    kind.accepted(operation, step, sent)
    operation_event("operation.accepted", operation, correlation_id=operation.correlation_id)
    tick(change, target=operation.target)
    return delay


@transaction.atomic
def record_not_yet(lease: Lease, retry_after: float | None) -> float:
    """It runs on; look again later. Written without an event: nothing has happened."""
    operation = lease.operation
    had_problem = bool(operation.problem)
    since = timezone.now() - (operation.accepted_at or operation.sent_at or operation.created_at)
    delay = poll_delay(since, retry_after)
    lease.write_back(next_at=_in(delay), lease_until=None, failures=0, **NO_PROBLEM)
    if had_problem:
        tick(operation.change, target=operation.target)
    return delay


@transaction.atomic
def record_waiting(lease: Lease, problem: WriteProblem, *, state: str | None = None) -> float:
    """Wait and try again: the approval stays good. One event a problem, not one a try."""
    operation = lease.operation
    change = _locked(lease)
    failures = operation.failures + 1 if problem.counts else operation.failures
    delay = problem.retry_after if problem.retry_after is not None else backoff(max(failures, 1))
    is_new = operation.problem != problem.problem
    given_back = 1 if state == State.WAITING and not problem.counts and operation.attempt else 0
    lease.write_back(
        state=state or operation.state,
        problem=problem.problem,
        problem_code=problem.code[:200],
        problem_message=problem.message,
        problem_since=timezone.now() if is_new else operation.problem_since,
        correlation_id=(problem.correlation_id or operation.correlation_id)[:100],
        failures=failures,
        attempt=operation.attempt - given_back,
        next_at=_in(delay),
        lease_until=None,
    )
    if is_new:
        operation_event(
            "operation.waiting", operation, problem=str(problem.problem.value), code=problem.code
        )
    tick(change, target=operation.target)
    return delay


@transaction.atomic
def record_succeeded(lease: Lease, kind: Kind, step: Step, *, note: str = "") -> None:
    """The resource is as approved; the next step of the target may start."""
    operation = lease.operation
    change = _locked(lease)
    lease.write_back(
        state=State.SUCCEEDED,
        finished_at=timezone.now(),
        lease_until=None,
        note=note or operation.note,
        verify=False,
        failures=0,
        **NO_PROBLEM,
    )
    kind.finished(operation, step)
    operation_event("operation.succeeded", operation, note=operation.note)
    enqueue(
        change.operations.filter(
            target=operation.target_id, digest=operation.digest, sequence=operation.sequence + 1
        ).values_list("pk", flat=True)
    )
    settle(change)
    tick(change, target=operation.target)


@transaction.atomic
def record_failed(
    lease: Lease,
    kind: Kind,
    step: Step,
    problem: Problem,
    *,
    code: str = "",
    message: str = "",
    correlation_id: str = "",
    live: Live | None = None,
) -> None:
    """It ended without its effect, with the reason in Azure's own words where there are any."""
    operation = lease.operation
    change = _locked(lease)
    now = timezone.now()
    lease.write_back(
        state=State.FAILED,
        problem=problem,
        problem_code=code[:200],
        problem_message=message,
        problem_since=now,
        correlation_id=(correlation_id or operation.correlation_id)[:100],
        finished_at=now,
        lease_until=None,
        live={"resource": live.resource, "digest": live.digest} if live is not None else None,
    )
    kind.finished(operation, step)
    operation_event(
        "operation.failed", operation, problem=str(problem.value), code=code, message=message[:500]
    )
    settle(change)
    tick(change, target=operation.target)


def let_go(lease: Lease, seconds: float) -> float:
    """Give the claim back without a word; look again in so many seconds."""
    lease.write_back(next_at=_in(seconds), lease_until=None)
    return seconds


def backoff(failures: int) -> float:
    """Seconds to pause after so many failures in a row: exponential, full jitter, 2 s to 5 min."""
    ceiling = min(BACKOFF_LONGEST, BACKOFF_FIRST * 2.0 ** min(failures, 12))
    return random.uniform(BACKOFF_FIRST, ceiling)  # noqa: S311 (spreads load, guards nothing)


def poll_delay(since: timedelta, retry_after: float | None) -> float:
    """Seconds to the next question: quick at first, then as Azure asks, then ever calmer."""
    seconds = since.total_seconds()
    if seconds < 10:
        return 1.0 if seconds < 4 else 2.0
    if retry_after is not None:
        return min(max(retry_after, 1.0), BACKOFF_LONGEST)
    return min(30.0, seconds / 4)


def _locked(lease: Lease) -> Change:
    change: Change = Change.objects.select_for_update().get(pk=lease.operation.change_id)
    lease.operation.change = change
    return change


def _in(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)
