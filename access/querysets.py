"""The one way to ask what somebody may see (design.md section 1, CVE-2022-24768's lesson)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from access.models import User


class EnvironmentScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to an environment, reached by the model's `environment_path`."""

    def visible_to(self, user: User) -> Self:
        """Rows in environments where `user` holds any role."""
        from access.rights import Act, rights_of  # rights import models, models import this

        return self._in_scope(rights_of(user).scope(Act.VIEW))

    def where_may(self, user: User, act: str) -> Self:
        """Rows in environments where `user` may do `act` (access.rights.Act)."""
        from access.rights import Act, rights_of

        return self._in_scope(rights_of(user).scope(Act(act)))

    def _in_scope(self, scope: frozenset[int] | None) -> Self:
        """None: everywhere, also outside any environment."""
        if scope is None:
            return self
        return self.filter(**{f"{self.model.environment_path}_id__in": scope})
