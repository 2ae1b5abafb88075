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


@pytest.mark.parametrize("point", ["after_intent", "after_send", "before_finish"])
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


def test_azure_answers_with_a_reset_after_it_took_the_write(azure: AzureHouse) -> None:
    """No worker dies; only the answer is lost."""
    azure.python("-m", "tests.faults.act_azure", "approve", "without-workers")
    azure.sweep()
    azure.wait_until_applied()
    assert Counter(azure.puts()) == {"without-workers": 1}
