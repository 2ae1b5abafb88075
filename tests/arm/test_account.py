"""Clouds and accounts: addresses, ways to sign in, and no secret on show."""

from __future__ import annotations

import pytest
from azure.core import AzureClouds
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.mgmt.core.tools import get_arm_endpoints

from arm import (
    CHINA,
    CLOUDS,
    PUBLIC,
    US_GOVERNMENT,
    Account,
    ClientCertificate,
    ClientSecret,
    DefaultChain,
    ManagedIdentity,
    SignIn,
    SignInFailed,
    WorkloadIdentity,
    credential_for,
    custom,
)
from tests.arm.certificate import make_certificate
from tests.arm.wire import SUBSCRIPTION, TENANT


def account(sign_in: SignIn, **changes: object) -> Account:
    arguments = {
        "cloud": PUBLIC,
        "tenant_id": TENANT,
        "subscription_ids": (SUBSCRIPTION,),
        "sign_in": sign_in,
        **changes,
    }
    return Account(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS.keys())
def test_the_clouds_agree_with_the_sdk(cloud: object) -> None:
    assert cloud in (PUBLIC, CHINA, US_GOVERNMENT)
    for known in CLOUDS.values():
        endpoints = get_arm_endpoints(AzureClouds[known.sdk_name])
        assert known.arm_endpoint == endpoints["resource_manager"].rstrip("/")
        assert [known.arm_scope] == endpoints["credential_scopes"]
        assert not known.is_custom


def test_the_data_plane_is_by_region() -> None:
    assert CHINA.data_plane_host("chinaeast2") == "chinaeast2.dp.kubernetesconfiguration.azure.cn"


def test_a_custom_cloud_is_brought_to_origins() -> None:
    cloud = custom(arm_endpoint="https://Localhost:8443/", authority="https://localhost:8443")
    assert cloud.is_custom
    assert cloud.arm_endpoint == "https://localhost:8443"
    assert cloud.arm_scope == "https://localhost:8443/.default"
    assert cloud.arm_host == "localhost:8443"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:8443",
        "localhost",
        "https://",
        "https://user:pass@localhost",
        "https://localhost/path",
        "https://localhost?x",
        "https://localhost:port",
        "file:///etc/passwd",
    ],
)
def test_a_custom_cloud_must_be_plain_https(endpoint: str) -> None:
    with pytest.raises(ValueError):
        custom(arm_endpoint=endpoint, authority="https://localhost")
    with pytest.raises(ValueError):
        custom(arm_endpoint="https://localhost", authority=endpoint)


def test_each_way_to_sign_in_has_its_credential(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", f"{tmp_path}/token")
    kinds: dict[SignIn, type] = {
        ClientSecret("app", "s"): ClientSecretCredential,
        ClientCertificate("app", make_certificate()): CertificateCredential,
        WorkloadIdentity("app"): WorkloadIdentityCredential,
        ManagedIdentity(): ManagedIdentityCredential,
        ManagedIdentity("app"): ManagedIdentityCredential,
        DefaultChain(): DefaultAzureCredential,
    }
    for sign_in, kind in kinds.items():
        assert isinstance(credential_for(account(sign_in)), kind)


def test_what_cannot_be_a_credential_is_a_failed_sign_in() -> None:
    broken = ClientCertificate("app", b"canary-not-a-certificate")
    with pytest.raises(SignInFailed) as caught:
        credential_for(account(broken))
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_credential_is_kept_by_account() -> None:
    one, other = account(ClientSecret("app", "a")), account(ClientSecret("app", "b"))
    assert credential_for(one) is credential_for(account(ClientSecret("app", "a")))
    assert credential_for(one) is not credential_for(other)


@pytest.mark.parametrize(
    "sign_in",
    [ClientSecret("app", "canary"), ClientCertificate("app", b"canary", password="canary")],
)
def test_no_secret_in_a_repr(sign_in: SignIn) -> None:
    shown = account(sign_in)
    assert "canary" not in repr(shown)
    assert "canary" not in str(shown)
    assert "canary" not in shown.principal
    assert "canary" in shown.secrets


def test_principals_differ_by_cloud_tenant_and_client() -> None:
    base = account(ManagedIdentity("one"))
    others = [
        account(ManagedIdentity("two")),
        account(ManagedIdentity("one"), cloud=CHINA),
        account(ManagedIdentity("one"), tenant_id=SUBSCRIPTION),
        account(DefaultChain()),
        account(ManagedIdentity()),
    ]
    assert len({it.principal for it in [base, *others]}) == 6


def test_the_extension_api_goes_with_the_flux_api() -> None:
    assert account(DefaultChain()).extension_api_version == "2025-03-01"
    old = account(DefaultChain(), flux_api_version="2023-05-01")
    assert old.extension_api_version == "2023-05-01"
    with pytest.raises(ValueError):
        account(DefaultChain(), flux_api_version="2022-03-01")
