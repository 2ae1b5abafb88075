"""What was written elsewhere, read; and what was left out, told."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from configurations.faces import faces_of
from configurations.faces.bring_in import BringInError, bring_in
from configurations.faces.bring_in_flux import seconds
from configurations.faces.flux_objects import flux_url, go_duration
from configurations.faces.manifests import dump_all
from configurations.specification import Specification, normalised
from tests.configurations.faces.strategies import TUTORIAL, place, specifications, texts
from tests.configurations.faces.test_faces import same, without

RESOURCE_ID = (
    place().cluster_id
    + "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/cluster-config"
)


def paths(text: str) -> list[str]:
    (found,) = bring_in(text)
    return [it.path for it in found.ignored]


# --- ARM ------------------------------------------------------------------------------------
def test_a_resource_as_arm_answers_it():
    answer = {
        "id": RESOURCE_ID,
        "name": "cluster-config",
        "properties": {
            **TUTORIAL,
            "complianceState": "Compliant",
            "provisioningState": "Succeeded",
            "statuses": [],
            "repositoryPublicKey": "",
            "configurationProtectedSettings": {},
            "bucket": None,
        },
    }
    (found,) = bring_in(json.dumps(answer))
    assert found.name == "cluster-config"
    assert found.cluster_id == place().cluster_id
    assert found.ignored == ()
    assert found.specification.to_wire() == TUTORIAL
    (listed,) = bring_in(json.dumps({"value": [answer], "nextLink": None}))
    assert listed == found


def test_what_is_unknown_secret_or_of_a_wrong_type_is_told_and_left_out():
    wire: dict[str, Any] = copy.deepcopy(TUTORIAL)
    wire["gitRepository"] |= {"depth": 1, "timeoutInSeconds": "ten", "httpsUser": "me"}
    wire["configurationProtectedSettings"] = {"httpsKey": "S3CRET"}
    wire["kustomizations"]["infra"]["dependsOn"] = [1, "apps"]
    wire["additional"] = {}
    text = json.dumps({"properties": wire})
    (found,) = bring_in(text)
    assert sorted(it.path for it in found.ignored) == [
        "additional",
        "configurationProtectedSettings.httpsKey",
        "gitRepository.depth",
        "gitRepository.timeoutInSeconds",
        "kustomizations.infra.dependsOn[0]",
    ]
    assert "S3CRET" not in repr(found)
    assert found.specification.dependencies["infra"] == ["apps"]
    git = found.specification.git_repository
    assert git is not None
    assert git.https_user == "me"
    assert git.timeout_in_seconds is None


def test_a_template_with_parameters_expressions_and_other_resources():
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "parameters": {
            "branch": {"type": "string", "defaultValue": "main"},
            "url": {"type": "string"},
            "user": {"type": "secureString", "defaultValue": "S3CRET"},
        },
        "variables": {"path": "./apps"},
        "resources": {
            "vault": {"type": "Microsoft.KeyVault/vaults", "name": "v"},
            "flux": {
                "type": "Microsoft.Kubernetes/connectedClusters/providers/fluxConfigurations",
                "name": "flux-demo-arc/Microsoft.KubernetesConfiguration/cluster-config",
                "properties": {
                    "gitRepository": {
                        "url": "[parameters('url')]",
                        "repositoryRef": {"branch": "[parameters('branch')]"},
                        "httpsUser": "[parameters('user')]",
                        "localAuthRef": "[concat('a', 'b')]",
                    },
                    "kustomizations": {
                        "apps": {
                            "path": "[variables('path')]",
                            "postBuild": {"substitute": {"a": "[[x]"}},
                        }
                    },
                },
            },
        },
    }
    (found,) = bring_in(json.dumps(template))
    assert found.name == "cluster-config"
    assert found.specification.to_wire() == {
        "gitRepository": {"repositoryRef": {"branch": "main"}},
        "kustomizations": {"apps": {"path": "./apps", "postBuild": {"substitute": {"a": "[x]"}}}},
    }
    assert [it.path for it in found.ignored] == [
        "resources[vault]",
        "gitRepository.url",
        "gitRepository.httpsUser",
        "gitRepository.localAuthRef",
    ]
    assert "S3CRET" not in repr(found)


def test_what_the_command_line_shows():
    shown = {
        "bucket": None,
        "complianceState": "Compliant",
        "configurationProtectedSettings": {},
        "errorMessage": "",
        "gitRepository": {
            "httpsCaCert": "Y2E=",
            "httpsUser": None,
            "localAuthRef": None,
            "repositoryRef": {"branch": "main", "commit": None, "semver": None, "tag": None},
            "sshKnownHosts": None,
            "syncIntervalInSeconds": 600,
            "timeoutInSeconds": 600,
            "url": TUTORIAL["gitRepository"]["url"],
        },
        "id": RESOURCE_ID,
        "kustomizations": {
            "apps": {
                "dependsOn": [{"kustomizationName": "infra"}],
                "force": False,
                "name": "apps",
                "path": "./apps/staging",
                "prune": True,
                "retryIntervalInSeconds": None,
            },
            "infra": {
                "dependsOn": None,
                "name": "infra",
                "path": "./infrastructure",
                "prune": True,
            },
        },
        "name": "cluster-config",
        "namespace": "cluster-config",
        "resourceGroup": "flux-demo-rg",
        "scope": "cluster",
        "sourceKind": "GitRepository",
        "statuses": [],
        "suspend": False,
        "systemData": {},
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
    }
    (found,) = bring_in(json.dumps([shown]))
    expected = copy.deepcopy(TUTORIAL)
    expected["gitRepository"]["httpsCACert"] = "Y2E="
    same(found.specification.to_wire(), expected)
    assert (found.name, found.cluster_id) == ("cluster-config", place().cluster_id)
    assert found.ignored == ()


# --- Flux -----------------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=150, deadline=None)
def test_flux_objects_are_the_specification(wire):
    found = {it.code: it for it in faces_of(Specification.from_wire(wire), place())}
    (read,) = bring_in(found["flux"].text)
    assert read.name == "cluster-config"
    expected = normalised(without(wire, "scope", "waitForReconciliation",
                                  "reconciliationWaitDuration"))  # fmt: skip
    got = normalised({**read.specification.to_wire(), "scope": "cluster"})
    match wire["sourceKind"]:
        case "GitRepository":
            for field in ("httpsUser", "httpsCACert", "sshKnownHosts"):
                expected["gitRepository"].pop(field, None)  # they are in the Secret
            expected["gitRepository"]["url"] = flux_url(expected["gitRepository"]["url"])
        case "Bucket":
            expected["bucket"].pop("accessKey", None)
            bare = wire["bucket"]["url"].split("://", 1)[-1].rstrip("/")
            scheme = "http" if expected["bucket"]["insecure"] else "https"
            expected["bucket"]["url"] = f"{scheme}://{bare}"
        case "AzureBlob":
            for field in ("managedIdentity", "servicePrincipal"):
                expected["azureBlob"].pop(field, None)
        case _:
            verify = expected["ociRepository"].get("verify", {})
            verify.pop("verificationConfig", None)
            if not verify:
                expected["ociRepository"].pop("verify", None)
    assert got == expected


def test_the_tutorial_as_the_agent_makes_it():
    found = {it.code: it for it in faces_of(Specification.from_wire(TUTORIAL), place())}
    objects = list(yaml.safe_load_all(found["flux"].text))
    assert [(it["kind"], it["metadata"]["name"]) for it in objects] == [
        ("Namespace", "cluster-config"),
        ("GitRepository", "cluster-config"),
        ("Kustomization", "cluster-config-infra"),
        ("Kustomization", "cluster-config-apps"),
    ]
    assert {it["metadata"].get("namespace") for it in objects[1:]} == {"cluster-config"}
    assert objects[3]["spec"] == {
        "interval": "10m0s",
        "timeout": "10m0s",
        "path": "./apps/staging",
        "prune": True,
        "force": False,
        "wait": True,
        "sourceRef": {"kind": "GitRepository", "name": "cluster-config"},
        "dependsOn": [{"name": "cluster-config-infra"}],
    }


FLUX = """
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: web, namespace: team}
spec:
  interval: 1m
  url: ssh://git@github.com/o/r
  ref: {tag: 2024-01-01, name: refs/heads/x}
  secretRef: {name: deploy-key}
  verify: {mode: HEAD}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web-apps, namespace: team}
spec:
  interval: 1h30m
  path: ./apps
  prune: true
  suspend: true
  targetNamespace: other
  sourceRef: {kind: GitRepository, name: web}
  dependsOn: [{name: infra, namespace: elsewhere}]
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: redis, namespace: team}
"""


def test_hand_written_flux_objects():
    (found,) = bring_in(FLUX)
    assert found.name == "web"
    assert found.specification.to_wire() == {
        "namespace": "team",
        "sourceKind": "GitRepository",
        "suspend": False,
        "gitRepository": {
            "syncIntervalInSeconds": 60,
            "localAuthRef": "deploy-key",
            "url": "ssh://git@github.com/o/r",
            "repositoryRef": {"tag": "2024-01-01"},
        },
        "kustomizations": {
            "apps": {
                "syncIntervalInSeconds": 5400,
                "path": "./apps",
                "prune": True,
                "force": False,
                "wait": False,
            }
        },
    }
    assert [it.path for it in found.ignored] == [
        "GitRepository team/web spec.ref",
        "GitRepository team/web spec.verify",
        "Kustomization team/web-apps spec.targetNamespace",
        "Kustomization team/web-apps spec.dependsOn",
        "suspend",
        "HelmRelease team/redis",
    ]
    assert all(it.why for it in found.ignored)


@given(st.dictionaries(texts, texts, min_size=1))
@settings(max_examples=300, deadline=None)
def test_yaml_texts_are_read_as_they_were(values):
    assert yaml.safe_load(dump_all([values])) == values


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "012", "1_0", "0x1", "y", "On", ".5", "1:30", "+1"]
)
def test_texts_that_some_reader_takes_for_something_else_are_quoted(text):
    assert dump_all([{"a": text}]) == f'---\na: "{text}"\n'


@given(st.integers(1, 10_000_000))
@settings(deadline=None)
def test_durations_come_back(number):
    assert seconds(go_duration(number)) == number


# --- az -------------------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=150, deadline=None)
def test_the_command_read_back_is_the_specification(wire):
    found = {it.code: it for it in faces_of(Specification.from_wire(wire), place())}
    (read,) = bring_in(found["az"].text)
    same(read.specification.to_wire(), without(wire, "postBuild", "waitForReconciliation",
                                               "reconciliationWaitDuration"))  # fmt: skip
    assert (read.name, read.cluster_id) == ("cluster-config", place().cluster_id)
    assert all(it.is_secret for it in read.ignored)
    assert "S3CRET" not in repr(read)


TUTORIALS_OWN = r"""az k8s-configuration flux create -g flux-demo-rg \
-c flux-demo-arc \
-n cluster-config \
--namespace cluster-config \
-t connectedClusters \
--scope cluster \
-u https://github.com/Azure/gitops-flux2-kustomize-helm-mt \
--branch main  \
--kustomization name=infra path=./infrastructure prune=true \
--kustomization name=apps path=./apps/staging prune=true dependsOn=\["infra"\]
"""


def test_the_tutorials_own_command_gives_its_configuration_and_its_face_says_the_same():
    (read,) = bring_in(TUTORIALS_OWN)
    assert (read.name, read.ignored) == ("cluster-config", ())
    assert read.cluster_id == (
        "/resourceGroups/flux-demo-rg/providers/Microsoft.Kubernetes/connectedClusters/flux-demo-arc"
    )
    same(read.specification.to_wire(), TUTORIAL)
    face = {it.code: it for it in faces_of(read.specification, place())}["az"]
    (again,) = bring_in(face.text)
    assert again.specification == read.specification


@pytest.mark.parametrize(
    "dependencies",
    ["a,b", "[a,b]", "[a, b]".replace(" ", ""), r'\["a","b"\]', '\'["a", "b"]\''],
)
@pytest.mark.parametrize("key", ["depends_on", "dependsOn", "depends", "dependencies"])
def test_every_way_to_write_dependencies(key, dependencies):
    line = f"az k8s-configuration flux create -u https://x/y -k name=c {key}={dependencies}"
    (read,) = bring_in(line)
    assert read.specification.dependencies["c"] == ["a", "b"]


def test_short_and_long_names_line_breaks_of_powershell_and_what_the_shell_would_fill_in():
    (read,) = bring_in(
        "$ az k8s-configuration flux create --resource-group=rg -nweb `\r\n"
        "  --url https://x/y --sync-interval 90 --timeout 1m30s --suspend `\r\n"
        "  --https-user \"$NAME\" --https-key 'S3CRET' --known-hosts-file ./hosts"
        " --colour red # x\n"
        "az k8s-extension list\n"
    )
    assert read.name == "web"
    git = read.specification.git_repository
    assert git is not None
    assert (git.sync_interval_in_seconds, git.timeout_in_seconds) == (90, 90)
    assert read.specification.suspend is True
    assert {it.path: it.is_secret for it in read.ignored} == {
        "--https-user": False,
        "--https-key": True,
        "--known-hosts-file": False,
        "--colour": False,
        "az k8s-extension list": False,
    }
    assert "S3CRET" not in repr(read)


def test_several_commands_are_several_configurations():
    both = bring_in(TUTORIALS_OWN + "\n" + TUTORIALS_OWN.replace("-n cluster-config", "-n other"))
    assert [it.name for it in both] == ["cluster-config", "other"]


# --- Refused --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "az login", "az k8s-configuration flux create 'open", "az k8s-configuration flux show -n x",
        "resource x 'Microsoft.KubernetesConfiguration/fluxConfigurations@2025-04-01' = {}",
        'resource "azapi_resource" "x" {}', "$ az \\", "az",
        "", "{}", "[]", "[1]", "null", "just words", '{"a": ', '{"properties": 1}', "- a\n- b",
        "a: &x [1]\nb: *x", "a: b: c", "\0", '{"resources": 1}', '{"values": {"root_module": 3}}',
        "[" * 100_000, "[" * 500 + "]" * 500, "{a: " * 5_000,
        "9" * 5_000,
        '{"properties": {"suspend": ' + "9" * 5_000 + "}}", '{"properties": {"timeout": NaN}}',
        '{"terraform_version": "1", "resources": [{"instances": [{"attributes": 1}]}]}',
        "!!python/object/apply:os.system [id]", "x" * 1_000_001,
        '{"resources": [{"type": "Microsoft.KubernetesConfiguration/fluxConfigurations"}]}',
    ],
)  # fmt: skip
def test_what_holds_no_configuration_is_refused_in_words(text):
    with pytest.raises(BringInError) as caught:
        bring_in(text)
    assert str(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["kustomizations", "gitRepository", "dependsOn", "postBuild", "ref", "spec",
                         "substitute", "name", "url", "sourceKind", "bucket", "metadata", "x"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(_json)
@settings(max_examples=200, deadline=None)
def test_any_body_is_read_or_refused_and_never_breaks(value):
    forms: list[Any] = [
        {"properties": value},
        {"sourceKind": "Bucket", "kustomizations": value, "bucket": value},
        {"resources": [{"type": "x/fluxConfigurations", "name": value, "properties": value}]},
        {"terraform_version": "1", "resources": [
            {"type": "azurerm_kubernetes_flux_configuration", "instances": [
                {"attributes": {"kustomizations": value, "git_repository": [value]}}]},
            {"type": "azapi_resource", "instances": [
                {"attributes": {"type": "Microsoft.KubernetesConfiguration/fluxConfigurations@1",
                                "body": value}}]}]},
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": value,
         "spec": value},
    ]  # fmt: skip
    for form in forms:
        for text in (json.dumps(form), yaml.safe_dump(form)):
            try:
                found = bring_in(text)
            except BringInError:
                continue
            for it in found:
                assert Specification.from_wire(it.specification.to_wire()) == it.specification


@pytest.mark.parametrize("depth", [100, 300, 500, 700, 900, 2_000])
@pytest.mark.parametrize("head", ['{"properties": ', '{"resources": ', '{"values": ', "", "x: "])
def test_a_deep_text_is_read_or_refused(depth, head):
    close = "}" if head.startswith("{") else ""
    for step, end in (('{"kustomizations": ', "}"), ('{"child_modules": [', "]}"), ("[", "]")):
        with contextlib.suppress(BringInError):
            bring_in(head + step * depth + "1" + end * depth + close)


def test_what_no_database_keeps_is_left_out():
    wire = {"sourceKind": "Bucket", "bucket": {"url": "\0", "bucketName": "\ud800", "\0": 1}}
    (found,) = bring_in(json.dumps({"name": "a\0", "properties": wire}))
    assert found.name == ""
    assert found.specification.to_wire() == {"sourceKind": "Bucket", "bucket": {}}
    assert [it.path for it in found.ignored] == ["bucket.url", "bucket.bucketName", "bucket"]


# --- Terraform ------------------------------------------------------------------------------
def test_a_state_of_azapi_in_each_of_its_forms():
    attributes = {
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations@2025-04-01",
        "name": "cluster-config",
        "parent_id": place().cluster_id,
    }
    body = {"properties": TUTORIAL}
    for form in (body, json.dumps(body), {"value": body, "type": ["object", {}]}):
        state = {
            "version": 4,
            "terraform_version": "1.9.0",
            "resources": [
                {"mode": "data", "type": "azapi_resource", "name": "d",
                 "instances": [{"attributes": attributes}]},
                {"mode": "managed", "type": "azapi_resource", "name": "x",
                 "instances": [{"attributes": {**attributes, "body": form}}]},
                {"mode": "managed", "type": "azurerm_resource_group", "name": "g",
                 "instances": [{"attributes": {}}]},
            ],
        }  # fmt: skip
        (found,) = bring_in(json.dumps(state))
        assert found.specification.to_wire() == TUTORIAL
        assert (found.name, found.cluster_id) == ("cluster-config", place().cluster_id)
        assert [it.path for it in found.ignored] == ["azurerm_resource_group.g"]


def test_what_terraform_shows_of_azurerm_without_its_secrets():
    shown = {
        "format_version": "1.0",
        "values": {"root_module": {"child_modules": [{"resources": [{
            "address": "module.a.azurerm_kubernetes_flux_configuration.x",
            "mode": "managed",
            "type": "azurerm_kubernetes_flux_configuration",
            "values": {
                "name": "cluster-config", "cluster_id": place("managedClusters").cluster_id,
                "namespace": "cluster-config", "scope": "cluster",
                "continuous_reconciliation_enabled": False, "bucket": [], "blob_storage": [],
                "git_repository": [{
                    "url": "https://example.com/x", "reference_type": "tag",
                    "reference_value": "v1", "https_user": "me", "https_key_base64": "S3CRET",
                    "local_auth_reference": "", "sync_interval_in_seconds": 600}],
                "kustomizations": [{
                    "name": "infra", "path": "./infra", "retry_interval_in_seconds": 600,
                    "sync_interval_in_seconds": 120, "garbage_collection_enabled": True,
                    "depends_on": [], "post_build": [{"substitute": {"a": "b"},
                                                      "substitute_from": []}], "wait": False}],
            },
        }]}]}},
    }  # fmt: skip
    (found,) = bring_in(json.dumps(shown))
    assert [it.path for it in found.ignored] == ["git_repository.https_key_base64"]
    assert "S3CRET" not in repr(found)
    same(
        found.specification.to_wire(),
        {
            "scope": "cluster",
            "namespace": "cluster-config",
            "sourceKind": "GitRepository",
            "suspend": True,
            "gitRepository": {
                "url": "https://example.com/x",
                "repositoryRef": {"tag": "v1"},
                "httpsUser": "me",
            },
            "kustomizations": {
                "infra": {
                    "path": "./infra",
                    "prune": True,
                    "wait": False,
                    "syncIntervalInSeconds": 120,
                    "retryIntervalInSeconds": 600,
                    "postBuild": {"substitute": {"a": "b"}},
                }
            },
        },
    )
