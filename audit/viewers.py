"""Who may see which events. `access`, a floor above, says what it knows of people (ready())."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.db.models import Q, QuerySet

from audit.models import AuditEvent


class Knowledge(Protocol):
    """What `access` tells of a person."""

    def scope(self, user: Any) -> frozenset[int] | None:
        """Ids of the environments that `user` may view; None: everywhere."""

    def environments(self, user: Any) -> Sequence[tuple[int, str]]:
        """Id and name of each environment that `user` may view, in order."""


class _Nothing:
    """Until somebody says otherwise, people see their own acts alone."""

    def scope(self, user: Any) -> frozenset[int] | None:
        return frozenset()

    def environments(self, user: Any) -> Sequence[tuple[int, str]]:
        return ()


_knowledge: Knowledge = _Nothing()


def register(knowledge: Knowledge) -> None:
    """Called once at the start, by the app that knows people."""
    global _knowledge
    _knowledge = knowledge


def visible_to(user: Any) -> QuerySet[AuditEvent]:
    """Events of environments that `user` may view, and their own acts.

    Events without an environment (sign-ins, connections) are for people with a role everywhere.
    """
    scope = _knowledge.scope(user)
    events = AuditEvent.objects.all()
    if scope is None:
        return events
    return events.filter(Q(environment_id__in=scope) | Q(actor_id=user.pk))


def environments_for(user: Any) -> Sequence[tuple[int, str]]:
    """The environments by which `user` can filter."""
    return _knowledge.environments(user)
