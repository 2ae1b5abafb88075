"""Bump the version of what a page shows, and tell the open pages after commit."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from live.models import ScopeVersion
from live.notify import publish


def bump(*scopes: str) -> None:
    """Raise the versions of these scopes in the current transaction; ring after commit.

    Call it last in a transaction, so that the rows are locked briefly. They are locked in sorted
    order, so that two writers never wait for each other in a circle.
    """
    names = sorted(set(scopes))
    if not names:
        return
    now = timezone.now()
    with transaction.atomic(savepoint=False):
        if len(_locked(names)) < len(names):
            fresh = [ScopeVersion(scope=name, version=0, bumped_at=now) for name in names]
            ScopeVersion.objects.bulk_create(fresh, ignore_conflicts=True)
            _locked(names)
        ScopeVersion.objects.filter(scope__in=names).update(version=F("version") + 1, bumped_at=now)
        transaction.on_commit(lambda: publish(names))


def _locked(names: list[str]) -> list[str]:
    """Those of the scopes that have a row, locked until commit."""
    rows = ScopeVersion.objects.select_for_update().filter(scope__in=names).order_by("scope")
    return list(rows.values_list("scope", flat=True))


def versions(*scopes: str) -> dict[str, int]:
    """The current version of each scope, 0 for one that was never bumped; one query."""
    found = dict(ScopeVersion.objects.filter(scope__in=scopes).values_list("scope", "version"))
    return {scope: found.get(scope, 0) for scope in scopes}


# Scopes whose versions every page needs beside its own; `portal` sets it to those of the shell.
everywhere: tuple[str, ...] = ()


def versions_for(request: HttpRequest, *scopes: str) -> dict[str, int]:
    """The versions of these scopes as of this request: asked for once, with the shell's."""
    known: dict[str, int] = request.__dict__.setdefault("live_versions", {})
    missing = [scope for scope in scopes if scope not in known]
    if missing:
        known.update(versions(*missing, *(it for it in everywhere if it not in known)))
    return {scope: known[scope] for scope in scopes}
