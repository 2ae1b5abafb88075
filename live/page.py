"""The scopes that one page shows, and the signed token that lets its stream hear them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.core import signing
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

SALT = "live.events"
TOKEN_SECONDS = 24 * 3600
_SCOPES = "_live_scopes"


@dataclass(frozen=True)
class Ticket:
    """What a token says: who may listen, to which scopes, and since when the page is known."""

    user_id: int
    scopes: frozenset[str]
    issued_at: float  # seconds since the epoch


def name(request: HttpRequest, scopes: Iterable[str]) -> None:
    """Remember that the page being rendered shows these scopes."""
    known: set[str] = request.__dict__.setdefault(_SCOPES, set())
    known.update(scopes)


def stream_address(request: HttpRequest) -> str:
    """The address of the stream for this page ("" when it shows nothing live)."""
    scopes = request.__dict__.get(_SCOPES)
    user = getattr(request, "user", None)
    if not scopes or user is None or not user.is_authenticated:
        return ""
    try:
        address = reverse("live:events")
    except NoReverseMatch:
        return ""
    return f"{address}?token={issue(user.pk, scopes)}"


def issue(user_id: int, scopes: Iterable[str]) -> str:
    """Sign a token; the scopes are those of a page that was rendered for this very user."""
    content = {"u": user_id, "s": sorted(scopes), "t": round(time.time(), 3)}
    return signing.dumps(content, salt=SALT, compress=True)


def read(token: str) -> Ticket:
    """Check and open a token. Raises signing.BadSignature for a forged or an old one."""
    content = signing.loads(token, salt=SALT, max_age=TOKEN_SECONDS)
    return Ticket(
        user_id=content["u"], scopes=frozenset(content["s"]), issued_at=float(content["t"])
    )
