"""Writing the status of Flux objects: conditions in Flux's order, with its rules of time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .objects import Manifest, ObjectKey, ObjectStore, timestamp

REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
_FIRST = ("Stalled", "Reconciling", "Ready")


def _rank(item: Manifest) -> tuple[int, int, str]:
    kind = item["type"]
    if kind in _FIRST:
        return (_FIRST.index(kind), 0, "")
    return (len(_FIRST), -int(item.get("observedGeneration", 0)), kind)


class StatusWriter:
    """Edits the status of one object; `save` writes it to the store.

    A condition keeps its lastTransitionTime while status, reason and message stay the same.
    """

    def __init__(self, store: ObjectStore, key: ObjectKey, now: datetime) -> None:
        self._store = store
        self._key = key
        self._now = now
        manifest = store.get(key) or {}
        metadata = manifest.get("metadata") or {}
        self.generation = int(metadata.get("generation", 0))
        self._requested = (metadata.get("annotations") or {}).get(REQUESTED_AT)
        self._status: Manifest = dict(manifest.get("status") or {})
        self._conditions = {item["type"]: item for item in self._status.get("conditions") or []}

    def condition(self, kind: str, status: str, reason: str, message: str) -> StatusWriter:
        old = self._conditions.get(kind)
        same = old is not None and (old["status"], old["reason"], old["message"]) == (
            status,
            reason,
            message,
        )
        self._conditions[kind] = {
            "type": kind,
            "status": status,
            "observedGeneration": self.generation,
            "lastTransitionTime": old["lastTransitionTime"]
            if same and old is not None
            else timestamp(self._now),
            "reason": reason,
            "message": message,
        }
        return self

    def drop(self, *kinds: str) -> StatusWriter:
        for kind in kinds:
            self._conditions.pop(kind, None)
        return self

    def fields(self, **values: Any) -> StatusWriter:
        """Set fields of the status; None removes one."""
        for name, value in values.items():
            if value is None:
                self._status.pop(name, None)
            else:
                self._status[name] = value
        return self

    def observed(self) -> StatusWriter:
        return self.fields(observedGeneration=self.generation)

    def get(self, name: str, default: Any = None) -> Any:
        return self._status.get(name, default)

    def status_of(self, kind: str) -> str:
        found = self._conditions.get(kind)
        return str(found["status"]) if found else ""

    def message(self, kind: str) -> str:
        found = self._conditions.get(kind)
        return str(found["message"]) if found else ""

    def save(self) -> None:
        if self._requested and self.status_of("Ready") in ("True", "False"):
            self._status["lastHandledReconcileAt"] = self._requested
        status = self._status | {"conditions": sorted(self._conditions.values(), key=_rank)}
        self._store.set_status(self._key, status)
