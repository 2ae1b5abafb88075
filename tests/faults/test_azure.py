"""The same deaths with the real kinds, the real Azure packages and the simulator's journal."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changes.crash_points import CRASH_POINTS
from tests.faults.conftest import House

NAME = "survivor"


class AzureHouse(House):
    """A house whose far side is the simulator."""

    def open(self) -> None:
        """Start the simulator, connect to it, read its fleet once."""
        data = self.folder / "simulator"
        data.mkdir()
        options = ["--port", "0", "--data", str(data), "--seed", "tutorial", "--pace", "0.1"]
        self.start(sys.executable, "-m", "simulator", *options)
        file = data / "simulator.json"
        self.wait_for(file.exists, "the simulator")
        self.azure: dict[str, Any] = json.loads(file.read_text())
        self.environment |= {
            "FLUXGATE_AZURE_CLOUD": "custom",
            "FLUXGATE_AZURE_ARM_ENDPOINT": self.azure["arm_endpoint"],
            "FLUXGATE_AZURE_AUTHORITY": self.azure["authority"],
            "FLUXGATE_AZURE_CA_PATH": self.azure["ca_file"],
            "FLUXGATE_AZURE_TENANT_ID": self.azure["tenant_id"],
            "FLUXGATE_AZURE_SIGN_IN": "secret",
            "FLUXGATE_AZURE_CLIENT_ID": self.azure["client_id"],
            "FLUXGATE_AZURE_CLIENT_SECRET": self.azure["client_secret"],
            "FLUXGATE_AZURE_SUBSCRIPTIONS": ",".join(self.azure["subscription_ids"]),
        }
        self.wait_for(self.answers, "the simulator answers")
        self.python("manage.py", "migrate", "-v", "0")
        self.python("-m", "tests.faults.act_azure", "prepare")

    def control(self, name: str, **arguments: Any) -> Any:
        """The simulator's control door."""
        address = f"{self.azure['arm_endpoint'].rstrip('/')}/_control/{name}"
        body = json.dumps(arguments).encode() if arguments else None
        request = urllib.request.Request(address, data=body)
        trust = ssl.create_default_context(cafile=self.azure["ca_file"])
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
            return json.loads(answer.read())["result"]

    def answers(self) -> bool:
        try:
            self.control("time")
        except OSError:
            return False
        return True

    def puts(self) -> list[str]:
        """The names of the configurations that were written, in order."""
        return [
            entry["path"].rsplit("/", 1)[-1]
            for entry in self.control("journal")
            if entry["method"] == "PUT" and "fluxconfigurations" in entry["path"].lower()
        ]


@pytest.fixture
def azure(short_path: Path) -> Iterator[AzureHouse]:
    house = AzureHouse(short_path, f"sqlite:///{short_path}/house.sqlite3")
    try:
        house.open()
        yield house
    finally:
        house.close()


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_worker_killed_while_it_writes_to_azure(azure: AzureHouse, point: str) -> None:
    azure.redis()
    doomed = azure.worker(FLUXGATE_CRASH_POINT=point)
    azure.python("-m", "tests.faults.act_azure", "approve", NAME)
    azure.wait_for(lambda: doomed.poll() is not None, f"the worker dies at {point}")
    assert doomed.returncode == -signal.SIGKILL
    azure.time_passes()
    azure.worker()
    azure.sweep()
    azure.wait_until_applied()
    assert Counter(azure.puts())[NAME] == 1
    assert "events hold" in azure.python("manage.py", "verify_audit")


BAD_DAYS: dict[str, dict[str, Any]] = {
    "reset-before": {"kind": "reset_before"},
    "reset-after": {"kind": "reset_after"},
    "unavailable": {"kind": "status", "status": 503},
    "throttled": {"kind": "status", "status": 429, "retry_after": "2"},
    "token-expired": {"kind": "expired_token"},
}


def test_azure_on_a_bad_day(azure: AzureHouse) -> None:
    """No worker, no broker, and a first answer that is none: each is written once all the same."""
    azure.sweep()
    for name, fault in BAD_DAYS.items():
        azure.control("add_fault", method="PUT", path=f"fluxconfigurations/{name}", **fault)
        azure.python("-m", "tests.faults.act_azure", "approve", name)
        azure.wait_until_applied()
        assert azure.control("faults") == [], f"{name} was met"
    assert Counter(azure.puts()) == dict.fromkeys(BAD_DAYS, 1)


def test_somebody_else_made_it_after_the_approval(azure: AzureHouse) -> None:
    """The engine does not write over what nobody has reviewed."""
    azure.python("-m", "tests.faults.act_azure", "approve", NAME)
    ((address,),) = azure.sql(
        "SELECT resource_id FROM changes_operation WHERE kind = 'flux_configuration'"
    )
    azure.sql("DELETE FROM changes_operation WHERE kind <> 'flux_configuration'")
    theirs = {
        "scope": "cluster",
        "namespace": "theirs",
        "sourceKind": "GitRepository",
        "gitRepository": {"url": "https://example.org/x", "repositoryRef": {"branch": "main"}},
        "kustomizations": {"other": {"path": "./other"}},
    }
    status, _body = azure.control(
        "edit", resource_id=address, method="PUT", body={"properties": theirs}
    )
    assert status in {200, 201}
    azure.sweep()
    azure.wait_for(lambda: azure.states() == ["failed"], "the change is stopped")
    assert azure.sql("SELECT problem FROM changes_operation") == [("base_moved",)]
    assert azure.control("resource", resource_id=address)["properties"]["namespace"] == "theirs"
