"""The two Terraform faces, read by an HCL parser."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configurations.faces import faces_of
from configurations.faces.bring_in_terraform import from_terraform_state
from configurations.faces.hcl import text
from configurations.specification import Specification
from tests.configurations.faces.readers import Reference, hcl_value
from tests.configurations.faces.strategies import TUTORIAL, place, specifications, texts
from tests.configurations.faces.test_faces import WAITS, same, without

hcl2 = pytest.importorskip("hcl2")

# What the provider's documentation lists, block by block; Arc lacks the last ones.
KUSTOMIZATION = {
    "name", "path", "timeout_in_seconds", "sync_interval_in_seconds", "retry_interval_in_seconds",
    "recreating_enabled", "garbage_collection_enabled", "depends_on",
}  # fmt: skip
ARGUMENTS = {
    "": {"name", "cluster_id", "namespace", "scope", "continuous_reconciliation_enabled",
         "git_repository", "bucket", "blob_storage", "kustomizations"},
    "git_repository": {
        "url", "reference_type", "reference_value", "https_ca_cert_base64", "https_user",
        "https_key_base64", "local_auth_reference", "ssh_private_key_base64",
        "ssh_known_hosts_base64", "sync_interval_in_seconds", "timeout_in_seconds"},
    "bucket": {
        "bucket_name", "url", "access_key", "secret_key_base64", "tls_enabled",
        "local_auth_reference", "sync_interval_in_seconds", "timeout_in_seconds"},
    "blob_storage": {
        "container_id", "account_key", "local_auth_reference", "sas_token", "service_principal",
        "sync_interval_in_seconds", "timeout_in_seconds"},
    "service_principal": {
        "client_id", "tenant_id", "client_secret", "client_certificate_base64",
        "client_certificate_password", "client_certificate_send_chain"},
    "managed_identity": {"client_id"},
    "post_build": {"substitute", "substitute_from"},
    "substitute_from": {"kind", "name", "optional"},
}  # fmt: skip
ONLY_AKS = {"blob_storage": {"managed_identity"}, "kustomizations": {"wait", "post_build"}}
DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"scope": "namespace", "continuous_reconciliation_enabled": True},
    "kustomizations": {
        "timeout_in_seconds": 600, "sync_interval_in_seconds": 600,
        "retry_interval_in_seconds": 600, "recreating_enabled": False,
        "garbage_collection_enabled": False, "wait": True, "depends_on": [], "post_build": []},
    "git_repository": {"timeout_in_seconds": 600, "sync_interval_in_seconds": 600},
    "bucket": {"tls_enabled": True, "timeout_in_seconds": 600, "sync_interval_in_seconds": 600},
    "blob_storage": {"timeout_in_seconds": 600, "sync_interval_in_seconds": 600},
}  # fmt: skip
AZURERM_KINDS = ("GitRepository", "Bucket", "AzureBlob")


def read(wire: dict[str, Any], code: str, kind: str) -> dict[str, Any]:
    found = {it.code: it for it in faces_of(Specification.from_wire(wire), place(kind))}
    return hcl_value(hcl2.loads(found[code].text))


def resource_of(file: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (entry,) = file["resource"]
    ((kind, named),) = entry.items()
    assert list(named) == ["cluster_config"]
    return kind, named["cluster_config"]


@given(texts)
@settings(max_examples=300, deadline=None)
def test_a_text_is_read_as_it_was(plain):
    assert hcl_value(hcl2.loads(f"x = {text(plain)}\n"))["x"] == plain


@given(specifications())
@settings(max_examples=40, deadline=None)
def test_azapi_is_the_specification(wire):
    file = read(wire, "azapi", "connectedClusters")
    kind, resource = resource_of(file)
    assert kind == "azapi_resource"
    assert resource["parent_id"] == place().cluster_id
    assert resource["type"].endswith("/fluxConfigurations@2025-04-01")
    same(resource["body"]["properties"], wire)
    assert all(
        variable["sensitive"] is True
        for entry in file.get("variable", [])
        for variable in entry.values()
    )


@pytest.mark.parametrize("cluster", ["managedClusters", "connectedClusters"])
@given(wire=specifications(AZURERM_KINDS))
@settings(max_examples=40, deadline=None)
def test_azurerm_is_the_specification(cluster, wire):
    kind, resource = resource_of(read(wire, "azurerm", cluster))
    is_aks = cluster == "managedClusters"
    assert kind == f"azurerm_{'' if is_aks else 'arc_'}kubernetes_flux_configuration"
    _allowed("", resource, is_aks)
    state = {
        "terraform_version": "1.9.0",
        "resources": [
            {"mode": "managed", "type": kind, "name": "x",
             "instances": [{"attributes": _with_defaults(resource)}]}
        ],
    }  # fmt: skip
    (brought,) = from_terraform_state(state)
    lost = WAITS if is_aks else (*WAITS, "wait", "postBuild")
    expected = without(wire, *lost)
    if "gitRepository" in expected:
        expected["gitRepository"].pop("provider", None)
    if "azureBlob" in expected:
        if not is_aks:
            expected["azureBlob"].pop("managedIdentity", None)
        # azurerm keeps the container's id, which has one slash between the two.
        expected["azureBlob"]["url"] = expected["azureBlob"]["url"].rstrip("/")
        if "/" in expected["azureBlob"]["containerName"]:
            return
    for entry in expected["kustomizations"].values():
        retry = entry.get("retryIntervalInSeconds")
        if retry == entry.get("syncIntervalInSeconds", 600):
            del entry["retryIntervalInSeconds"]  # ARM's own default
    got = brought.specification.to_wire()
    if "bucket" in expected and "insecure" not in expected["bucket"]:
        expected["bucket"]["insecure"] = True
    same(got, expected)


def _allowed(block: str, part: dict[str, Any], is_aks: bool) -> None:
    known = KUSTOMIZATION if block == "kustomizations" else ARGUMENTS[block]
    known = known | (ONLY_AKS.get(block, set()) if is_aks else set())
    assert set(part) <= known, block
    for name, value in part.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for it in value:
                _allowed(name, it, is_aks)


def _with_defaults(resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes as the provider keeps them: its defaults filled in."""
    result = {**DEFAULTS[""], **resource}
    for block, defaults in DEFAULTS.items():
        if block in result:
            result[block] = [{**defaults, **it} for it in result[block]]
    return result


@pytest.mark.parametrize(
    ("wire", "cluster", "note"),
    [
        ({"sourceKind": "OCIRepository"}, "managedClusters", "source"),
        (TUTORIAL, "provisionedClusters", "cluster"),
    ],
)
def test_azurerm_says_where_it_has_nothing(wire, cluster, note):
    found = {it.code: it for it in faces_of(Specification.from_wire(wire), place(cluster))}
    assert found["azurerm"].text == ""
    assert note in found["azurerm"].notes[0]


def test_azurerm_tells_of_names_that_it_refuses():
    wire = copy.deepcopy(TUTORIAL)
    wire["kustomizations"]["a.b"] = {}
    found = {it.code: it for it in faces_of(Specification.from_wire(wire), place())}
    assert any("30" in note for note in found["azurerm"].notes)


def test_secrets_are_sensitive_variables():
    wire = {**TUTORIAL, "configurationProtectedSettings": {"httpsKey": "S3CRET"}}
    file = read(wire, "azurerm", "connectedClusters")
    ((name, variable),) = file["variable"][0].items()
    assert (name, variable["sensitive"]) == ("https_key", True)
    (git,) = resource_of(file)[1]["git_repository"]
    assert git["https_key_base64"] == Reference("${var.https_key}")


@given(st.text(st.characters(blacklist_categories=["Cs"])))
@settings(max_examples=100, deadline=None)
def test_any_name_gives_a_word_of_the_language(name):
    where = place(name=name)
    assert where.identifier.isascii()
    assert where.identifier.isidentifier()
    assert where.file_stem.strip("./")
    assert "/" not in where.file_stem
