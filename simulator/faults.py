"""Faults that the control door arms: one is used up by each request it hits."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import asdict, dataclass, field
from typing import Literal

from simulator.http import Document

Kind = Literal[
    "status", "reset_before", "reset_after", "hang", "stuck", "fail_operation", "expired_token"
]
KINDS = (
    "status",
    "reset_before",
    "reset_after",
    "hang",
    "stuck",
    "fail_operation",
    "expired_token",
)


@dataclass
class Fault:
    """What to do to the next ``count`` requests whose method and path match (regular expressions).

    - ``status``: answer ``status`` (with ``retry_after`` seconds or HTTP date when given) instead.
    - ``reset_before``: cut the connection before anything is done.
    - ``reset_after``: do it, then cut the connection.
    - ``hang``: wait ``seconds``, then go on.
    - ``stuck``: the write's operation never ends.
    - ``fail_operation``: the write's operation ends Failed with ``code`` and ``message``.
    - ``expired_token``: 401 as for a token that has expired.
    """

    kind: Kind
    method: str = ".*"
    path: str = ".*"
    count: int = 1
    status: int = 503
    retry_after: str | None = None
    seconds: float = 60.0
    code: str = "InternalServerError"
    message: str = "The server encountered an error."
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(KINDS)}")
        re.compile(self.method)
        re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        return (
            self.count > 0
            and re.fullmatch(self.method, method, re.IGNORECASE) is not None
            and re.search(self.path, path, re.IGNORECASE) is not None
        )


_AT_THE_DOOR = ("status", "reset_before", "reset_after", "hang", "expired_token")


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def list(self) -> list[Document]:
        return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def at_the_door(self, method: str, path: str) -> Fault | None:
        """Take the first fault that concerns the handling of a request as a whole."""
        return self._take(method, path, _AT_THE_DOOR)

    def operation_plan(self, method: str, path: str) -> tuple[bool, Document | None]:
        """Return whether an operation gets stuck, and the error it is to end with."""
        fault = self._take(method, path, ("stuck", "fail_operation"))
        if fault is None:
            return False, None
        if fault.kind == "stuck":
            return True, None
        return False, {"code": fault.code, "message": fault.message}

    def _take(self, method: str, path: str, kinds: tuple[str, ...]) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind in kinds and fault.matches(method, path):
                    fault.count -= 1
                    if fault.count <= 0:
                        self._faults.remove(fault)
                    return fault
        return None
