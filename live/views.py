"""The stream of ticks that an open page listens to (design.md section 6)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET

from live import page
from live.hub import Hub, Listener, hub

HEARTBEAT_SECONDS = 20.0
# A stream ends by itself and the page opens another: rights and sign-in are checked anew.
LIFE_SECONDS = 15 * 60.0
RECHECK_SECONDS = 60.0
# The page was made a moment before its token was signed; clocks of hosts differ a little.
SLACK = timedelta(seconds=2)


@require_GET
async def events(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events `{"scope": …, "version": …}` for the scopes of the page's token."""
    try:
        ticket = page.read(request.GET.get("token", ""))
    except signing.BadSignature:
        return HttpResponse("The token is not valid any more.", status=403)
    user = await request.auser()
    if user.pk != ticket.user_id:
        return HttpResponse("The token is somebody else's.", status=403)
    response = StreamingHttpResponse(
        _stream(ticket, _since(request, ticket), request.session.session_key or ""),
        content_type="text/event-stream",
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold the ticks back
    return response


def _since(request: HttpRequest, ticket: page.Ticket) -> datetime:
    """When the page last knew its versions: at its making, or at the last tick it heard."""
    try:
        heard = float(request.headers.get("Last-Event-ID", "0"))
    except ValueError:
        heard = 0.0
    latest = min(max(heard, ticket.issued_at), time.time())
    return datetime.fromtimestamp(latest, UTC) - SLACK


async def _stream(ticket: page.Ticket, since: datetime, session_key: str) -> AsyncIterator[bytes]:
    """Ticks, a comment as heartbeat, and an end: by age, by sign-out or by the server's stop."""
    clock = asyncio.get_running_loop().time
    feeding = hub()
    ends, check = clock() + LIFE_SECONDS, clock() + RECHECK_SECONDS
    yield b"retry: 2000\n: listening\n\n"
    async with feeding.listen(ticket.scopes, since=since) as listener:
        while clock() < ends and not listener.closed:
            yield await _next(listener, min(HEARTBEAT_SECONDS, max(0.0, ends - clock())))
            if clock() >= check:
                check = clock() + RECHECK_SECONDS
                if not await _signed_in(feeding, session_key, ticket.user_id):
                    return


async def _next(listener: Listener, seconds: float) -> bytes:
    moved = await listener.next(seconds)
    if not moved:
        return b": beat\n\n"
    now = f"{time.time():.3f}"
    lines = [
        f"id: {now}\ndata: {json.dumps({'scope': scope, 'version': version})}\n\n"
        for scope, version in moved.items()
    ]
    return "".join(lines).encode()


async def _signed_in(feeding: Hub, session_key: str, user_id: int) -> bool:
    """Whether the session that opened the stream still is this active person's."""

    def look() -> bool:
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
        user = get_user(request)
        return bool(user.is_active and user.pk == user_id)

    return await feeding.ask(look)
