"""Bump the version of what a page shows, and tell the open pages after commit."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from live.models import ScopeVersion
from live.notify import publish

log = logging.getLogger(__name__)


def bump(*scopes: str) -> None:
    """Raise the versions of these scopes in the current transaction; ring after commit.

    Call it last in a transaction, so that the rows are locked briefly; always in sorted order,
    so that two writers never wait for each other in a circle.
    """
    now = timezone.now()
    for scope in sorted(set(scopes)):
        ScopeVersion.objects.bulk_create(
            [ScopeVersion(scope=scope, version=0, bumped_at=now)], ignore_conflicts=True
        )
        ScopeVersion.objects.filter(scope=scope).update(version=_next(), bumped_at=now)
    transaction.on_commit(lambda: publish(sorted(set(scopes))))


def _next() -> object:
    from django.db.models import F

    return F("version") + 1


def versions(*scopes: str) -> dict[str, int]:
    """The current version of each scope, 0 for one that was never bumped; one query."""
    found = dict(ScopeVersion.objects.filter(scope__in=scopes).values_list("scope", "version"))
    return {scope: found.get(scope, 0) for scope in scopes}
