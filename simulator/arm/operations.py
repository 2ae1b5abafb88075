"""Long-running operations: what an accepted write still has to do, and the resource to poll."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from simulator.clock import Clock
from simulator.http import Answer, Document, Request
from simulator.store import Store

# The service gives a change up when the cluster's agent has not fetched it in this time.
AGENT_TIMEOUT = timedelta(hours=48)
_WAIT = timedelta(seconds=1)
_KEEP_ENDED = timedelta(hours=2)
TERMINAL = ("Succeeded", "Failed", "Canceled")


@dataclass
class Operation:
    """One operation. ``due`` is when it ends by itself; None keeps it open for ever."""

    name: str
    resource_key: str
    resource_type: str
    kind: str  # Creating, Updating or Deleting
    started: datetime
    due: datetime | None
    status: str
    error: Document | None = None
    planned_error: Document | None = None
    ended: datetime | None = None
    handed_over: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL

    def body(self, resource_id: str) -> Document:
        return {
            "id": f"{resource_id}/operations/{self.name}",
            "name": self.name,
            "status": self.status,
            "properties": {},
            "error": self.error,
        }


# Called when an operation's time has come. Returns False when the agent cannot be reached yet.
Completion = Callable[[Operation], bool]


class Operations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_name: dict[str, Operation] = {}
        self._open: dict[str, Operation] = {}
        self._queue: list[tuple[datetime, int, str]] = []
        self._numbers = itertools.count()
        self._completions: dict[str, Completion] = {}
        for content in store.records("operation").values():
            operation = Operation(**_read(content))
            self._remember(operation)

    def on_completion(self, resource_type: str, completion: Completion) -> None:
        self._completions[resource_type] = completion

    def start(
        self,
        *,
        resource_key: str,
        resource_type: str,
        kind: str,
        after: timedelta,
        stuck: bool = False,
        planned_error: Document | None = None,
    ) -> Operation:
        now = self._clock.now()
        operation = Operation(
            name=str(uuid.uuid4()),
            resource_key=resource_key,
            resource_type=resource_type,
            kind=kind,
            started=now,
            due=None if stuck else now + after,
            status=kind,
            planned_error=planned_error,
        )
        self._remember(operation)
        self._save(operation)
        return operation

    def get(self, name: str) -> Operation | None:
        return self._by_name.get(name.lower())

    def open_on(self, resource_key: str) -> Operation | None:
        return self._open.get(resource_key)

    def abandon(self, resource_key: str) -> None:
        """Cancel what is under way on a resource that is gone or taken over."""
        operation = self._open.get(resource_key)
        if operation is not None:
            self.end(operation, "Canceled")

    def end(self, operation: Operation, status: str, error: Document | None = None) -> None:
        operation.status, operation.error = status, error
        operation.ended = self._clock.now()
        if self._open.get(operation.resource_key) is operation:
            del self._open[operation.resource_key]
        self._save(operation)

    def has_timed_out(self, operation: Operation) -> bool:
        return self._clock.now() - operation.started >= AGENT_TIMEOUT

    def settle(self) -> bool:
        """Complete everything that is due; tell whether there was any."""
        now = self._clock.now()
        moved = False
        while self._settle_once(now):
            moved = True
        if len(self._by_name) > 2000:
            self._drop_old(now)
        return moved

    def _settle_once(self, now: datetime) -> bool:
        """One pass. Those that still wait come up again at once if others moved, else later."""
        waiting = []
        moved = False
        while self._queue and self._queue[0][0] <= now:
            operation = self._by_name.get(heapq.heappop(self._queue)[2])
            if operation is None or not operation.is_open:
                continue
            if self._completions[operation.resource_type](operation):
                moved = True
                if operation.is_open:
                    self.end(operation, "Succeeded")
            else:
                waiting.append(operation)
        for operation in waiting:
            operation.due = now if moved else now + _WAIT
            self._push(operation)
        return moved

    def release(self, resource_key: str) -> None:
        """Let a stuck operation go on now."""
        operation = self._open.get(resource_key)
        if operation is not None and operation.due is None:
            operation.due = self._clock.now()
            self._push(operation)

    def next_due(self) -> datetime | None:
        return self._queue[0][0] if self._queue else None

    @property
    def open_count(self) -> int:
        return len(self._open)

    def _remember(self, operation: Operation) -> None:
        self._by_name[operation.name] = operation
        if operation.is_open:
            self._open[operation.resource_key] = operation
            self._push(operation)

    def _push(self, operation: Operation) -> None:
        if operation.due is not None:
            entry = (operation.due, next(self._numbers), operation.name)
            heapq.heappush(self._queue, entry)

    def _drop_old(self, now: datetime) -> None:
        for operation in list(self._by_name.values()):
            if operation.ended is not None and now - operation.ended > _KEEP_ENDED:
                del self._by_name[operation.name]
                self._store.forget("operation", operation.name)

    def _save(self, operation: Operation) -> None:
        content = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(operation).items()
        }
        self._store.record("operation", operation.name, content)


def _read(content: Document) -> Document:
    return {
        name: datetime.fromisoformat(value)
        if name in ("started", "due", "ended", "handed_over") and value is not None
        else value
        for name, value in content.items()
    }


def accepted(
    request: Request,
    operation: Operation,
    resource_id: str,
    *,
    status: int,
    body: object,
    retry_after: int,
) -> Answer:
    """Answer a write with the headers by which a client follows its operation.

    The provider writes the cluster type with a capital in this address, as the published examples
    do, so that clients learn to compare ids without regard to case.
    """
    shown = resource_id.replace("/connectedClusters/", "/ConnectedClusters/").replace(
        "/managedClusters/", "/ManagedClusters/"
    )
    address = (
        f"{request.base_url}{shown}/operations/{operation.name}?api-version={request.api_version}"
    )
    headers = {
        "Azure-AsyncOperation": address,
        "Retry-After": str(retry_after),
        "x-ms-async-operation-timeout": "PT48H",
    }
    return Answer(status, body, headers)


def polled(operation: Operation, resource_id: str, retry_after: int) -> Answer:
    """Answer a poll of an operation; while it goes on, with the time to wait before the next."""
    headers = {"Retry-After": str(retry_after)} if operation.is_open else {}
    return Answer(200, operation.body(resource_id), headers)
