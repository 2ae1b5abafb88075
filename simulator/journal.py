"""Every accepted write, in order, and how many requests of each kind there were."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, deque
from typing import Any

from simulator.arm.schema import masked
from simulator.clock import Clock, wire_time_precise
from simulator.http import Document, Principal
from simulator.store import Store


def digest_of(body: Any) -> str | None:
    """SHA-256 of the canonical JSON: sorted names, no blanks, UTF-8. None without a body."""
    if body is None:
        return None
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Document] = list(store.journal())
        self._sequence = self._entries[-1]["sequence"] if self._entries else 0
        self.requests: Counter[str] = Counter()
        # The newest requests at the Kubernetes doors, reads too.
        self._kubernetes: deque[Document] = deque(maxlen=2000)

    def append(
        self,
        *,
        principal: Principal,
        method: str,
        path: str,
        api_version: str | None,
        body: Any,
        status: int,
        client_request_id: str | None,
        out_of_band: bool = False,
    ) -> Document:
        with self._lock:
            self._sequence += 1
            entry: Document = {
                "sequence": self._sequence,
                "time": wire_time_precise(self._clock.now()),
                "principal": principal.name,
                "principal_object_id": principal.object_id,
                "principal_type": principal.kind,
                "method": method,
                "path": path,
                "api_version": api_version,
                "body_digest": digest_of(body),
                "body": masked(body),
                "status": status,
                "client_request_id": client_request_id,
                "out_of_band": out_of_band,
            }
            self._entries.append(entry)
            self._store.append([(self._sequence, entry)])
        return entry

    def note_kubernetes(self, method: str, cluster: str, path: str) -> None:
        """Remember a request at a cluster's Kubernetes door."""
        with self._lock:
            self._kubernetes.append({"method": method, "cluster": cluster, "path": path})

    def kubernetes(self) -> list[Document]:
        """Return the newest requests at the Kubernetes doors: method, cluster, path."""
        with self._lock:
            return list(self._kubernetes)

    def list(self, since: int = 0) -> list[Document]:
        """Return the entries after a sequence number."""
        with self._lock:
            return [entry for entry in self._entries if entry["sequence"] > since]

    def clear(self) -> None:
        """Forget the entries; numbering goes on."""
        with self._lock:
            self._entries.clear()
            self._kubernetes.clear()
            self._store.clear_journal()
