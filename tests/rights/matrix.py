"""Rows of the rights matrix: who gets what from which address (tests/rights/rows_<app>.py).

The cast of tests/conftest.py, plus `local`, an admin of `environment` alone, and `anonymous`.
`outsider` holds a role elsewhere, so an object in `environment` is foreign to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from access.models import Environment, User

CAST = ("viewer", "author", "approver", "local", "admin", "outsider")

EVERYBODY = frozenset(CAST)
MEMBERS = EVERYBODY - {"outsider"}  # who see what is in `environment`
PROPOSERS = MEMBERS - {"viewer"}
REVIEWERS = PROPOSERS - {"author"}
LOCAL_ADMINS = frozenset({"local", "admin"})
ADMINS = frozenset({"admin"})
OUTSIDERS = frozenset({"outsider"})
NOBODY: frozenset[str] = frozenset()


@dataclass
class Scene:
    """The people and places of one test; rows make the objects that they need."""

    environment: Environment
    elsewhere: Environment
    people: Mapping[str, User]
    made: dict[str, Any] = field(default_factory=dict)  # objects that a row shares with its data

    def __getattr__(self, name: str) -> User:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One address and method.

    `allowed` get `ok`; `hidden_from` get 404; everybody else who is signed in gets 403. Without
    a session the sign-in page follows, unless the address is `open_to_all`.
    """

    url: str  # name with its namespace
    method: str = "get"
    args: Callable[[Scene], Sequence[Any]] = lambda _scene: ()
    data: Callable[[Scene], Mapping[str, Any]] = lambda _scene: {}
    allowed: frozenset[str] = EVERYBODY
    hidden_from: frozenset[str] = NOBODY
    ok: int = 200
    open_to_all: bool = False
    # Whether the write has its effect now: true for those who are allowed, false for all others.
    done: Callable[[Scene], bool] | None = None
    note: str = ""  # where an address has several rows

    def expected(self, who: str) -> int:
        """The status that this person gets."""
        if who in self.allowed:
            return self.ok
        return 404 if who in self.hidden_from else 403

    def __str__(self) -> str:
        return f"{self.method} {self.url}{self.note and ' ' + self.note}"
