"""A kind of write that keeps a journal, and changes made with it.

`JournalKind` is a real kind with a real store: a SQLite file of its own that several processes
share, with resources that take a while, and a journal of every accepted write. It stands beside
the kinds of Azure so that the engine is tested without them.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from access.models import Environment, User
from changes.content import digest_of, readable
from changes.errors import WriteProblem
from changes.kinds import Fact, Kind, Live, Polled, Risk, Sent, Step, Target, register
from changes.models import Change, Operation, Problem
from changes.services import change_submit, review_add

SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS resources (id TEXT PRIMARY KEY, body TEXT, ready_at REAL);
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, resource TEXT, method TEXT, body TEXT, request TEXT, url TEXT);
CREATE TABLE IF NOT EXISTS faults (seq INTEGER PRIMARY KEY, call TEXT, fault TEXT);
"""


class JournalKind(Kind):
    """Writes resources of a file; see the module."""

    name = "journal"

    def __init__(self) -> None:
        self.path = Path(os.environ.get("FLUXGATE_TEST_JOURNAL", ""))
        self.seconds = float(os.environ.get("FLUXGATE_TEST_JOURNAL_SECONDS", "0"))
        self.heard: list[tuple[str, int]] = []  # accepted and finished, as they were called

    def use(self, path: Path) -> None:
        """Start with an empty store in this file."""
        self.path, self.seconds, self.heard = path, 0.0, []

    @contextmanager
    def store(self) -> Iterator[sqlite3.Connection]:
        store = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            store.executescript(SCHEMA)
            yield store
        finally:
            store.close()

    # --- What the tests do to it ---------------------------------------------------------
    def put(self, resource_id: str, body: dict[str, Any] | None) -> None:
        """Alter the live resource behind the engine's back."""
        with self.store() as store:
            store.execute("DELETE FROM resources WHERE id=?", [resource_id])
            if body is not None:
                store.execute(
                    "INSERT INTO resources VALUES (?,?,0)", [resource_id, json.dumps(body)]
                )

    def live(self, resource_id: str) -> dict[str, Any] | None:
        """The resource as it is in the store."""
        with self.store() as store:
            row = store.execute("SELECT body FROM resources WHERE id=?", [resource_id]).fetchone()
        return json.loads(row[0]) if row else None

    def writes(self) -> list[dict[str, Any]]:
        """Every accepted write, in order."""
        with self.store() as store:
            rows = store.execute("SELECT resource, method, body, request FROM journal ORDER BY seq")
            return [
                {"resource": r, "method": m, "body": json.loads(b), "request": q}
                for r, m, b, q in rows
            ]

    def fail_next(self, call: str, **fault: Any) -> None:
        """Let the next `call` (read, send, poll) raise a WriteProblem of these values.

        `after=True`: the write is accepted first, and then the answer is lost.
        """
        with self.store() as store:
            store.execute(
                "INSERT INTO faults (call, fault) VALUES (?,?)", [call, json.dumps(fault)]
            )

    def _fault(self, call: str) -> dict[str, Any] | None:
        with self.store() as store:
            row = store.execute(
                "SELECT seq, fault FROM faults WHERE call=? ORDER BY seq LIMIT 1", [call]
            ).fetchone()
            if row is None:
                return None
            store.execute("DELETE FROM faults WHERE seq=?", [row[0]])
        return json.loads(row[1])

    def _raise(self, fault: dict[str, Any] | None) -> None:
        if fault is not None:
            values = {key: value for key, value in fault.items() if key != "after"}
            raise WriteProblem(Problem(values.pop("problem")), **values)

    # --- The kind ------------------------------------------------------------------------
    def label(self) -> str:
        return "Journal entry"

    def risks(self, change: Change) -> Sequence[Risk]:
        return [Risk(code="test", text="a risk of the test kind", anchor="s0")]

    def facts(self, change: Change) -> Sequence[Fact]:
        return [Fact(value=str(len(change.content["targets"])), text="journal targets")]

    def target_url(self, change: Change, position: int) -> str:
        return ""

    def revise_url(self, change: Change) -> str:
        return f"/revise/{change.pk}"

    def moved_targets(self, change: Change) -> Sequence[int]:
        if self.path == Path():  # tests of other parts that only show a change
            return []
        return [
            position
            for position, target in enumerate(change.content["targets"])
            if base_digest(self.live(target["resource_id"])) != target["steps"][0]["base_digest"]
        ]

    def read(self, operation: Operation, step: Step) -> Live:
        self._raise(self._fault("read"))
        resource = self.live(step.resource_id)
        return Live(resource=resource, digest=base_digest(resource))

    def is_desired(self, step: Step, live: Live) -> bool:
        if secret_versions_in_step(step):  # what cannot be read back is never known to be there
            return False
        return live.resource == step.body

    def settled(self, step: Step, live: Live) -> Polled:
        fault = self._fault("settled")
        if fault:
            return Polled(**fault)
        with self.store() as store:
            row = store.execute(
                "SELECT ready_at FROM resources WHERE id=?", [step.resource_id]
            ).fetchone()
        ready = row is None or row[0] <= time.time()
        return Polled(terminal=ready, succeeded=ready)

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        fault = self._fault("send")
        if fault is None or fault.get("after"):
            self.accept(step, client_request_id)
        self._raise(fault)
        return Sent(
            finished=False,
            operation_url=f"journal:{client_request_id}",
            correlation_id=f"correlation-{client_request_id[:8]}",
        )

    def accept(self, step: Step, client_request_id: str) -> None:
        """Take a write, as the far side does."""
        marker = os.environ.get("FLUXGATE_TEST_STOP")
        if marker and not Path(marker).exists():  # paused in the middle of the call, once
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        with self.store() as store:
            store.execute("BEGIN IMMEDIATE")
            store.execute(
                "INSERT INTO journal (resource, method, body, request, url) VALUES (?,?,?,?,?)",
                [
                    step.resource_id,
                    step.method,
                    json.dumps(step.body),
                    client_request_id,
                    f"journal:{client_request_id}",
                ],
            )
            store.execute("DELETE FROM resources WHERE id=?", [step.resource_id])
            if step.body is not None:
                store.execute(
                    "INSERT INTO resources VALUES (?,?,?)",
                    [
                        step.resource_id,
                        json.dumps(readable(step).body),
                        time.time() + self.seconds,
                    ],
                )
            store.execute("COMMIT")

    def poll(self, operation: Operation) -> Polled:
        fault = self._fault("poll")
        if fault and "problem" not in fault:
            return Polled(**fault)
        self._raise(fault)
        with self.store() as store:
            known = store.execute(
                "SELECT 1 FROM journal WHERE url=?", [operation.operation_url]
            ).fetchone()
            row = store.execute(
                "SELECT ready_at FROM resources WHERE id=?", [operation.resource_id]
            ).fetchone()
        if known is None:
            return Polled(terminal=False, gone=True)
        ready = row is None or row[0] <= time.time()
        return Polled(terminal=ready, succeeded=ready)

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        self.heard.append(("accepted", operation.pk))

    def finished(self, operation: Operation, step: Step) -> None:
        self.heard.append(("finished", operation.pk))


def secret_versions_in_step(step: Step) -> bool:
    """Whether the body refers to a secret."""
    return readable(step) != step


JOURNAL = JournalKind()
register(JOURNAL)


def base_digest(resource: dict[str, Any] | None) -> str:
    """As the kind computes it for the live resource."""
    return "" if resource is None else digest_of(resource)


def step(
    resource_id: str = "/r/one",
    body: dict[str, Any] | None = None,
    base: dict[str, Any] | None = None,
    method: str = "PUT",
    **values: Any,
) -> Step:
    """One write of the test kind; by default it creates /r/one."""
    return Step(
        kind="journal",
        verb=values.pop("verb", "create"),
        resource_id=resource_id,
        resource_name=resource_id.rsplit("/", 1)[-1],
        method=method,
        api_version="2025-04-01",
        body={"name": resource_id, "size": 1} if body is None and method != "DELETE" else body,
        base=base,
        base_digest=base_digest(base),
        **values,
    )


def target(environment: Environment | None, *steps: Step, **values: Any) -> Target:
    """One target; by default with one step that creates its resource."""
    steps = steps or (step(),)
    return Target(
        name=values.pop("name", "cluster-1"),
        resource_id=values.pop("resource_id", steps[0].resource_id),
        cluster_id=values.pop("cluster_id", 1),
        configuration_id=values.pop("configuration_id", None),
        environment_id=environment.pk if environment is not None else None,
        steps=steps,
    )


def submit(author: User, *targets: Target, **values: Any) -> Change:
    """A change in review."""
    return change_submit(
        author=author,
        kind="journal",
        verb=values.pop("verb", "create"),
        title=values.pop("title", "Create one"),
        reason=values.pop("reason", "It is needed"),
        targets=targets,
        **values,
    )


def approve(approver: User, change: Change, comment: str = "") -> Change:
    """Approve what the change asks now; returns it as it is then."""
    review_add(
        reviewer=approver, change=change, verdict="approve", comment=comment, digest=change.digest
    )
    change.refresh_from_db()
    return change


def make_change(author: User, environment: Environment, number: int = 1, **values: Any) -> Change:
    """A change in review on a resource of its own."""
    resource_id = f"/r/{uuid.uuid4().hex}"
    return submit(
        author,
        target(environment, step(resource_id), name=f"cluster-{number}"),
        title=f"Change {number}",
        **values,
    )


def make_due(change: Change) -> None:
    """As if the pause of every operation was over and every lease had run out."""
    past = timezone.now() - timedelta(seconds=1)
    change.operations.filter(finished_at=None).update(next_at=past)
    change.operations.exclude(lease_until=None).update(lease_until=past)
