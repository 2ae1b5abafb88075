"""One hub per process: it watches the versions in the database and feeds the open streams.

The database is the truth: one query a second for all streams together, and at once when Redis
rings. A hub sleeps while nobody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import FrameType
from typing import TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from redis.exceptions import RedisError

from live.models import ScopeVersion
from live.notify import CHANNEL, QUIET_SECONDS

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# Rings that arrive together are answered by one query.
GATHER_SECONDS = 0.03
# A version is stamped when it is bumped and seen when its transaction commits: look back far
# enough for a slow transaction and for clocks of hosts that differ a little.
WINDOW = timedelta(seconds=20)

Version = tuple[str, int, datetime]  # scope, version, when it was bumped
Result = TypeVar("Result")


class Listener:
    """One open stream: which scopes it may hear, and what it has still to be told."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = frozenset(scopes)
        self._known: dict[str, int] = {}
        self._pending: dict[str, int] = {}
        self._wake = asyncio.Event()
        self.closed = False

    def offer(self, scope: str, version: int, *, news: bool = True) -> None:
        """Take note of a version; it is told once, and only the newest of a scope."""
        if version <= self._known.get(scope, -1):
            return
        self._known[scope] = version
        if news:
            self._pending[scope] = version
            self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def next(self, seconds: float) -> dict[str, int]:
        """What moved, by scope; empty after `seconds` without news or when closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()
        told, self._pending = self._pending, {}
        return told


class Hub:
    """Feeds the listeners of one event loop."""

    def __init__(self) -> None:
        self._by_scope: dict[str, set[Listener]] = defaultdict(set)
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._bell = asyncio.Event()
        # One thread with one database connection of its own, apart from those of requests.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")
        self._closing = False

    @contextlib.asynccontextmanager
    async def listen(self, scopes: Iterable[str], *, since: datetime) -> AsyncIterator[Listener]:
        """A listener that first hears what moved since the page was made."""
        listener = Listener(scopes)
        if self._closing:
            listener.close()
        self._listeners.add(listener)
        for scope in listener.scopes:
            self._by_scope[scope].add(listener)
        try:
            for scope, version, at in await self.ask(lambda: current(listener.scopes)):
                listener.offer(scope, version, news=at >= since)
            self._start()
            yield listener
        finally:
            self._listeners.discard(listener)
            for scope in listener.scopes:
                self._by_scope[scope].discard(listener)
                if not self._by_scope[scope]:
                    del self._by_scope[scope]

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Run a database question in the hub's thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: _fresh(question)
        )

    def close(self) -> None:
        """End all streams, so that the server can stop without waiting for them."""
        self._closing = True
        for listener in self._listeners:
            listener.close()
        self._bell.set()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        doorbell = asyncio.create_task(self._hear_redis())
        try:
            while self._listeners and not self._closing:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._bell.wait()
                        await asyncio.sleep(GATHER_SECONDS)
                self._bell.clear()
                await self._tell()
        finally:
            doorbell.cancel()

    async def _tell(self) -> None:
        try:
            rows = await self.ask(recent)
        except DatabaseError as error:
            log.warning("The database does not answer the live hub: %s", error)
            return
        for scope, version, _ in rows:
            for listener in self._by_scope.get(scope, ()):
                listener.offer(scope, version)

    async def _hear_redis(self) -> None:
        """Turn messages into rings of the bell; try again for ever, the poll works meanwhile."""
        while True:
            client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1)
            try:
                async with client, client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message" and self._concerns(message["data"]):
                            self._bell.set()
            except (RedisError, OSError):
                await asyncio.sleep(QUIET_SECONDS)

    def _concerns(self, message: bytes) -> bool:
        try:
            return any(scope in self._by_scope for scope in json.loads(message))
        except (ValueError, TypeError):
            return True


def recent() -> list[Version]:
    """Versions that moved lately; one query for all the streams of the process."""
    since = timezone.now() - WINDOW
    rows = ScopeVersion.objects.filter(bumped_at__gte=since)
    return list(rows.values_list("scope", "version", "bumped_at"))


def current(scopes: Iterable[str]) -> list[Version]:
    """Versions of these scopes as they are."""
    rows = ScopeVersion.objects.filter(scope__in=list(scopes))
    return list(rows.values_list("scope", "version", "bumped_at"))


def _fresh(question: Callable[[], Result]) -> Result:
    """Keep the thread's connection between questions, but never a broken one."""
    try:
        return question()
    except DatabaseError:
        connection.close()
        raise


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
        _close_on_signal(loop, found)
    return found


def _close_on_signal(loop: asyncio.AbstractEventLoop, opened: Hub) -> None:
    """Chain to the server's own handlers: a stream never ends by itself, and servers wait."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if not callable(before):
            continue

        def handle(
            received: int,
            frame: FrameType | None,
            before: Callable[[int, FrameType | None], object] = before,
        ) -> None:
            loop.call_soon_threadsafe(opened.close)
            before(received, frame)

        signal.signal(number, handle)
