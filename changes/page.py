"""Everything that the page of one change shows, read in a number of queries that never grows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import Environment, User
from access.rights import Act, rights_of
from audit import actions, links
from audit.models import AuditEvent
from changes.content import canonical, targets_of
from changes.diff import Diff, after, diff
from changes.four_eyes import may_in_all, standing_approvals, wrote
from changes.kinds import (
    Evidence,
    Fact,
    Kind,
    Observing,
    Revisable,
    Risk,
    Step,
    Target,
    Tried,
    registered,
)
from changes.models import Change, ChangeTarget, Operation, Problem, Review
from changes.policy import policy_named
from changes.problems import Explanation, explanation_of, needs_review_again
from changes.submit import REVISABLE, WITHDRAWABLE

SHOWN_TARGETS = 100
SHOWN_EVENTS = 200
SHOWN_DIFFS = 20
ASKED_FOR_URLS = 10  # a kind may need a query for each
RETRYABLE_STATES = {Change.State.FAILED, Change.State.APPLYING}


@dataclass
class Write:
    """Steps that are the same on several targets: one diff, one request line each."""

    step: Step
    targets: list[Target] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    anchor: str = ""
    number: int = 0
    all_lines: bool = False

    @cached_property
    def diff(self) -> Diff:
        return diff(self.step.base, after(self.step), fold=not self.all_lines)

    def row_id(self, number: int) -> str:
        return f"w{self.number}-l{number}"


@dataclass
class OperationRow:
    """One operation as the page shows it."""

    operation: Operation
    problem: Explanation | None
    may_retry: bool


@dataclass
class TargetRow:
    """One target and its operations for the current content."""

    target: ChangeTarget
    environment: Environment | None
    url: str
    operations: list[OperationRow] = field(default_factory=list)


@dataclass
class Decision:
    """What the reader's click would do, or why there is nothing to click."""

    title: str
    more: str = ""
    says_state: bool = False  # the title names the state itself, so no word stands beside it
    may_review: bool = False
    again: str = ""  # the words on the button that puts a stopped change in review again
    revise_url: str = ""


class ChangePage:
    """The page for one reader; each part is read when the template first asks for it."""

    def __init__(self, change: Change, user: User, *, all_lines: bool = False) -> None:
        self.change = change
        self.user = user
        self.all_lines = all_lines

    @cached_property
    def kind(self) -> Kind | None:
        return registered().get(self.change.kind)

    @property
    def kind_label(self) -> str:
        return str(self.kind.label()) if self.kind is not None else self.change.kind

    # --- The write -------------------------------------------------------------------------
    @cached_property
    def targets(self) -> list[Target]:
        return targets_of(self.change.content)

    @cached_property
    def writes(self) -> list[Write]:
        """Every different write, in the order of the steps."""
        found: dict[str, Write] = {}
        for target in self.targets:
            for sequence, step in enumerate(target.steps):
                same = canonical(
                    [sequence, step.kind, step.verb, step.method, step.api_version,
                     step.resource_name, step.body, step.base, step.options]
                )  # fmt: skip
                write = found.setdefault(
                    same, Write(step, number=len(found), all_lines=self.all_lines)
                )
                write.targets.append(target)
                write.requests.append(request_line(step))
        return list(found.values())

    @property
    def shown_writes(self) -> list[Write]:
        return self.writes[:SHOWN_DIFFS]

    @property
    def hidden_writes(self) -> int:
        return max(0, len(self.writes) - SHOWN_DIFFS)

    @cached_property
    def added(self) -> int:
        return sum(write.diff.added for write in self.shown_writes)

    @cached_property
    def removed(self) -> int:
        return sum(write.diff.removed for write in self.shown_writes)

    @cached_property
    def risks(self) -> list[tuple[Risk, str]]:
        """Each with the id of the line that it is about ("" where none is shown)."""
        risks = self.kind.risks(self.change) if self.kind is not None else ()
        return [(risk, self._line_of(risk.anchor)) for risk in risks]

    @cached_property
    def facts(self) -> list[Fact]:
        return list(self.kind.facts(self.change)) if self.kind is not None else []

    @cached_property
    def evidence(self) -> list[Evidence]:
        """What was tried before the review."""
        kind: object = self.kind
        return list(kind.evidence(self.change)) if isinstance(kind, Tried) else []

    def _line_of(self, anchor: str) -> str:
        """An anchor is the path of a value, "properties.kustomizations.apps.prune"."""
        if not anchor:
            return ""
        for write in self.shown_writes:
            for row in write.diff.rows:
                if row.right_number and (
                    row.path == anchor or row.path.removeprefix("properties.") == anchor
                ):
                    return write.row_id(row.right_number)
        return ""

    # --- Who decides -----------------------------------------------------------------------
    @cached_property
    def environment_ids(self) -> set[int | None]:
        return {target.environment_id for target in self.targets}

    @cached_property
    def may(self) -> dict[str, bool]:
        """What the reader may do in all environments of the change."""
        rights = rights_of(self.user)
        return {act.value: may_in_all(rights, act, self.environment_ids) for act in Act}

    @property
    def may_comment(self) -> bool:
        return self.may[Act.PROPOSE] or self.may[Act.REVIEW]

    @property
    def is_author(self) -> bool:
        return self.user.pk == self.change.author_id

    @cached_property
    def wrote(self) -> bool:
        return wrote(self.user, self.change)

    @property
    def may_withdraw(self) -> bool:
        allowed = self.is_author or self.may[Act.ADMINISTER]
        return allowed and self.change.state in WITHDRAWABLE

    @cached_property
    def approvals(self) -> list[Review]:
        """The approvals that count at this moment."""
        return standing_approvals(self.change) if self.change.state != Change.State.DRAFT else []

    @property
    def missing(self) -> int:
        return max(0, self.change.approvals_needed - len(self.approvals))

    @property
    def approval_hours(self) -> int:
        policy = policy_named(self.change.policy_version)
        return int(policy.approval_time.total_seconds() // 3600)

    @cached_property
    def requested(self) -> Review | None:
        """The review that sent the change back to its author."""
        if self.change.state != Change.State.DRAFT:
            return None
        return (
            self.change.reviews.filter(verdict=Review.Verdict.REQUEST_CHANGES)
            .select_related("reviewer")
            .last()
        )

    @cached_property
    def decision(self) -> Decision:
        state = Change.State(self.change.state)
        if state == Change.State.IN_REVIEW:
            return self._in_review()
        if state == Change.State.DRAFT:
            return self._returned()
        if state == Change.State.FAILED:
            return self._failed()
        title, more = self._said_of(state)
        return Decision(title, more, says_state=True)

    def _in_review(self) -> Decision:
        counted = _("%(have)d of %(need)d approvals.") % {
            "have": len(self.approvals),
            "need": self.change.approvals_needed,
        }
        if self.wrote:
            own = (
                _("You proposed this change, so somebody else reviews it.")
                if self.is_author
                else _("You wrote a part of this change, so somebody else reviews it.")
            )
            return Decision(own, counted, revise_url=self.revise_url)
        if not self.may[Act.REVIEW]:
            return Decision(_("Your role here does not review changes."), counted)
        if any(review.reviewer_id == self.user.pk for review in self.approvals):
            return Decision(_("You approved exactly this. Others are still asked."), counted)
        if self.missing <= 1:
            title = _("Your approval would complete it.")
            counted += " " + _("Applies at once.")
        else:
            title = _("Your approval would count; more are needed after it.")
        return Decision(title, counted, may_review=True)

    def _returned(self) -> Decision:
        if self.is_author:
            todo = (
                _("Changes were requested. Revise it and send it again, or withdraw it.")
                if self.revise_url
                else _("Changes were requested. Withdraw it and propose a new one.")
            )
            return Decision(todo, revise_url=self.revise_url)
        return Decision(_("Changes were requested. Its author revises it."))

    def _failed(self) -> Decision:
        stopped = [o for o in self.operations if needs_review_again(o)]
        again = ""
        if self.may[Act.PROPOSE] and (stopped or self.change.expires_at <= timezone.now()):
            again = (
                _("Review against the new base")
                if any(operation.problem == Problem.BASE_MOVED for operation in stopped)
                else _("Have it reviewed again")
            )
        if stopped:
            return Decision(
                _("Stopped before all of it was sent. It needs a new review."),
                _("The same writes, compared with what is there now."),
                again=again,
            )
        return Decision(
            _("A part of it failed."),
            _("Each operation below says why and what to do."),
            again=again,
        )

    def _said_of(self, state: Change.State) -> tuple[str, str]:
        total = len(self.operations)
        done = sum(o.state == Operation.State.SUCCEEDED for o in self.operations)
        progress = (
            ngettext("The write is done.", "%(total)d writes are done.", total)
            if done == total
            else _("%(done)d of %(total)d writes are done.")
        ) % {"done": done, "total": total}
        said = {
            Change.State.APPROVED: (_("Approved. A worker starts it within seconds."), progress),
            Change.State.SCHEDULED: (_("Approved, and due at its time."), ""),
            Change.State.APPLYING: (_("It is being applied."), progress),
            Change.State.APPLIED: (_("Applied."), progress),
            Change.State.REJECTED: (_("Rejected. Nothing was sent to Azure."), ""),
            Change.State.WITHDRAWN: (_("Withdrawn before anything was sent."), ""),
            Change.State.EXPIRED: (_("Expired before anything was sent."), ""),
            Change.State.SUPERSEDED: (_("A newer change took its place."), progress),
        }
        return said[state]

    @property
    def revise_url(self) -> str:
        """Where the kind lets the author reopen the change, by POST ("" where it does not)."""
        kind: object = self.kind
        if isinstance(kind, Revisable) and self.change.state in REVISABLE and self.is_author:
            return kind.revise_url(self.change)
        return ""

    # --- How it goes -----------------------------------------------------------------------
    @cached_property
    def operations(self) -> list[Operation]:
        return list(self.change.operations.filter(digest=self.change.digest))

    @cached_property
    def target_rows(self) -> list[TargetRow]:
        """Targets with their operations; with many, those with a problem come first."""
        environments = Environment.objects.in_bulk()
        rows = {
            target.pk: TargetRow(target, environments.get(target.environment_id), "")
            for target in self.change.targets.all()
        }
        for operation in self.operations:
            rows[operation.target_id].operations.append(
                OperationRow(operation, explanation_of(operation), self._may_retry(operation))
            )
        found = list(rows.values())
        if len(found) > SHOWN_TARGETS:
            found.sort(key=lambda row: not any(o.operation.problem for o in row.operations))
        for row in found[:SHOWN_TARGETS]:
            row.url = self._url_of(row.target)
        return found[:SHOWN_TARGETS]

    def _url_of(self, target: ChangeTarget) -> str:
        """The kind's page of the target; among many the one of its row, which asks nothing."""
        if self.kind is not None and len(self.targets) <= ASKED_FOR_URLS:
            return self.kind.target_url(self.change, target.position)
        if target.configuration_id is not None:
            return _link("configuration", target.configuration_id)
        return _link("cluster", target.cluster_id) if target.cluster_id is not None else ""

    @cached_property
    def moved(self) -> list[str]:
        """Names of targets that were altered since they were submitted, as far as is known."""
        waiting = {Change.State.IN_REVIEW, Change.State.DRAFT}
        kind: object = self.kind
        if self.change.state not in waiting or not isinstance(kind, Observing):
            return []
        return [self.targets[position].name for position in kind.moved_targets(self.change)]

    @property
    def hidden_targets(self) -> int:
        return max(0, len(self.targets) - SHOWN_TARGETS)

    def _may_retry(self, operation: Operation) -> bool:
        return (
            operation.state == Operation.State.FAILED
            and not any(needs_review_again(other) for other in self.operations)
            and self.change.state in RETRYABLE_STATES
            and self.may[Act.PROPOSE]
        )

    @cached_property
    def story(self) -> list[dict[str, Any]]:
        """What happened, newest first."""
        events = AuditEvent.objects.filter(change_id=self.change.pk).order_by("-id")
        return list(_told(events[:SHOWN_EVENTS]))


def _told(events: Any) -> Iterator[dict[str, Any]]:
    for event in events:
        yield {
            "event": event,
            "look": actions.look(event.action),
            "sentence": actions.sentence(
                event, _("this change") if event.object_type == "change" else ""
            ),
            "under": actions.under(event),
        }


def _link(object_type: str, pk: int) -> str:
    return links.url_of(AuditEvent(object_type=object_type, object_id=str(pk)))


def request_line(step: Step) -> str:
    """The request as Azure gets it: method, path, api-version."""
    return f"{step.method} {step.resource_id}?api-version={step.api_version}"
