"""The state of the simulation: held in memory, written through to SQLite.

Documents are never changed in place: a change stores a new document, so that readers (Resource
Graph, listings) may hold on to the old one. SQLite runs without fsync: a killed process loses
nothing, a killed machine may lose the last moments, which a stand-in can bear.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from simulator.http import Document

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (key TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
  kind TEXT, key TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (sequence INTEGER PRIMARY KEY, content TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Resource:
    """One ARM resource.

    ``document`` is what a GET may show, ``secrets`` what it must not, ``private`` what only the
    simulation knows (which agent, when secrets were given).
    """

    document: Document
    secrets: Document = field(default_factory=dict)
    private: Document = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def type(self) -> str:
        return str(self.document["type"]).lower()

    @property
    def properties(self) -> Document:
        properties: Document = self.document.get("properties", {})
        return properties

    @property
    def subscription(self) -> str:
        return self.key.split("/")[2]

    @property
    def resource_group(self) -> str | None:
        parts = self.key.split("/")
        return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else None

    @property
    def parent_key(self) -> str:
        """The key of what holds this resource: the id without its last type and name."""
        parent = self.key.rsplit("/", 2)[0]
        holder, separator, rest = parent.rpartition("/providers/")
        return holder if separator and "/" not in rest else parent

    def with_properties(self, **changes: object) -> Resource:
        properties = {**self.properties, **changes}
        return replace(self, document={**self.document, "properties": properties})


Listener = Callable[[str, Resource | None], None]


class Store:
    """Resources by lower-cased id, with the indexes that listings need."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_SCHEMA)
        self._depth = 0
        self._resources: dict[str, Resource] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._types: dict[str, dict[str, None]] = {}
        self.listeners: list[Listener] = []
        for key, content in self._database.execute("SELECT key, content FROM resources"):
            self._remember(key, Resource(**json.loads(content)))

    # -- resources

    def get(self, key: str) -> Resource | None:
        return self._resources.get(key.lower())

    def put(self, resource: Resource) -> Resource:
        content = json.dumps(
            {
                "document": resource.document,
                "secrets": resource.secrets,
                "private": resource.private,
            },
            separators=(",", ":"),
        )
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO resources VALUES (?, ?)", (resource.key, content)
            )
            self._remember(resource.key, resource)
            for listener in self.listeners:
                listener(resource.key, resource)
        return resource

    def remove(self, key: str) -> None:
        key = key.lower()
        with self._lock:
            resource = self._resources.pop(key, None)
            if resource is None:
                return
            self._database.execute("DELETE FROM resources WHERE key = ?", (key,))
            self._children.get(resource.parent_key, {}).pop(key, None)
            self._types.get(resource.type, {}).pop(key, None)
            for listener in self.listeners:
                listener(key, None)

    def children(self, parent: str, resource_type: str) -> list[Resource]:
        """Return the resources of a type directly below a parent, in the order they were made."""
        with self._lock:
            found = [self._resources[key] for key in self._children.get(parent.lower(), ())]
        return [resource for resource in found if resource.type == resource_type]

    def of_type(self, *resource_types: str) -> list[Resource]:
        with self._lock:
            return [
                self._resources[key]
                for resource_type in resource_types
                for key in self._types.get(resource_type, ())
            ]

    def below(self, prefix: str) -> list[Resource]:
        prefix = prefix.lower() + "/"
        with self._lock:
            return [r for key, r in self._resources.items() if key.startswith(prefix)]

    def all(self) -> list[Resource]:
        with self._lock:
            return list(self._resources.values())

    def __len__(self) -> int:
        return len(self._resources)

    def _remember(self, key: str, resource: Resource) -> None:
        self._resources[key] = resource
        self._children.setdefault(resource.parent_key, {})[key] = None
        self._types.setdefault(resource.type, {})[key] = None

    # -- small records of other parts: operations, registrations, options

    def record(self, kind: str, key: str, content: object) -> None:
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, key, json.dumps(content))
            )

    def forget(self, kind: str, key: str) -> None:
        with self._lock:
            self._database.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))

    def records(self, kind: str) -> dict[str, Document]:
        with self._lock:
            rows = self._database.execute("SELECT key, content FROM records WHERE kind=?", (kind,))
            return {key: json.loads(content) for key, content in rows}

    def record_of(self, kind: str, key: str) -> Document | None:
        with self._lock:
            row = self._database.execute(
                "SELECT content FROM records WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        found: Document | None = json.loads(row[0]) if row else None
        return found

    # -- the journal's rows

    def append(self, entries: Iterable[tuple[int, Document]]) -> None:
        with self._lock:
            self._database.executemany(
                "INSERT INTO journal VALUES (?, ?)",
                [(sequence, json.dumps(content)) for sequence, content in entries],
            )

    def journal(self) -> Iterator[Document]:
        with self._lock:
            rows = self._database.execute("SELECT content FROM journal ORDER BY sequence")
            return iter([json.loads(content) for (content,) in rows])

    def clear_journal(self) -> None:
        with self._lock:
            self._database.execute("DELETE FROM journal")

    # -- transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside together. Memory is not rolled back: an error inside is a bug."""
        with self._lock:
            if self._depth == 0:
                self._database.execute("BEGIN")
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._database.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.close()
