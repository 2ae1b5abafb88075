"""How changes and operations move: one table each, by compare-and-swap.

A move that the table does not know, or that somebody else has forestalled, raises ChangeRefused
and alters nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from changes.errors import ChangeRefused
from changes.models import Change, Operation, ResourceHold

C = Change.State
O = Operation.State  # noqa: E741

CHANGE_TRANSITIONS: Mapping[str, frozenset[str]] = {
    # Returned to its author by "request changes".
    C.DRAFT: frozenset({C.IN_REVIEW, C.WITHDRAWN, C.EXPIRED}),
    # In review to in review: the author sends a new revision.
    C.IN_REVIEW: frozenset({C.DRAFT, C.IN_REVIEW, C.APPROVED, C.REJECTED, C.WITHDRAWN, C.EXPIRED}),
    C.APPROVED: frozenset({C.SCHEDULED, C.APPLYING, C.WITHDRAWN, C.EXPIRED, C.SUPERSEDED}),
    C.SCHEDULED: frozenset({C.APPROVED, C.APPLYING, C.WITHDRAWN, C.EXPIRED, C.SUPERSEDED}),
    C.APPLYING: frozenset({C.APPLIED, C.FAILED, C.SUPERSEDED}),
    # Applied to applying: a paused worker wrote late, so the outcome is checked again.
    C.APPLIED: frozenset({C.APPLYING}),
    # Failed to applying: one operation is tried again; to in review: against the new base.
    C.FAILED: frozenset({C.APPLYING, C.IN_REVIEW, C.SUPERSEDED}),
    C.REJECTED: frozenset(),
    C.WITHDRAWN: frozenset(),
    C.EXPIRED: frozenset(),
    C.SUPERSEDED: frozenset(),
}

OPERATION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    O.WAITING: frozenset({O.SENDING, O.SUCCEEDED, O.FAILED, O.SUPERSEDED}),
    # Sending to sending: the outcome was unknown, nothing had arrived, so it is sent again.
    O.SENDING: frozenset({O.SENDING, O.WAITING, O.POLLING, O.SUCCEEDED, O.FAILED}),
    # Polling to sending: the read-back shows something else than was approved.
    O.POLLING: frozenset({O.SENDING, O.SUCCEEDED, O.FAILED}),
    # Succeeded to polling: a paused worker wrote late, so the outcome is checked again.
    O.SUCCEEDED: frozenset({O.POLLING}),
    O.FAILED: frozenset({O.WAITING, O.SUPERSEDED}),
    O.SUPERSEDED: frozenset(),
}

OPEN = frozenset({C.IN_REVIEW, C.APPROVED, C.SCHEDULED, C.APPLYING})  # holds its resources
IN_PLAY = frozenset({O.WAITING, O.SENDING, O.POLLING})
IN_FLIGHT = frozenset({O.SENDING, O.POLLING})


def is_allowed(table: Mapping[str, frozenset[str]], from_: str, to: str) -> bool:
    """Whether the table knows this move."""
    return to in table[from_]


def move(change: Change, *, to: str, from_: str | None = None, **values: Any) -> None:
    """Move `change` from its state (or `from_`) to `to`, setting `values` in the same update.

    Runs in the caller's transaction. Resources are let go when the change is no longer open.
    """
    old = from_ or change.state
    now = timezone.now()
    values = {"state": to, "moved_at": now, **values}
    values.setdefault("finished_at", None if to in OPEN or to == C.DRAFT else now)
    _swap(Change, CHANGE_TRANSITIONS, change, old, values)
    if to not in OPEN:
        ResourceHold.objects.filter(change=change).delete()


def move_operation(
    operation: Operation, *, to: str, from_: str | None = None, **values: Any
) -> None:
    """The same for an operation that no worker holds; a worker uses changes.leases."""
    _swap(
        Operation,
        OPERATION_TRANSITIONS,
        operation,
        from_ or operation.state,
        {"state": to, **values},
    )


def _swap(
    model: type[Change] | type[Operation],
    table: Mapping[str, frozenset[str]],
    row: Change | Operation,
    old: str,
    values: dict[str, Any],
) -> None:
    labels = dict(model.State.choices)
    to = values["state"]
    if not is_allowed(table, old, to):
        raise ChangeRefused(
            _("It cannot go from “%(old)s” to “%(new)s”.")
            % {"old": labels[old], "new": labels[to]},
            code="move_refused",
        )
    if model._default_manager.filter(pk=row.pk, state=old).update(**values) != 1:
        raise ChangeRefused(
            _("Somebody else was faster: it is no longer “%(old)s”.") % {"old": labels[old]},
            code="moved_meanwhile",
        )
    for name, value in values.items():
        setattr(row, name, value)
