"""Review a change: approve, request changes, reject, comment."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from access.rights import Act
from changes.apply import start_apply
from changes.errors import ChangeRefused
from changes.events import change_event, tick
from changes.four_eyes import environments_of, may_in_all, rights_now, standing_approvals, wrote
from changes.models import Change, Review
from changes.states import move

Verdict = Review.Verdict


@transaction.atomic
def review_add(
    *, reviewer: User, change: Change, verdict: str, comment: str, digest: str
) -> Review:
    """Record a verdict on exactly the content that `digest` names, and what follows from it.

    The approval that completes the policy moves the change, writes its operations, the event
    and the bells in this one transaction. Raises ChangeRefused: `digest_moved`, `not_in_review`,
    `own_change`, `no_right`, `already_approved`.
    """
    if verdict == Verdict.COMMENT:
        return comment_add(author=reviewer, change=change, comment=comment)
    change = Change.objects.select_for_update().get(pk=change.pk)
    _refuse_unfit(reviewer, change, digest)
    review = _record(reviewer, change, Verdict(verdict), comment)
    event = {
        Verdict.APPROVE: "change.approved",
        Verdict.REQUEST_CHANGES: "change.changes_requested",
        Verdict.REJECT: "change.rejected",
    }[Verdict(verdict)]
    counted = len(standing_approvals(change)) if verdict == Verdict.APPROVE else 0
    complete = verdict == Verdict.APPROVE and counted >= change.approvals_needed
    if verdict == Verdict.REJECT:
        move(change, to=Change.State.REJECTED)
    elif verdict == Verdict.REQUEST_CHANGES:
        move(change, to=Change.State.DRAFT)
    elif complete:
        start_apply(change)
    change_event(
        event,
        change,
        actor=reviewer,
        reason=comment,
        **({"counted": counted, "needed": change.approvals_needed} if counted else {}),
    )
    tick(change)
    return review


@transaction.atomic
def comment_add(*, author: User, change: Change, comment: str) -> Review:
    """Say something about a change, at any time; by those who may propose or review there."""
    change = Change.objects.select_for_update().get(pk=change.pk)
    rights, environment_ids = rights_now(author.pk), environments_of(change)
    if not (
        may_in_all(rights, Act.PROPOSE, environment_ids)
        or may_in_all(rights, Act.REVIEW, environment_ids)
    ):
        raise ChangeRefused(_("You may read this change, not comment on it."), code="no_right")
    if not comment.strip():
        raise ChangeRefused(_("The comment is empty."), code="empty")
    review = _record(author, change, Verdict.COMMENT, comment)
    change_event("change.commented", change, actor=author, reason=comment)
    tick(change)
    return review


def _refuse_unfit(reviewer: User, change: Change, digest: str) -> None:
    if digest != change.digest:
        raise ChangeRefused(
            _(
                "The change was altered after you opened it. Nothing was recorded: look at what it "
                "asks now."
            ),
            code="digest_moved",
        )
    if change.state != Change.State.IN_REVIEW:
        raise ChangeRefused(
            _("This change is not in review any more: it is “%(state)s”.")
            % {"state": change.get_state_display()},
            code="not_in_review",
        )
    if wrote(reviewer, change):
        raise ChangeRefused(
            _("You wrote a part of this change. Somebody else reviews it."), code="own_change"
        )
    if not may_in_all(rights_now(reviewer.pk), Act.REVIEW, environments_of(change)):
        raise ChangeRefused(
            _("You may not review changes in every environment that this one touches."),
            code="no_right",
        )


def _record(reviewer: User, change: Change, verdict: Verdict, comment: str) -> Review:
    try:
        with transaction.atomic():
            return Review.objects.create(
                change=change,
                reviewer=reviewer,
                author_id=change.author_id,
                verdict=verdict,
                comment=comment.strip(),
                digest=change.digest,
                at=timezone.now(),
            )
    except IntegrityError as refused:
        raise ChangeRefused(
            _("Your approval of exactly this is already recorded."), code="already_approved"
        ) from refused
