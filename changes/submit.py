"""Submit a change, and take it back: what its author does."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from access.rights import Act
from changes.content import Content, content_of, digest_of, secret_versions_in
from changes.errors import ChangeRefused
from changes.events import change_event, tick
from changes.four_eyes import environments_of, may_in_all, rights_now
from changes.kinds import Target, registered
from changes.models import Change, ChangeTarget, Operation, ResourceHold
from changes.policy import Policy, policy_for
from changes.states import OPEN, move, move_operation

REVISABLE = frozenset({Change.State.DRAFT, Change.State.IN_REVIEW})
WITHDRAWABLE = REVISABLE | {Change.State.APPROVED, Change.State.SCHEDULED}


@transaction.atomic
def change_submit(
    *,
    author: User,
    kind: str,
    verb: str,
    title: str,
    reason: str,
    targets: Sequence[Target],
    revises: Change | None = None,
    editors: Collection[User] = (),
) -> Change:
    """Freeze what is asked and put it before the reviewers.

    `editors` are people beside the author who wrote a part of it (who set a secret that it
    sends): they may not review it. With `revises`, that change of the same author gets a new
    revision and digest; approvals of the old one no longer count. Raises ChangeRefused: codes
    `no_right`, `no_targets`, `kind_unknown`, `resource_taken`, `not_revisable`, `target_twice`.
    """
    if kind not in registered():
        raise ChangeRefused(_("There is no such kind of change."), code="kind_unknown")
    if not targets or not all(target.steps for target in targets):
        raise ChangeRefused(_("A change needs a target, and each one a step."), code="no_targets")
    if len({target.resource_id for target in targets}) < len(targets):
        raise ChangeRefused(_("A resource is named twice as a target."), code="target_twice")
    environment_ids = {target.environment_id for target in targets}
    if not may_in_all(rights_now(author.pk), Act.PROPOSE, environment_ids):
        raise ChangeRefused(
            _("You may not propose changes in every environment of the targets."), code="no_right"
        )
    forced = any(step.options.get("force") for target in targets for step in target.steps)
    if forced and not may_in_all(rights_now(author.pk), Act.ADMINISTER, environment_ids):
        raise ChangeRefused(_("Only an admin may ask for a delete by force."), code="no_right")
    policy = policy_for(environment_ids)
    revision = 1
    if revises is not None:
        revises = _locked_for_revision(revises, author)
        revision = revises.revision + 1
    content = content_of(kind, verb, targets, policy.version, secret_versions_in(targets), revision)
    if revises is None:
        change = _new(author, kind, verb, title, reason, content, policy)
    else:
        change = revises
        change.targets.all().delete()
        revise(change, content, policy, title=title, reason=reason, kind=kind, verb=verb)
    change.editors.add(*(editor for editor in editors if editor.pk != author.pk))
    write_targets(change, targets)
    hold_resources(change, targets)
    change_event(
        "change.revised" if revises is not None else "change.submitted",
        change,
        actor=author,
        reason=reason,
        kind=kind,
        verb=verb,
        targets=len(targets),
    )
    tick(change)
    return change


@transaction.atomic
def change_withdraw(*, actor: User, change: Change, reason: str) -> Change:
    """Take the change back before anything was sent; by its author or an admin.

    Raises ChangeRefused: `no_right`, `move_refused`, `moved_meanwhile`.
    """
    change = Change.objects.select_for_update().get(pk=change.pk)
    allowed = actor.pk == change.author_id or may_in_all(
        rights_now(actor.pk), Act.ADMINISTER, environments_of(change)
    )
    if not allowed:
        raise ChangeRefused(
            _("Only its author or an admin may withdraw a change."), code="no_right"
        )
    move(change, to=Change.State.WITHDRAWN)
    drop_waiting(change, note="withdrawn")
    change_event("change.withdrawn", change, actor=actor, reason=reason)
    tick(change)
    return change


def _locked_for_revision(change: Change, author: User) -> Change:
    locked: Change = Change.objects.select_for_update().get(pk=change.pk)
    if locked.author_id != author.pk:
        raise ChangeRefused(_("Only its author may revise a change."), code="not_revisable")
    if locked.state not in REVISABLE:
        raise ChangeRefused(_("This change can no longer be revised."), code="not_revisable")
    if locked.operations.exists():
        raise ChangeRefused(
            _("A part of this change was sent already. Withdraw it and propose a new one."),
            code="not_revisable",
        )
    return locked


def _new(
    author: User, kind: str, verb: str, title: str, reason: str, content: Content, policy: Policy
) -> Change:
    now = timezone.now()
    change: Change = Change.objects.create(
        kind=kind,
        verb=verb,
        title=title,
        reason=reason,
        author=author,
        content=content,
        digest=digest_of(content),
        policy_version=policy.version,
        approvals_needed=policy.approvals_needed,
        created_at=now,
        submitted_at=now,
        expires_at=now + policy.review_time,
        moved_at=now,
    )
    return change


def revise(change: Change, content: Content, policy: Policy, **values: str) -> None:
    """Give a locked change its next revision and put it in review again."""
    now = timezone.now()
    move(
        change,
        to=Change.State.IN_REVIEW,
        content=content,
        digest=digest_of(content),
        revision=content["revision"],
        policy_version=policy.version,
        approvals_needed=policy.approvals_needed,
        submitted_at=now,
        expires_at=now + policy.review_time,
        approved_at=None,
        **values,
    )


def write_targets(change: Change, targets: Sequence[Target]) -> None:
    """The rows that pages and operations refer to."""
    ChangeTarget.objects.bulk_create(
        ChangeTarget(
            change=change,
            position=position,
            name=target.name,
            resource_id=target.resource_id,
            cluster_id=target.cluster_id,
            configuration_id=target.configuration_id,
            environment_id=target.environment_id,
        )
        for position, target in enumerate(targets)
    )


def hold_resources(change: Change, targets: Sequence[Target]) -> None:
    """Take every resource for this change; ChangeRefused names the change that has one of them."""
    wanted = {step.resource_id for target in targets for step in target.steps}
    ResourceHold.objects.filter(change=change).exclude(resource_id__in=wanted).delete()
    missing = wanted - set(
        ResourceHold.objects.filter(change=change).values_list("resource_id", flat=True)
    )
    _refuse_taken(change, missing)
    try:
        with transaction.atomic():
            ResourceHold.objects.bulk_create(
                ResourceHold(change=change, resource_id=resource_id)
                for resource_id in sorted(missing)
            )
    except IntegrityError:  # somebody submitted in the same moment
        _refuse_taken(change, missing)
        raise


def _refuse_taken(change: Change, resource_ids: Collection[str]) -> None:
    other = (
        ResourceHold.objects.filter(resource_id__in=list(resource_ids), change__state__in=OPEN)
        .exclude(change=change)
        .select_related("change")
        .first()
    )
    if other is not None:
        raise ChangeRefused(
            _(
                "Change #%(number)d, “%(title)s”, already asks to write %(resource)s. Finish or "
                "withdraw it first."
            )
            % {
                "number": other.change_id,
                "title": other.change.title,
                "resource": other.resource_id.rsplit("/", 1)[-1],
            },
            code="resource_taken",
        )


def drop_waiting(change: Change, *, note: str) -> None:
    """Operations of a change that ended unsent are kept as superseded, with the reason."""
    for operation in change.operations.filter(state=Operation.State.WAITING):
        move_operation(
            operation, to=Operation.State.SUPERSEDED, note=note, finished_at=timezone.now()
        )
