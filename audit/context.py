"""Who acts in this request or task: set once at its start, read by audit.services."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Context:
    """The request (or task) id and the client's address, for every event of this request."""

    request_id: str = ""
    address: str = ""


_NOBODY = Context()
current: ContextVar[Context] = ContextVar("audit_context", default=_NOBODY)
