"""Requests and answers as the simulator's parts see them, apart from any web framework."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
# The key in a scope's extensions under which a door offers to cut the connection.
RESET = "simulator.reset"


@dataclass(frozen=True)
class Principal:
    """Who a token was issued to; ``name`` is a client id or a user name, as ARM writes them."""

    object_id: str
    name: str
    is_application: bool

    @property
    def kind(self) -> str:
        """The value of ``systemData.createdByType``."""
        return "Application" if self.is_application else "User"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base_url: str
    principal: Principal | None = None

    @property
    def api_version(self) -> str | None:
        return self.query.get("api-version")

    @property
    def caller(self) -> Principal:
        assert self.principal is not None  # noqa: S101 - the ARM door lets nobody else in
        return self.principal

    def json(self) -> Any:
        """Return the body's JSON; raises ``ArmError`` the way ARM words a broken body."""
        from simulator.arm.errors import bad_request

        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise bad_request(
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, separators=(",", ":")).encode()
