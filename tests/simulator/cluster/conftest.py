"""A cluster with a hand-moved clock over real Git repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.cluster import ClusterSimulation
from simulator.cluster.objects import ObjectKey
from simulator.sources import SourceMap

URL = "https://git.example.com/team/fleet"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def move(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


class Repository:
    """A real Git repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
        done = subprocess.run(
            ["git", *identity, "-C", str(self.path), *words],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        """Write files (None removes one), commit, and return the commit's id."""
        for name, text in files.items():
            path = self.path / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")


class Sources(SourceMap):
    """A source map that a test can change."""

    @property
    def paths(self) -> Sources:
        return self

    def __setitem__(self, url: str, path: Path) -> None:
        self.add(url, path)


class Bench:
    """One cluster with what a test needs to move it and look at it."""

    def __init__(self, simulation: ClusterSimulation, clock: HandClock, sources: Sources) -> None:
        self.simulation = simulation
        self.clock = clock
        self.sources = sources

    def put(self, kustomizations: dict[str, Any], name: str = "config", **properties: Any) -> None:
        git = {"url": URL, "repositoryRef": {"branch": "main"}} | properties.pop("git", {})
        self.simulation.put_configuration(
            name=name,
            properties={
                "scope": "cluster",
                "namespace": "team",
                "sourceKind": "GitRepository",
                "gitRepository": git,
                "kustomizations": kustomizations,
            }
            | properties,
        )

    def settle(self, steps: int = 40) -> None:
        """Advance until nothing is due at this moment, or nothing will come of it."""
        for _ in range(steps):
            self.simulation.advance()
            due = self.simulation.next_due()
            if due is None or due > self.clock.now():
                return

    def later(self, **amount: float) -> None:
        self.clock.move(**amount)
        self.settle()

    def compliance(self, name: str = "config") -> str:
        return self.simulation.report(name).compliance_state

    def ready(self, name: str, config: str = "config") -> tuple[str, str, str]:
        """Return status, reason and message of the Ready condition of a reported object."""
        for status in self.simulation.report(config).statuses:
            if status["name"] == name and status["statusConditions"]:
                first = status["statusConditions"][0]
                assert first["type"] == "Ready"
                return first["status"], first["reason"], first["message"]
        return "", "", ""

    def object(self, kind: str, name: str, namespace: str = "team", group: str = "") -> Any:
        return self.simulation.state.store.get(ObjectKey(group, kind, namespace, name))


def config_map(name: str = "settings", namespace: str = "team", **data: str) -> str:
    """Return the manifest of a ConfigMap."""
    lines = [f"  {field}: {value!r}" for field, value in (data or {"colour": "blue"}).items()]
    return "\n".join(
        [
            "apiVersion: v1",
            "kind: ConfigMap",
            f"metadata: {{name: {name}, namespace: {namespace}}}",
            "data:",
            *lines,
            "",
        ]
    )


def deployment(name: str = "web", image: str = "nginx:1.27", app: str = "web") -> str:
    """Return the manifest of a Deployment."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: team}}
spec:
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec:
      containers: [{{name: {name}, image: "{image}"}}]
"""


MakeBench = Callable[..., Bench]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sources() -> Sources:
    return Sources()


@pytest.fixture
def repository(tmp_path: Path, sources: Sources) -> Repository:
    made = Repository(tmp_path / "repository")
    sources.paths[URL] = made.path
    return made


@pytest.fixture
def make_bench(tmp_path: Path, clock: HandClock, sources: Sources) -> MakeBench:
    def make(
        *, pace: float = 0, name: str = "one", settings: dict[str, str] | None = None
    ) -> Bench:
        simulation = ClusterSimulation(
            arm_id=f"/subscriptions/s/{name}",
            name=name,
            kind="connectedClusters",
            region="eastus",
            workspace=tmp_path / "workspace",
            sources=sources,
            clock=clock,
            pace=pace,
        )
        simulation.install_extension(name="flux", version="1.24.1", settings=settings or {})
        return Bench(simulation, clock, sources)

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()
