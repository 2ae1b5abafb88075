"""What every page's shell needs: theme, and counts for the navigation when a page shows them."""

from __future__ import annotations

from functools import cached_property, partial
from hashlib import sha256
from typing import Any, cast

from django.core.cache import cache
from django.db.models import Count, QuerySet, Value
from django.http import HttpRequest

from access.models import User
from access.rights import Act, rights_of
from changes.inbox import waiting_for_review_by
from clusters.models import Cluster, Connection
from configurations.models import Configuration
from live.services import versions_for

THEMES = ("light", "dark")
THEME_COOKIE = "fg-theme"
# What the numbers of the navigation count: they are asked for again when one of these moves.
SHELL_SCOPES = ("changes", "clusters", "configurations", "connections")
COUNTS_SECONDS = 60


class Shell:
    """Asks nothing until a template does; parts of pages never do."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def user(self) -> User | None:
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @property
    def theme(self) -> str:
        """ "light", "dark", or "" to follow the system."""
        chosen = self._request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else ""

    @cached_property
    def counts(self) -> dict[str, int]:
        """Numbers beside the entries of the navigation: one query when something has moved."""
        if self.user is None:
            return {}
        seen = sorted(versions_for(self._request, *SHELL_SCOPES).items())
        key = f"shell:{self.user.pk}:{rights_of(self.user).fingerprint}:{seen}"
        counts = cache.get_or_set(
            sha256(key.encode()).hexdigest(), partial(self._count, self.user), COUNTS_SECONDS
        )
        return cast("dict[str, int]", counts)

    def _count(self, user: User) -> dict[str, int]:
        parts = [
            _counted("configurations", Configuration.objects.visible_to(user).filter(gone_at=None)),
            _counted("clusters", Cluster.objects.visible_to(user).filter(gone_at=None)),
            _counted("reviews", waiting_for_review_by(user)),
        ]
        if self.may_administer:
            parts.append(_counted("connections", Connection.objects.filter(enabled=True)))
        return dict(parts[0].union(*parts[1:], all=True))

    @cached_property
    def may_administer(self) -> bool:
        return self.user is not None and rights_of(self.user).may_anywhere(Act.ADMINISTER)

    @cached_property
    def may_propose(self) -> bool:
        return self.user is not None and rights_of(self.user).may_anywhere(Act.PROPOSE)

    @property
    def section(self) -> str:
        """Which entry of the navigation the page belongs to."""
        match = self._request.resolver_match
        if match is None:
            return ""
        if match.view_name == "home":
            return "home"
        if match.app_name == "clusters" and "connection" in (match.url_name or ""):
            return "connections"
        return match.app_name


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell(request)}


def _counted(name: str, rows: QuerySet[Any]) -> Any:
    """One row (name, count), so that several counts are one query."""
    return (
        rows.order_by()
        .annotate(_group=Value(1))
        .values("_group")
        .annotate(found=Count("*"))
        .values_list(Value(name), "found")
    )
