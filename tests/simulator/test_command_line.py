"""The Azure command line and kubectl, unmodified, against the simulator.

Set FLUXGATE_AZ to the path of ``az`` where it is not on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulator_fixtures import SimulatorProcess

AZ = os.environ.get("FLUXGATE_AZ") or shutil.which("az")
KUBECTL = shutil.which("kubectl")

Az = Callable[..., Any]


@pytest.fixture
def az(simulator_process: SimulatorProcess, tmp_path: Path) -> Az:
    """Run ``az`` in a configuration of its own, signed in to the simulator's cloud."""
    settings = simulator_process.settings
    environment = {
        **os.environ,
        "AZURE_CONFIG_DIR": str(tmp_path),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "REQUESTS_CA_BUNDLE": settings["ca_file"],
    }

    def run(*words: str) -> Any:
        done = subprocess.run(
            [str(AZ), *words, "--output", "json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    run("cloud", "register", "-n", "sim", "--endpoint-resource-manager", settings["arm_endpoint"])
    run("cloud", "set", "-n", "sim")
    run(
        "login",
        "--service-principal",
        "--username",
        settings["client_id"],
        "--password",
        settings["client_secret"],
        "--tenant",
        settings["tenant_id"],
    )
    return run


@pytest.mark.skipif(AZ is None, reason="az is not installed")
def test_the_azure_command_line(az: Az, simulator_process: SimulatorProcess) -> None:
    endpoint = simulator_process.settings["arm_endpoint"]
    assert [account["name"] for account in az("account", "list")] == ["Fluxgate demo"]
    found = {resource["name"] for resource in az("resource", "list")}
    assert found == {"flux-demo-arc", "flux-demo-aks", "flux-demo-identity"}
    assert [group["name"] for group in az("group", "list")] == ["flux-demo-rg"]
    provider = az("provider", "show", "-n", "Microsoft.KubernetesConfiguration")
    assert provider["registrationState"] == "Registered"
    path = (
        f"{endpoint}{simulator_process.azure.arc}/providers/Microsoft.KubernetesConfiguration"
        "/fluxConfigurations?api-version=2025-04-01"
    )
    listed = az("rest", "--method", "get", "--url", path, "--resource", endpoint)
    assert listed == {"value": []}


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_kubectl(simulator_process: SimulatorProcess) -> None:
    kubeconfig = simulator_process.settings["kubeconfigs"]["flux-demo-aks"]["path"]
    done = subprocess.run(
        [str(KUBECTL), "--kubeconfig", kubeconfig, "get", "namespaces", "-o", "name"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "namespace/kube-system" in done.stdout.splitlines()
