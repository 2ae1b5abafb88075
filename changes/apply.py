"""From an approval to operations, and what people do with operations that failed."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from access.rights import Act
from changes.content import content_of, secret_versions_in, step_at, targets_of
from changes.errors import ChangeRefused
from changes.events import change_event, operation_event, tick
from changes.four_eyes import environments_of, may_in_all, rights_now, standing_approvals
from changes.kinds import lane_of
from changes.models import Change, Operation, Problem
from changes.outbox import enqueue
from changes.policy import policy_for, policy_named
from changes.states import IN_FLIGHT, move, move_operation
from changes.submit import hold_resources, revise

# These end the whole change: nothing of it is sent before people have looked again.
STOPPING = frozenset(
    {
        Problem.BASE_MOVED,
        Problem.DIGEST_MISMATCH,
        Problem.RIGHTS_LOST,
        Problem.APPROVAL_EXPIRED,
    }
)

# What comes after one of these in the same target does not start.
ENDED_WITHOUT_EFFECT = frozenset({Operation.State.FAILED, Operation.State.SUPERSEDED})


def start_apply(change: Change) -> None:
    """The policy is met: move a locked change on, write its operations, enqueue the first ones."""
    now = timezone.now()
    move(
        change,
        to=Change.State.APPROVED,
        approved_at=now,
        expires_at=now + policy_named(change.policy_version).approval_time,
    )
    operations = Operation.objects.bulk_create(
        Operation(
            change=change,
            target=target,
            sequence=sequence,
            kind=step["kind"],
            verb=step["verb"],
            resource_id=step["resource_id"],
            resource_name=step["resource_name"],
            lane=lane_of(step_at(change.content, target.position, sequence)),
            digest=change.digest,
            next_at=now,
            created_at=now,
        )
        for target in change.targets.all()
        for sequence, step in enumerate(change.content["targets"][target.position]["steps"])
    )
    _supersede_older(change, {operation.resource_id for operation in operations})
    enqueue(operation.pk for operation in operations if operation.sequence == 0)


def _supersede_older(change: Change, resource_ids: set[str]) -> None:
    """What older changes still had waiting for these resources is overtaken by this approval."""
    overtaken = Operation.objects.filter(
        state=Operation.State.WAITING, resource_id__in=resource_ids
    ).exclude(change=change)
    older_ids = overtaken.order_by().values_list("change_id", flat=True).distinct()
    for older in Change.objects.select_for_update().filter(pk__in=list(older_ids)).order_by("pk"):
        for operation in overtaken.filter(change=older).select_related("target"):
            move_operation(
                operation,
                to=Operation.State.SUPERSEDED,
                note="superseded",
                finished_at=timezone.now(),
            )
            operation_event("operation.superseded", operation, by=change.pk)
        older.superseded_by = change
        older.save(update_fields=["superseded_by"])
        settle(older)
        tick(older)


def settle(change: Change) -> None:
    """Move a locked change to where its operations have brought it."""
    rows = list(
        change.operations.filter(digest=change.digest)
        .order_by()
        .values_list("target_id", "state", "problem")
    )
    states = {state for _target, state, _problem in rows}
    blocked = {target for target, state, _problem in rows if state in ENDED_WITHOUT_EFFECT}
    stopped = any(state == "failed" and problem in STOPPING for _t, state, problem in rows)
    if states & IN_FLIGHT:
        return
    progress = any(
        state == Operation.State.WAITING and target not in blocked
        for target, state, _problem in rows
    )
    if progress and not stopped:
        return
    if "failed" in states:
        outcome = Change.State.FAILED
    elif "superseded" in states:
        outcome = Change.State.SUPERSEDED
    else:
        outcome = Change.State.APPLIED
    if change.state == outcome:
        return
    if change.state in {Change.State.APPROVED, Change.State.SCHEDULED}:
        move(change, to=Change.State.APPLYING)
    if change.state == Change.State.APPLYING or outcome == Change.State.SUPERSEDED:
        move(change, to=outcome)
        change_event(f"change.{outcome.value}", change, actor=None)


@transaction.atomic
def operation_retry(*, actor: User, operation: Operation) -> Operation:
    """Try a failed operation again under the approval that it has.

    Raises ChangeRefused: `no_right`, `not_failed`, `not_approved` (the approval is gone, or the
    problem needs a new review), `resource_taken`.
    """
    change = Change.objects.select_for_update().get(pk=operation.change_id)
    operation = Operation.objects.select_related("target").get(pk=operation.pk)
    if not may_in_all(rights_now(actor.pk), Act.PROPOSE, environments_of(change)):
        raise ChangeRefused(_("You may not have this operation tried again."), code="no_right")
    if operation.state != Operation.State.FAILED or operation.digest != change.digest:
        raise ChangeRefused(_("Only a failed operation is tried again."), code="not_failed")
    siblings = change.operations.filter(digest=change.digest, state=Operation.State.FAILED)
    if (
        siblings.filter(problem__in=STOPPING).exists()
        or change.state not in {Change.State.FAILED, Change.State.APPLYING}
        or change.expires_at <= timezone.now()
        or len(standing_approvals(change)) < change.approvals_needed
    ):
        raise ChangeRefused(
            _("The approval does not cover another try. Have the change reviewed again."),
            code="not_approved",
        )
    was = operation.problem
    if change.state == Change.State.FAILED:
        move(change, to=Change.State.APPLYING)
        hold_resources(change, targets_of(change.content))
    move_operation(
        operation,
        to=Operation.State.WAITING,
        problem="",
        problem_code="",
        problem_message="",
        problem_since=None,
        finished_at=None,
        sent_at=None,
        accepted_at=None,
        failures=0,
        verify=False,
        live=None,
        operation_url="",
        next_at=timezone.now(),
        note="",
        lease_until=None,
    )
    operation_event("operation.retried", operation, actor=actor, problem=was)
    enqueue([operation.pk])
    tick(change)
    return operation


@transaction.atomic
def change_review_again(*, actor: User, change: Change) -> Change:
    """Put a stopped change in review again, against what is live now.

    The same writes, with the bases that the worker found; whoever asks for it counts as one who
    wrote a part. Raises ChangeRefused: `no_right`, `move_refused`, `resource_taken`.
    """
    change = Change.objects.select_for_update().get(pk=change.pk)
    environment_ids = environments_of(change)
    if not may_in_all(rights_now(actor.pk), Act.PROPOSE, environment_ids):
        raise ChangeRefused(
            _("You may not propose changes in every environment of the targets."), code="no_right"
        )
    if change.state != Change.State.FAILED:
        raise ChangeRefused(
            _("Only a change that was stopped is reviewed again."), code="move_refused"
        )
    targets = targets_of(change.content)
    for operation in change.operations.filter(digest=change.digest).select_related("target"):
        if operation.live is not None:
            position, sequence = operation.target.position, operation.sequence
            steps = list(targets[position].steps)
            steps[sequence] = replace(
                steps[sequence],
                base=operation.live["resource"],
                base_digest=operation.live["digest"],
            )
            targets[position] = replace(targets[position], steps=tuple(steps))
        if operation.state == Operation.State.WAITING:
            move_operation(
                operation,
                to=Operation.State.SUPERSEDED,
                note="reviewed_again",
                finished_at=timezone.now(),
            )
    policy = policy_for(environment_ids)
    content = content_of(
        change.kind,
        change.verb,
        targets,
        policy.version,
        secret_versions_in(targets),
        change.revision + 1,
    )
    revise(change, content, policy)
    if actor.pk != change.author_id:
        change.editors.add(actor)
    hold_resources(change, targets)
    change_event("change.revised", change, actor=actor, against="live")
    tick(change)
    return change
