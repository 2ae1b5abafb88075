"""What each role allows, and the environments where a person holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from access.models import Role, RoleAssignment, User


class Act(StrEnum):
    """What rights are asked for."""

    VIEW = "view"
    PROPOSE = "propose"
    REVIEW = "review"
    ADMINISTER = "administer"


ALLOWS: dict[str, frozenset[Act]] = {
    Role.VIEWER: frozenset({Act.VIEW}),
    Role.AUTHOR: frozenset({Act.VIEW, Act.PROPOSE}),
    Role.APPROVER: frozenset({Act.VIEW, Act.PROPOSE, Act.REVIEW}),
    Role.ADMIN: frozenset(Act),
}


@dataclass(frozen=True)
class Rights:
    """The rights of one person at one moment: read once a request, never stored."""

    everywhere: frozenset[Act]
    by_environment: dict[int, frozenset[Act]]

    def scope(self, act: Act) -> frozenset[int] | None:
        """Environment ids in which `act` is allowed; None where it is allowed everywhere."""
        if act in self.everywhere:
            return None
        return frozenset(pk for pk, acts in self.by_environment.items() if act in acts)

    def may(self, act: Act, environment_id: int | None) -> bool:
        """Whether `act` is allowed in this environment (None: outside any environment)."""
        if act in self.everywhere:
            return True
        return environment_id is not None and act in self.by_environment.get(
            environment_id, frozenset()
        )

    def may_anywhere(self, act: Act) -> bool:
        """Whether there is any place where `act` is allowed: what menus ask."""
        return act in self.everywhere or any(act in acts for acts in self.by_environment.values())

    @cached_property
    def fingerprint(self) -> str:
        """Equal for people who may see the same: part of the key of every cached body."""
        places = [("*", self.everywhere)]
        places += [(str(pk), acts) for pk, acts in sorted(self.by_environment.items())]
        return "|".join(f"{place}:{','.join(sorted(acts))}" for place, acts in places)


NOTHING = Rights(everywhere=frozenset(), by_environment={})


def rights_of(user: User) -> Rights:
    """The rights of `user`, from one query, kept on the user object for this request only."""
    if not user.is_active or user.pk is None:
        return NOTHING
    cached: Rights | None = getattr(user, "_rights", None)
    if cached is not None:
        return cached
    assignments = RoleAssignment.objects.filter(user=user)
    return keep_rights(user, assignments.values_list("role", "environment_id"))


def keep_rights(user: User, assignments: Iterable[tuple[str, int | None]]) -> Rights:
    """Work out the rights of (role, environment id) pairs and keep them on the user object."""
    everywhere: set[Act] = set()
    by_environment: dict[int, set[Act]] = {}
    for role, place in assignments:
        acts = everywhere if place is None else by_environment.setdefault(place, set())
        acts |= ALLOWS[role]
    rights = Rights(
        everywhere=frozenset(everywhere),
        by_environment={pk: frozenset(acts) for pk, acts in by_environment.items()},
    )
    user._rights = rights  # type: ignore[attr-defined]
    return rights
