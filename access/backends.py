"""Whoever signed in, with their rights, from one query."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from access.models import RoleAssignment, User
from access.rights import keep_rights


class PortalBackend(ModelBackend):
    """Local accounts. Each request reads the person anew, so that lost rights are lost at once."""

    def get_user(self, user_id: Any) -> User | None:
        """The person and, in the same query, their roles: every page asks for both."""
        assignments = list(RoleAssignment.objects.select_related("user").filter(user_id=user_id))
        if not assignments:
            return super().get_user(user_id)
        user = assignments[0].user
        keep_rights(user, [(it.role, it.environment_id) for it in assignments])
        return user if self.user_can_authenticate(user) else None
