"""Clusters that differ from a healthy one, and the secrets that the service keeps for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.cluster.traits import TRAITS
from simulator.inprocess import InProcessSimulator
from tests.simulator_fixtures import ROOT, Azure, git_configuration

PROVIDERS = "/providers/Microsoft.KubernetesConfiguration"
EXTENSION = f"{PROVIDERS}/extensions/flux"
DEMO = f"{PROVIDERS}/fluxConfigurations/demo"
INSTALL = {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}}


def install(azure: Azure, cluster: str, **properties: Any) -> None:
    body = {"properties": INSTALL["properties"] | properties}
    answer = azure.call("PUT", cluster + EXTENSION, body, version="2025-03-01")
    assert answer.status_code in (200, 201), answer.text


def extension(azure: Azure, cluster: str) -> dict[str, Any]:
    answer = azure.call("GET", cluster + EXTENSION, version="2025-03-01").json()
    found: dict[str, Any] = answer["properties"]
    return found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pod_identity", "no azure identity found for request clientID"),
        ("gatekeeper_limits", "container <fluent-bit> has no resource limits"),
        ("policy_blocks_flux", "namespace flux-system is not allowed"),
        ("aks_automatic", "aks-managed-protect-system-namespaces"),
        ("dataplane_blocked", ".dp.kubernetesconfiguration.azure.com"),
        ("openshift_scc", "unable to validate against any security context constraint"),
    ],
)
def test_the_extension_fails_and_comes_up_when_it_is_mended(
    simulator: InProcessSimulator, azure: Azure, name: str, told: str
) -> None:
    simulator.control.set_cluster(azure.aks, **{name: True})
    install(azure, azure.aks)
    simulator.run_until_idle()
    found = extension(azure, azure.aks)
    assert found["provisioningState"] == "Failed"
    assert found["errorInfo"]["code"] == "ExtensionCreationFailed"
    assert told in found["errorInfo"]["message"]
    simulator.control.set_cluster(azure.aks, **{name: False})
    install(azure, azure.aks)
    simulator.run_until_idle()
    assert extension(azure, azure.aks)["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("version", "region", "state"),
    [
        ("1.15.1", "eastus", "Failed"),
        ("1.15.2", "eastus", "Succeeded"),
        ("1.16.2", "westeurope", "Failed"),
        ("1.16.2", "eastus", "Succeeded"),
        ("1.16.3", "westeurope", "Succeeded"),
    ],
)
def test_releases_that_cannot_be_rendered(
    simulator: InProcessSimulator, azure: Azure, version: str, region: str, state: str
) -> None:
    cluster = simulator.control.resource(azure.arc)
    simulator.control.put_resource(cluster | {"location": region})
    install(azure, azure.arc, autoUpgradeMinorVersion=False, version=version)
    simulator.run_until_idle()
    assert extension(azure, azure.arc)["provisioningState"] == state


def test_a_property_is_checked(simulator: InProcessSimulator, azure: Azure) -> None:
    with pytest.raises(ValueError, match="there are pod_identity: AAD pod identity"):
        simulator.control.set_cluster(azure.arc, magic=True)
    with pytest.raises(ValueError, match="source_memory_mi takes int"):
        simulator.control.set_cluster(azure.arc, source_memory_mi="512")
    assert simulator.control.set_cluster(azure.arc, source_memory_mi=512) == {
        "source_memory_mi": 512
    }
    assert all(trait.help for trait in TRAITS.values())


def test_an_expired_agent(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.expire_agent(azure.arc)
    shown = azure.call("GET", azure.arc, version="2026-05-01").json()["properties"]
    assert shown["connectivityStatus"] == "Expired"


def test_memory_that_does_not_suffice(simulator: InProcessSimulator, azure: Azure) -> None:
    setting = "source-controller.resources.limits.memory"
    install(azure, azure.arc, configurationSettings={setting: "256Mi"})
    simulator.control.set_cluster(azure.arc, source_memory_mi=600)
    azure.call("PUT", azure.arc + DEMO, git_configuration())
    simulator.run_until_idle()
    statuses = azure.call("GET", azure.arc + DEMO).json()["properties"]["statuses"]
    told = {item["statusConditions"][0]["message"] for item in statuses if item["statusConditions"]}
    assert "Source artifact not found, retrying in 30s" in told
    install(azure, azure.arc, configurationSettings={setting: "2Gi"})
    simulator.run_until_idle()
    simulator.control.advance(700)
    simulator.run_until_idle()
    found = azure.call("GET", azure.arc + DEMO).json()["properties"]
    assert found["complianceState"] == "Compliant"


# --- Secrets ------------------------------------------------------------------------------------
def test_secrets_that_no_agent_fetched_are_forgotten_after_48_hours(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.set_agent_online(azure.arc, False)
    body = git_configuration()
    body["properties"]["configurationProtectedSettings"] = {"httpsKey": "Y2FuYXJ5"}
    azure.call("PUT", azure.arc + DEMO, body)
    simulator.run_until_idle()
    kept = simulator.core.store.get(azure.arc + DEMO)
    assert kept is not None
    assert kept.secrets
    simulator.control.advance(48 * 3600 + 60)
    simulator.run_until_idle()
    kept = simulator.core.store.get(azure.arc + DEMO)
    assert kept is not None
    assert kept.properties["provisioningState"] == "Failed"
    assert kept.secrets == {}


def test_a_deploy_key_by_the_control_door(simulator: InProcessSimulator, azure: Azure) -> None:
    url = "ssh://git@git.example.com/team/fleet"
    sample = simulator.core.sources.resolve(
        "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"
    )
    simulator.control.map_source(url, sample)
    simulator.control.expect(url, "ssh")
    body = git_configuration()
    body["properties"]["gitRepository"]["url"] = url
    azure.call("PUT", azure.arc + DEMO, body)
    simulator.run_until_idle()
    found = azure.call("GET", azure.arc + DEMO).json()["properties"]
    assert found["complianceState"] == "Non-Compliant"
    simulator.control.add_deploy_key(url, found["repositoryPublicKey"])
    simulator.control.advance(1000)
    simulator.run_until_idle()
    found = azure.call("GET", azure.arc + DEMO).json()["properties"]
    assert found["complianceState"] == "Compliant"


# --- The options --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--repo", "nonsense"],
            "--repo takes URL=PATH, not 'nonsense'. Also",
        ),
        (["--repo-auth", "https://x.example=key:s3cret"], "service-principal: CLIENT_ID:TENANT_ID"),
    ],
)
def test_a_wrong_option_is_explained(tmp_path: Path, words: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "--data", str(tmp_path), *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
    assert "s3cret" not in done.stderr
