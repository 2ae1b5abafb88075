"""Slow down whoever guesses passwords, without a lock that keeps the owner of an account out.

A failure counts for the pair of account and address, for the account from anywhere, and for the
address with any account; past its free attempts each of them waits, twice as long every time.
An attempt is counted before the password is checked, so that many at once gain nothing.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from access.models import SignInFailures

_FORGOTTEN_AFTER = timedelta(hours=12)
_FIRST_PAUSE = timedelta(seconds=5)


@dataclass(frozen=True)
class Limit:
    """Attempts before the first pause, and the longest pause."""

    free: int
    longest: timedelta

    def pause(self, count: int) -> timedelta:
        """How long to wait after this many failures."""
        if count < self.free:
            return timedelta()
        doubled: int = 2 ** min(count - self.free, 20)
        return min(_FIRST_PAUSE * doubled, self.longest)


LIMITS = {
    SignInFailures.Scope.BOTH: Limit(free=5, longest=timedelta(minutes=15)),
    # Wide, and never long: else a stranger could keep a person or an office out.
    SignInFailures.Scope.ACCOUNT: Limit(free=30, longest=timedelta(minutes=1)),
    SignInFailures.Scope.ADDRESS: Limit(free=60, longest=timedelta(minutes=5)),
}


def take_attempt(username: str, address: str) -> timedelta:
    """Count one attempt and return zero, or return how long to wait before the next one."""
    now = timezone.now()
    keys = _keys(username, address)
    with transaction.atomic():
        SignInFailures.objects.filter(last_at__lt=now - _FORGOTTEN_AFTER).delete()
        SignInFailures.objects.bulk_create(
            [SignInFailures(scope=scope, key=key, last_at=now) for scope, key in keys.items()],
            ignore_conflicts=True,
        )
        rows = list(
            SignInFailures.objects.select_for_update().filter(key__in=keys.values()).order_by("id")
        )
        wait = max(((row.blocked_until or now) - now for row in rows), default=timedelta())
        if wait > timedelta():
            return wait
        for row in rows:
            row.count += 1
            row.last_at = now
            row.blocked_until = now + LIMITS[SignInFailures.Scope(row.scope)].pause(row.count)
            row.save()
    return timedelta()


def forgive(username: str, address: str) -> None:
    """The attempt was right: forget the account's failures, take back the one of the address.

    The address keeps its other failures, else one own account would reset it for guessing others.
    """
    keys = _keys(username, address)
    of_address = keys.pop(SignInFailures.Scope.ADDRESS, "")
    SignInFailures.objects.filter(key__in=keys.values()).delete()
    SignInFailures.objects.filter(key=of_address, count__gt=0).update(
        count=F("count") - 1, blocked_until=None
    )


def _keys(username: str, address: str) -> dict[SignInFailures.Scope, str]:
    """A keyed hash for each scope; without an address (a Unix socket) only the account counts."""
    name = unicodedata.normalize("NFKC", username).casefold()
    parts = {SignInFailures.Scope.ACCOUNT: f"account\0{name}"}
    if address:
        parts[SignInFailures.Scope.BOTH] = f"both\0{name}\0{address}"
        parts[SignInFailures.Scope.ADDRESS] = f"address\0{address}"
    return {
        scope: salted_hmac("access.signin", text, algorithm="sha256").hexdigest()
        for scope, text in parts.items()
    }
