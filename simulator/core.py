"""The simulation as a whole: state, time and the parts that work on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from simulator.agents import Agents
from simulator.arm.errors import bad_request
from simulator.arm.extensions import Extensions
from simulator.arm.fluxconfigurations import FluxConfigurations
from simulator.arm.operations import Operations
from simulator.arm.permissions import Permissions
from simulator.arm.providers import Providers
from simulator.arm.router import ArmRouter
from simulator.arm.versions import CLUSTER_TYPES
from simulator.clock import Clock
from simulator.faults import Faults
from simulator.graph.tables import GraphTables
from simulator.http import Answer, Document, Request
from simulator.identity.tokens import Tokens
from simulator.journal import Journal
from simulator.settings import load_identity
from simulator.sources import SourceMap
from simulator.store import Resource, Store
from simulator.throttle import Throttle

Render = Callable[[Resource, Request], Document]

# What is not settled about Azure, or depends on the occasion, and can be changed while it runs.
DEFAULT_OPTIONS: dict[str, Any] = {
    "extension_on_create": "install",
    "page_size": 100,
    "graph_lag_seconds": 0.0,
    "graph_row_limit": 1000,
    "credential_write_seconds": 0.0,
}


class Simulator:
    """Holds the parts together. Every change of state happens under ``lock``."""

    def __init__(
        self,
        data_directory: Path,
        *,
        clock: Clock | None = None,
        pace: float = 1.0,
        throttle: bool = True,
        sources: SourceMap | None = None,
        ca_file: Path | None = None,
    ) -> None:
        data_directory.mkdir(parents=True, exist_ok=True)
        self.data_directory = data_directory
        self.ca_file = ca_file
        self.clock = clock or Clock()
        self.pace = pace
        self.lock = threading.RLock()
        self.is_closed = False
        self.identity = load_identity(data_directory)
        self.store = Store(data_directory / "state.sqlite3")
        self.sources = sources or SourceMap()
        self.options = {**DEFAULT_OPTIONS, **self.store.records("options").get("all", {})}
        self.tokens = Tokens(self.identity, self.clock)
        self.journal = Journal(self.store, self.clock)
        self.faults = Faults()
        self.throttle = Throttle(self.clock, enabled=throttle)
        self.tables = GraphTables(self)
        self.agents = Agents(self)
        self.operations = Operations(self.store, self.clock)
        self.permissions = Permissions(self)
        self.providers = Providers(self)
        self.extensions = Extensions(self)
        self.configurations = FluxConfigurations(self)
        self.router = ArmRouter(self)

    # -- requests

    def handle(self, request: Request, *, out_of_band: bool = False) -> Answer:
        """Answer an ARM request, after completing what is due."""
        with self.lock, self.store.transaction():
            self.operations.settle()
            return self.router.handle(request, out_of_band=out_of_band)

    def page(
        self,
        request: Request,
        resources: list[Resource],
        render: Render,
        *,
        size: int | None = None,
    ) -> Answer:
        """Answer a page of a collection, with the address of the next one."""
        size = size or int(self.options["page_size"])
        query = {name.lower(): value for name, value in request.query.items()}
        try:
            start = int(query.get("$skiptoken", "0"))
            size = min(size, int(query["$top"])) if "$top" in query else size
        except ValueError as error:
            raise bad_request(
                "InvalidQueryParameter", "$skiptoken or $top is not valid."
            ) from error
        shown = [render(resource, request) for resource in resources[start : start + size]]
        body: Document = {"value": shown}
        if start + size < len(resources):
            kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"}
            following = urlencode({**kept, "$skiptoken": start + size})
            body["nextLink"] = f"{request.base_url}{request.path}?{following}"
        return Answer(200, body)

    # -- time

    def delay(self, *, seconds: float) -> timedelta:
        return timedelta(seconds=seconds * self.pace)

    @property
    def retry_after(self) -> int:
        """Seconds for ``Retry-After``. Never 0, which clients take for absent."""
        return max(1, round(2 * self.pace))

    def step(self) -> bool:
        """Do everything that is due now; tell whether anything happened."""
        moved = self.settle()
        return self.agents.step() or moved

    def settle(self) -> bool:
        """Complete the operations that are due, without the agents."""
        with self.lock, self.store.transaction():
            self.tables.settle()
            return self.operations.settle()

    def next_due(self) -> datetime | None:
        """Return when something happens next by itself."""
        times = (
            self.operations.next_due(),
            self.providers.next_due(),
            self.agents.next_due(),
        )
        return min((moment for moment in times if moment is not None), default=None)

    def run_until_idle(
        self,
        *,
        quiet: timedelta = timedelta(seconds=60),
        limit: timedelta = timedelta(minutes=30),
    ) -> None:
        """Move the clock from event to event until nothing changes for ``quiet``.

        Agents go on for ever by their intervals, so a simulation counts as idle once no operation
        is under way and the last ``quiet`` of simulated time brought nothing new.
        """
        start = last_change = self.clock.now()
        while self.clock.now() - start < limit:
            if self.step():
                last_change = self.clock.now()
            due = self.next_due()
            if due is None or due > last_change + quiet:
                return
            wait = due - self.clock.now()
            self.clock.advance(max(wait, timedelta(milliseconds=1)))

    # -- administration

    def clusters_with_door(self) -> list[Resource]:
        """Return the clusters that have a Kubernetes API of their own."""
        return [c for c in self.store.of_type(*CLUSTER_TYPES) if not self.agents.is_synthetic(c)]

    def set_options(self, changes: Mapping[str, Any]) -> None:
        unknown = set(changes) - set(DEFAULT_OPTIONS)
        if unknown:
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        self.options.update(changes)
        self.store.record("options", "all", self.options)

    def remove_tree(self, key: str) -> None:
        """Remove a resource and all below it, and stop the agents of clusters among them."""
        for resource in [*self.store.below(key), self.store.get(key)]:
            if resource is None:
                continue
            self.operations.abandon(resource.key)
            self.store.remove(resource.key)
            self.agents.forget(resource.key)

    def close(self) -> None:
        """Keep the state of the agents and close the files."""
        with self.lock:
            self.agents.save()
            self.is_closed = True
            self.store.close()
