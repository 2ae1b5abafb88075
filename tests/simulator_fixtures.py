"""A simulated Azure for any test: inside this process, or as a process of its own.

Use it with ``from tests.simulator_fixtures import simulator, simulator_process`` in a conftest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential

from simulator.clock import Clock
from simulator.inprocess import InProcessSimulator, create_simulator

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL_URL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"


@dataclass
class Azure:
    """How real Azure clients reach a simulator, over either door."""

    settings: dict[str, Any]
    transport: Callable[[], RequestsTransport]
    session: requests.Session
    _token: str = field(default="", repr=False)

    @property
    def subscription_id(self) -> str:
        return str(self.settings["subscription_ids"][0])

    @property
    def endpoint(self) -> str:
        return str(self.settings["arm_endpoint"])

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/flux-demo-rg"

    @property
    def arc(self) -> str:
        return f"{self.group}/providers/Microsoft.Kubernetes/connectedClusters/flux-demo-arc"

    @property
    def aks(self) -> str:
        return f"{self.group}/providers/Microsoft.ContainerService/managedClusters/flux-demo-aks"

    def credential(self, secret: str | None = None) -> ClientSecretCredential:
        return ClientSecretCredential(
            self.settings["tenant_id"],
            self.settings["client_id"],
            secret or self.settings["client_secret"],
            authority=self.settings["authority"],
            disable_instance_discovery=True,
            transport=self.transport(),
        )

    def client(self, kind: Any, *, with_subscription: bool = True, **options: Any) -> Any:
        """Make an Azure management client of any package."""
        arguments = (self.subscription_id,) if with_subscription else ()
        return kind(
            self.credential(),
            *arguments,
            base_url=self.endpoint,
            credential_scopes=[f"{self.endpoint}/.default"],
            transport=self.transport(),
            **{"polling_interval": 0, "retry_total": 0, **options},
        )

    def token(self) -> str:
        if not self._token:
            self._token = self.credential().get_token(f"{self.endpoint}/.default").token
        return self._token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = "2025-04-01",
        **headers: str,
    ) -> requests.Response:
        """Send a request as it is, for what the clients would never send."""
        url = path if path.startswith("https://") else self.endpoint + path
        if version is not None and "api-version=" not in url:
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        sent = {"Authorization": f"Bearer {self.token()}", **headers}
        return self.session.request(method, url, json=body, headers=sent, timeout=30)


def azure_of(simulator: InProcessSimulator) -> Azure:
    return Azure(
        settings=simulator.settings,
        transport=lambda: RequestsTransport(session=simulator.session(), session_owner=False),
        session=simulator.session(),
    )


@pytest.fixture(scope="session")
def _sample_identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One start whose keys and certificates the others take over: making them is slow."""
    directory = tmp_path_factory.mktemp("simulator-identity")
    create_simulator(directory).close()
    return directory


def _new_data(tmp_path: Path, sample: Path) -> Path:
    directory = tmp_path / "azure"
    directory.mkdir()
    for name in ("identity.json", "ca.pem", "server.pem"):
        (directory / name).write_bytes((sample / name).read_bytes())
    return directory


@pytest.fixture
def simulator(tmp_path: Path, _sample_identity: Path) -> Iterator[InProcessSimulator]:
    """The tutorial's Azure, immediate, on a clock that stands still until it is moved."""
    with create_simulator(_new_data(tmp_path, _sample_identity), clock=Clock.frozen()) as started:
        yield started


@pytest.fixture
def azure(simulator: InProcessSimulator) -> Azure:
    return azure_of(simulator)


@dataclass
class SimulatorProcess:
    """A simulator on its own port. ``control`` calls an operation of the control door."""

    process: subprocess.Popen[bytes]
    data: Path
    azure: Azure

    @property
    def settings(self) -> dict[str, Any]:
        return self.azure.settings

    def control(self, operation: str, **arguments: Any) -> Any:
        url = f"{self.settings['control_endpoint']}/{operation}"
        answer = self.azure.session.post(url, json=arguments, timeout=60)
        answer.raise_for_status()
        return answer.json()["result"]


def start_process(data: Path, *arguments: str) -> SimulatorProcess:
    """Start ``python -m simulator`` on a free port and wait until it answers."""
    ready = data / "simulator.json"
    ready.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--data", str(data), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("The simulator did not start.")
        time.sleep(0.05)
    settings = json.loads(ready.read_text())
    session = requests.Session()
    session.trust_env = False
    session.verify = settings["ca_file"]
    azure = Azure(
        settings=settings,
        transport=lambda: RequestsTransport(connection_verify=settings["ca_file"]),
        session=session,
    )
    return SimulatorProcess(process, data, azure)


def stop_process(started: SimulatorProcess) -> int:
    started.process.terminate()
    return started.process.wait(timeout=20)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A real process over HTTPS with immediate operations, shared by the session."""
    data = tmp_path_factory.mktemp("simulator-process")
    started = start_process(data, "--pace", "0", "--no-throttle")
    yield started
    stop_process(started)


def git_configuration(namespace: str = "cluster-config", **changes: Any) -> dict[str, Any]:
    """The tutorial's configuration as a PUT body."""
    properties = {
        "scope": "cluster",
        "namespace": namespace,
        "sourceKind": "GitRepository",
        "gitRepository": {"url": TUTORIAL_URL, "repositoryRef": {"branch": "main"}},
        "kustomizations": {
            "infra": {"path": "./infrastructure", "prune": True},
            "apps": {"path": "./apps/staging", "prune": True, "dependsOn": ["infra"]},
        },
    }
    return {"properties": {**properties, **changes}}
