"""The catalogue, what it refuses, and what of a form is a change."""

from __future__ import annotations

import re

import pytest

from clusters.extension_settings import CATALOGUE, difference, refusals, setting_of
from clusters.extension_settings.catalogue import ALL_KINDS
from clusters.extension_settings.versions import (
    is_older,
    is_supported,
    known,
    loses_beta_apis,
    needs_step,
    newest,
    parse,
)
from tests.shared import SHARED

TUTORIAL = next(iter((SHARED / "seed").glob("*.txt")), None)
AKS, ARC, PROVISIONED = "managedClusters", "connectedClusters", "provisionedClusters"
CONTROLLERS = ("source", "kustomize", "helm", "notification", "image-automation", "image-reflector")
SINCE = {
    "useKubeletIdentity": "",
    "source-controller.enabled": "",
    "source-controller.resources.limits.memory": "",
    "kustomize-controller.resources.limits.memory": "1.12.0",
    "kustomize-controller.resources.limits.cpu": "1.12.0",
    "kustomize-controller.concurrent": "1.12.0",
    "kustomize-controller.requeue-dependency": "1.12.0",
    "kustomize-controller.enable-in-memory-build": "1.12.0",
    "kustomize-controller.strict-substitution-mode": "",
    "kustomize-controller.override-manager": "1.24.0",
    "helm-controller.detectDrift": "1.7.5",
    "helm-controller.outOfMemoryWatch.enabled": "1.7.5",
    "helm-controller.outOfMemoryWatch.memoryThreshold": "1.7.5",
    "helm-controller.outOfMemoryWatch.interval": "1.7.5",
    "helm-controller.log-level": "1.8.3",
    "fluxconfig-agent.log-level": "1.9.1",
    "fluxconfig-controller.log-level": "1.9.1",
    "source-controller.ssh-host-key-args": "",
    "image-automation-controller.ssh-host-key-args": "",
    "setKubeServiceHostFqdn": "1.11.1",
    "workloadIdentity.enable": "1.8.0",
    "workloadIdentity.azureClientId": "1.8.0",
    "workloadIdentity.azureTenantId": "1.8.0",
    "multiTenancy.enforce": "1.0.0",
}
FIXED = {
    **{f"{name}-controller.enabled": "true" for name in CONTROLLERS[:4]},
    **{f"{name}-controller.enabled": "false" for name in CONTROLLERS[4:]},
    "helm-controller.outOfMemoryWatch.memoryThreshold": "95",
    "helm-controller.outOfMemoryWatch.interval": "500ms",
    "source-controller.resources.limits.memory": "1Gi",
    "source-controller.resources.requests.memory": "64Mi",
    "source-controller.log-level": "info",
    "multiTenancy.enforce": "true",
}


def refused(key: str, value: str | None, *, version: str = "1.24.1", kind: str = AKS) -> str:
    found = refusals({key: value}, current={}, version=version, cluster_kind=kind)
    return found.get(key, "")


@pytest.mark.parametrize("key", SINCE)
def test_each_setting_has_its_first_version(key: str) -> None:
    setting = setting_of(key)
    assert setting is not None
    assert setting.since == SINCE[key]


@pytest.mark.parametrize("key", FIXED)
def test_defaults_are_those_of_the_documents(key: str) -> None:
    setting = setting_of(key)
    assert setting is not None
    assert setting.default == FIXED[key]


def test_every_controller_has_all_of_its_settings() -> None:
    for name in CONTROLLERS:
        for key in (
            "enabled",
            "log-level",
            *(
                f"resources.{part}.{it}"
                for part in ("limits", "requests")
                for it in ("memory", "cpu")
            ),
        ):
            assert setting_of(f"{name}-controller.{key}") is not None, key


@pytest.mark.skipif(TUTORIAL is None, reason="The tutorial's text is not here.")
def test_the_catalogue_has_every_setting_that_the_tutorial_sets() -> None:
    assert TUTORIAL is not None
    text = TUTORIAL.read_text()
    named = set(re.findall(r"(?<![\w.-])([A-Za-z][\w-]*(?:\.[\w-]+)*)=(?=[<\w\"])", text))
    groups = ("controller", "agent", "workloadIdentity", "useKubelet", "setKube", "multiTenancy")
    keys = {it for it in named if any(word in it for word in groups)}
    assert len(keys) > 20
    assert {key for key in keys if setting_of(key) is None} == set()


def test_defaults_and_keys_make_sense() -> None:
    assert len({setting.key for setting in CATALOGUE}) == len(CATALOGUE)
    for setting in CATALOGUE:
        assert not setting.default or setting.value.problem(setting.default) == ""
        assert setting.since == "" or parse(setting.since)
        assert str(setting.text).endswith(".")
        assert setting.kinds <= ALL_KINDS


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("source-controller.enabled", ["true", "False"], ["yes", "1", ""]),
        ("helm-controller.log-level", ["debug", "INFO"], ["trace"]),
        ("fluxconfig-agent.log-level", ["info", "error"], ["debug"]),
        ("kustomize-controller.concurrent", ["1", "100"], ["0", "101", "6.5", "-1", "٣"]),
        ("kustomize-controller.requeue-dependency", ["50s", "1m30s"], ["50", "0s", "2h", "s"]),
        ("helm-controller.outOfMemoryWatch.interval", ["700ms", "1s"], ["1ms", "2m", "soon"]),
        ("helm-controller.outOfMemoryWatch.memoryThreshold", ["1", "100"], ["0", "101", "70%"]),
        (
            "source-controller.resources.limits.memory",
            ["2Gi", "512Mi", "1.5Gi"],
            ["2GB", "1Ti", "1"],
        ),
        ("source-controller.resources.limits.cpu", ["2000m", "2", "0.5"], ["0m", "65", "2 cores"]),
        (
            "source-controller.ssh-host-key-args",
            ["--ssh-hostkey-algos=rsa-sha2-512,rsa-sha2-256"],
            ["rsa-sha2-512", "--ssh-hostkey-algos=", "--other=1 --ssh-hostkey-algos=a"],
        ),
        ("workloadIdentity.azureTenantId", ["6f1c0d2e-0000-4000-8000-000000000001"], ["tenant"]),
        ("kustomize-controller.override-manager", ["kubectl-edit,lens"], [",", "a, b"]),
    ],
)
def test_values_are_checked(key: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert refused(key, value) == "", value
    for value in bad:
        assert refused(key, value) != "", value


def test_a_setting_newer_than_the_extension_is_refused() -> None:
    key = "kustomize-controller.override-manager"
    assert "1.24.0" in refused(key, "lens", version="1.23.2")
    assert refused(key, "lens", version="1.24.0") == ""
    assert refused(key, "lens", version="") == ""  # still installing: not known


def test_a_setting_of_another_kind_of_cluster_is_refused() -> None:
    assert "AKS" in refused("useKubeletIdentity", "true", kind=ARC)
    assert refused("useKubeletIdentity", "true", kind=AKS) == ""
    assert refused("workloadIdentity.enable", "false", kind=PROVISIONED) != ""


def test_what_was_set_elsewhere_goes_back_to_its_default() -> None:
    given = {"version": "1.5.0", "cluster_kind": ARC}
    current = {"useKubeletIdentity": "true", "kustomize-controller.override-manager": "lens"}
    assert refusals({"useKubeletIdentity": "false"}, current=current, **given) == {}
    assert refusals(dict.fromkeys(current), current=current, **given) == {}
    assert refusals({"useKubeletIdentity": "false"}, current={}, **given) != {}


def test_workload_identity_came_to_arc_later() -> None:
    assert refused("workloadIdentity.enable", "false", kind=AKS, version="1.8.0") == ""
    assert "1.15.1" in refused("workloadIdentity.enable", "false", kind=ARC, version="1.8.0")


def test_settings_that_contradict_each_other_are_refused() -> None:
    limit = "helm-controller.resources.limits.memory"
    request = "helm-controller.resources.requests.memory"
    given = {"version": "1.24.1", "cluster_kind": AKS}
    assert limit in refusals({limit: "32Mi"}, current={}, **given)
    assert limit in refusals({request: "2Gi"}, current={}, **given)
    assert refusals({request: "2Gi"}, current={limit: "4Gi"}, **given) == {}
    client = "workloadIdentity.azureClientId"
    enable = {"workloadIdentity.enable": "true"}
    assert client in refusals(enable, current={}, **given)
    assert refusals(enable, current={client: "6f1c0d2e-0000-4000-8000-000000000001"}, **given) == {}
    # What is wrong already does not stand in the way of something else.
    assert refusals({"of.tomorrow": "1"}, current={limit: "32Mi"}, **given) == {}


def test_unknown_keys_are_kept_as_text() -> None:
    assert refused("of.tomorrow", "anything at all") == ""
    assert refused("not a key", "x") != ""
    assert refused("of.tomorrow", "x" * 5000) != ""


def test_only_what_differs_is_a_change() -> None:
    current = {"source-controller.enabled": "True", "of.tomorrow": "1", "a": "b"}
    typed = {
        "source-controller.enabled": "true",
        "helm-controller.enabled": "",
        "helm-controller.detectDrift": "true",
        "of.tomorrow": "",
    }
    assert difference(current, typed) == {
        "helm-controller.detectDrift": "true",
        "of.tomorrow": None,
    }


def test_an_emptied_setting_goes_back_to_its_default_by_name() -> None:
    assert difference({"multiTenancy.enforce": "false"}, {"multiTenancy.enforce": ""}) == {
        "multiTenancy.enforce": "true"
    }
    assert difference({"multiTenancy.enforce": "true"}, {"multiTenancy.enforce": ""}) == {}
    key = "workloadIdentity.azureTenantId"
    assert difference({key: "x"}, {key: ""}) == {key: None}


# --- Versions -------------------------------------------------------------------------------
def test_the_newest_is_what_anybody_knows() -> None:
    assert newest([]) == known().newest.version
    assert newest(["1.9.9", "", "odd"]) == "1.24.1"
    assert newest(["1.24.1", "1.25.0"]) == "1.25.0"


@pytest.mark.parametrize(
    ("version", "supported"),
    [("1.24.0", True), ("1.22.0", True), ("1.21.9", False), ("0.5.2", False), ("", None)],
)
def test_the_newest_three_are_supported(version: str, supported: bool | None) -> None:
    assert is_supported(version, newest="1.24.1") is supported


def test_versions_compare_by_number() -> None:
    assert is_older("1.9.1", "1.24.0")
    assert not is_older("1.24.0", "1.24.0")
    assert not is_older("", "1.24.0")
    assert not is_older("1.24.0", "")


def test_old_ones_step_through_the_middle() -> None:
    assert needs_step("1.20.4", "1.23.0")
    assert needs_step("1.7.5", "1.24.1")
    assert not needs_step("1.20.4", "1.22.2")
    assert not needs_step("1.21.0", "1.24.1")
    assert not needs_step("", "1.24.1")
    assert loses_beta_apis("1.22.3", "1.23.0")
    assert not loses_beta_apis("1.23.0", "1.24.1")
    assert not loses_beta_apis("1.22.0", "1.22.3")
