"""A change in `environment`, by the author unless said otherwise; outsiders do not know of it."""

from __future__ import annotations

from access.models import User
from changes.models import Change, Operation, Problem
from tests.factories.changes import approve, make_change
from tests.rights.matrix import (
    LOCAL_ADMINS,
    MEMBERS,
    OUTSIDERS,
    PROPOSERS,
    REVIEWERS,
    Row,
    Scene,
)


def _made(scene: Scene, by: User) -> list[int]:
    scene.made["change"] = make_change(by, scene.environment)
    return [scene.made["change"].pk]


def _change(scene: Scene) -> list[int]:
    return _made(scene, scene.author)


def _approvers_own(scene: Scene) -> list[int]:
    return _made(scene, scene.approver)


def _stopped(scene: Scene) -> list[int]:
    """A change whose one write failed with a problem that another try may cure."""
    pk = _change(scene)[0]
    approve(scene.approver, scene.made["change"])
    Operation.objects.filter(change=pk).update(state="failed", problem=Problem.OPERATION_FAILED)
    Change.objects.filter(pk=pk).update(state="failed")
    return [pk]


def _failed_operation(scene: Scene) -> list[int]:
    return [Operation.objects.get(change=_stopped(scene)[0]).pk]


def _verdict(scene: Scene) -> dict[str, str]:
    return {"verdict": "approve", "digest": scene.made["change"].digest}


def _state(scene: Scene) -> str:
    return str(Change.objects.get(pk=scene.made["change"].pk).state)


ROWS = [
    Row(url="changes:list"),
    Row(url="changes:detail", args=_change, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(url="changes:face", args=_change, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(
        url="changes:review",
        method="post",
        args=_change,
        data=_verdict,
        allowed=REVIEWERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: _state(s) in {"approved", "applying"},
    ),
    Row(
        url="changes:review",
        note="one's own",
        method="post",
        args=_approvers_own,
        data=_verdict,
        allowed=LOCAL_ADMINS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: _state(s) in {"approved", "applying"},
    ),
    Row(
        url="changes:comment",
        method="post",
        args=_change,
        data=lambda _s: {"comment": "Why now?"},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: s.made["change"].reviews.exists(),
    ),
    Row(
        url="changes:withdraw",
        method="post",
        args=_change,
        allowed=LOCAL_ADMINS | {"author"},
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: _state(s) == "withdrawn",
    ),
    Row(
        url="changes:review_again",
        method="post",
        args=_stopped,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: _state(s) == "in_review",
    ),
    Row(
        url="changes:retry",
        method="post",
        args=_failed_operation,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: _state(s) == "applying",
    ),
]
