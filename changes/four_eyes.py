"""Who may review a change, and which of its approvals stand (performance text 3.5).

Rights are read afresh from the database here, never from what a request cached: a role that was
dropped a moment ago no longer counts.
"""

from __future__ import annotations

from collections.abc import Collection

from access.models import User
from access.rights import NOTHING, Act, Rights, rights_of
from changes.models import Change, Review


def rights_now(user_id: int) -> Rights:
    """The rights of this person as the database has them at this moment."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return rights_of(user) if user is not None else NOTHING


def environments_of(change: Change) -> set[int | None]:
    """The environments of all targets; None stands for targets outside any."""
    return set(change.targets.order_by().values_list("environment_id", flat=True).distinct())


def may_in_all(rights: Rights, act: Act, environment_ids: Collection[int | None]) -> bool:
    """Whether `act` is allowed in every one of these environments."""
    return all(rights.may(act, environment_id) for environment_id in environment_ids)


def wrote(user: User, change: Change) -> bool:
    """Whether this person wrote any part of any revision, and so may not review it."""
    return user.pk == change.author_id or change.editors.filter(pk=user.pk).exists()


def standing_approvals(change: Change) -> list[Review]:
    """Approvals of the current content by people who may still give them, oldest first."""
    environment_ids = environments_of(change)
    writers = {change.author_id, *change.editors.values_list("pk", flat=True)}
    approvals = Review.objects.filter(
        change=change, verdict=Review.Verdict.APPROVE, digest=change.digest
    ).exclude(reviewer_id__in=writers)
    return [
        review
        for review in approvals
        if may_in_all(rights_now(review.reviewer_id), Act.REVIEW, environment_ids)
    ]
