"""The list of changes: what needs whom, filtered and paged by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from access.models import Environment, User
from access.rights import Act
from changes.kinds import registered
from changes.models import Change, ChangeTarget, Review
from changes.states import OPEN

PAGE = 25
FAILED_FOR = timedelta(days=7)  # a failed change asks for its author this long


def waiting_for_review_by(user: User) -> QuerySet[Change]:
    """Changes in review that this person may judge and has not judged yet."""
    judged = Review.objects.filter(
        change=OuterRef("pk"), digest=OuterRef("digest"), reviewer=user
    ).exclude(verdict=Review.Verdict.COMMENT)
    edited = Change.editors.through.objects.filter(change_id=OuterRef("pk"), user_id=user.pk)
    changes: QuerySet[Change] = (
        Change.objects.where_may(user, Act.REVIEW)
        .filter(state=Change.State.IN_REVIEW)
        .exclude(author=user)
        .exclude(Exists(judged))
        .exclude(Exists(edited))
    )
    return changes


def needs(user: User) -> QuerySet[Change]:
    """What waits for this person: to review, to revise, or to look at why it failed."""
    mine = Q(author=user) & (
        Q(state=Change.State.DRAFT)
        | Q(state=Change.State.FAILED, moved_at__gt=timezone.now() - FAILED_FOR)
    )
    changes: QuerySet[Change] = Change.objects.visible_to(user).filter(
        mine | Q(pk__in=waiting_for_review_by(user).order_by().values("pk"))
    )
    return changes


def tab_of(user: User, tab: str) -> QuerySet[Change]:
    """The changes of one tab."""
    visible: QuerySet[Change] = Change.objects.visible_to(user)
    match tab:
        case "needs":
            return needs(user)
        case "mine":
            return visible.filter(author=user)
        case "open":
            return visible.filter(state__in=[*OPEN, Change.State.DRAFT])
    return visible


@dataclass
class Entry:
    """One row of the list."""

    change: Change
    kind: str
    target_count: int = 0
    first_target: str = ""
    environments: list[Environment | None] = field(default_factory=list)
    approvals: int = 0


@dataclass
class Inbox:
    """One page of a tab."""

    entries: list[Entry]
    counts: dict[str, int]
    older: int | None  # ?before=
    newer: int | None  # ?after=


def inbox(user: User, wanted: dict[str, Any]) -> Inbox:
    """One page of the list as `FilterForm.cleaned_data` asks for it; six queries at most."""
    rows = _filtered(tab_of(user, wanted.get("tab") or "open"), wanted)
    before, after = wanted.get("before"), wanted.get("after")
    if after is not None:
        page = list(rows.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
        more_newer, page = len(page) > PAGE, page[:PAGE][::-1]
        more_older = True
    else:
        page = list((rows.filter(pk__lt=before) if before else rows).order_by("-pk")[: PAGE + 1])
        more_older, page = len(page) > PAGE, page[:PAGE]
        more_newer = bool(before)
    return Inbox(
        entries=_entries(page),
        counts={tab: tab_of(user, tab).count() for tab in ("needs", "mine", "open")},
        older=page[-1].pk if page and more_older else None,
        newer=page[0].pk if page and more_newer else None,
    )


def _filtered(rows: QuerySet[Change], wanted: dict[str, Any]) -> QuerySet[Change]:
    if wanted.get("state"):
        rows = rows.filter(state=wanted["state"])
    if wanted.get("kind"):
        rows = rows.filter(kind=wanted["kind"])
    if wanted.get("author"):
        name = wanted["author"]
        rows = rows.filter(
            Q(author__username__iexact=name) | Q(author__display_name__icontains=name)
        )
    if wanted.get("q"):
        text = wanted["q"].strip()
        number = text.removeprefix("#")
        found = Q(title__icontains=text)
        rows = rows.filter(found | Q(pk=int(number)) if number.isdecimal() else found)
    return rows.select_related("author").defer("content")


def _entries(page: list[Change]) -> list[Entry]:
    kinds = registered()
    entries = {
        change.pk: Entry(
            change, str(kinds[change.kind].label()) if change.kind in kinds else change.kind
        )
        for change in page
    }
    environments = Environment.objects.in_bulk()
    targets = (
        ChangeTarget.objects.filter(change__in=entries)
        .order_by()
        .values_list("change_id", "environment_id")
        .annotate(Count("pk"))
    )
    for change_id, environment_id, count in targets:
        entry = entries[change_id]
        entry.target_count += count
        entry.environments.append(environments.get(environment_id))
    first = ChangeTarget.objects.filter(change__in=entries, position=0)
    for change_id, name in first.values_list("change_id", "name"):
        entries[change_id].first_target = name
    approvals = Review.objects.filter(change__in=entries, verdict=Review.Verdict.APPROVE)
    for change_id, digest in approvals.values_list("change_id", "digest"):
        entries[change_id].approvals += digest == entries[change_id].change.digest
    return list(entries.values())
