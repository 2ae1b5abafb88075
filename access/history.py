"""What the history asks of people (audit.viewers.Knowledge)."""

from __future__ import annotations

from collections.abc import Sequence

from access.models import Environment, User
from access.rights import Act, rights_of


class Knowledge:
    """Answers from the rights of one person; reads nothing twice in a request."""

    def scope(self, user: User) -> frozenset[int] | None:
        """Ids of the environments that `user` may view; None: everywhere."""
        return rights_of(user).scope(Act.VIEW)

    def environments(self, user: User) -> Sequence[tuple[int, str]]:
        """Id and name of each environment that `user` may view, in order."""
        scope = self.scope(user)
        found = Environment.objects.all()
        if scope is not None:
            found = found.filter(pk__in=scope)
        return list(found.values_list("pk", "name"))
