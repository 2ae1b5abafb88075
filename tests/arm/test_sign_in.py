"""Each way to sign in, from the real credential to a request that ARM takes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from arm import (
    ClientCertificate,
    ClientSecret,
    DefaultChain,
    Gateway,
    ManagedIdentity,
    SignIn,
    Throttle,
    WorkloadIdentity,
)
from tests.arm.certificate import make_certificate
from tests.arm.conftest import AccountFactory
from tests.arm.wire import CONFIGURATION, TENANT, Reply, Request, WireServer


@pytest.fixture
def forms(wire: WireServer) -> list[dict[str, str]]:
    """What is posted to the token endpoint."""
    posted: list[dict[str, str]] = []

    def token(request: Request) -> Reply:
        form = parse_qs(request.body.decode())
        posted.append({name: values[0] for name, values in form.items()})
        return wire.issue_token(request)

    wire.token = token
    return posted


def use(make_account: AccountFactory, wire: WireServer, sign_in: SignIn) -> None:
    gateway = Gateway(make_account(sign_in=sign_in), throttle=Throttle())
    gateway.get_configuration(CONFIGURATION)
    (request,) = wire.requests
    assert request.headers["authorization"] == f"Bearer token-{wire.tokens_issued}"


def test_a_client_secret(
    make_account: AccountFactory, wire: WireServer, forms: list[dict[str, str]]
) -> None:
    use(make_account, wire, ClientSecret("by-secret", "value"))
    (form,) = forms
    assert (form["client_id"], form["client_secret"]) == ("by-secret", "value")
    assert form["scope"] == f"{wire.url}/.default"


def test_a_client_certificate(
    make_account: AccountFactory, wire: WireServer, forms: list[dict[str, str]]
) -> None:
    use(make_account, wire, ClientCertificate("by-certificate", make_certificate()))
    (form,) = forms
    assert form["client_id"] == "by-certificate"
    assert form["client_assertion"].startswith("eyJ")


def test_a_workload_identity(
    make_account: AccountFactory, wire: WireServer, forms: list[dict[str, str]], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("projected-service-account-token")
    use(make_account, wire, WorkloadIdentity("by-workload", str(token)))
    (form,) = forms
    assert form["client_id"] == "by-workload"
    assert form["client_assertion"] == "projected-service-account-token"


@pytest.mark.parametrize("client_id", ["", "user-assigned"])
def test_a_managed_identity(
    make_account: AccountFactory,
    wire: WireServer,
    monkeypatch: pytest.MonkeyPatch,
    client_id: str,
) -> None:
    """By the endpoint that App Service and Container Apps put into the environment."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{wire.url}/oauth2/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    asked: list[Request] = []

    def token(request: Request) -> Reply:
        asked.append(request)
        body = {**wire.issue_token(request).body, "expires_on": "4102444800"}
        return Reply(200, body)

    wire.token = token
    use(make_account, wire, ManagedIdentity(client_id))
    assert asked[0].headers["x-identity-header"] == "header"
    assert ("user-assigned" in asked[0].query) == bool(client_id)


def test_the_default_chain(
    make_account: AccountFactory,
    wire: WireServer,
    forms: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", "by-environment")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "value")
    use(make_account, wire, DefaultChain())
    (form,) = forms
    assert form["client_id"] == "by-environment"
