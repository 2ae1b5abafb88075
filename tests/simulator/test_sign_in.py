"""Sign-in: people by authorization code, applications by secret or certificate."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.identity.tokens import challenge_of
from simulator.inprocess import InProcessSimulator
from tests.simulator_fixtures import Azure

REDIRECT = "http://localhost:8000/oidc/callback/"


@pytest.fixture
def configuration(azure: Azure) -> dict[str, Any]:
    found: dict[str, Any] = azure.session.get(azure.settings["oidc_configuration"]).json()
    return found


def authorize(azure: Azure, configuration: dict[str, Any], **changes: str) -> Any:
    parameters = {
        "client_id": azure.settings["sign_in_client_id"],
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "s1",
        "nonce": "n1",
        **changes,
    }
    return azure.session.get(
        configuration["authorization_endpoint"], params=parameters, allow_redirects=False
    )


def exchange(azure: Azure, configuration: dict[str, Any], code: str, **changes: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": azure.settings["sign_in_client_id"],
        "client_secret": azure.settings["sign_in_client_secret"],
        "redirect_uri": REDIRECT,
        "code": code,
        **changes,
    }
    return azure.session.post(configuration["token_endpoint"], data=form)


def code_for(azure: Azure, configuration: dict[str, Any], **changes: str) -> str:
    answer = authorize(azure, configuration, login_hint="ada@fluxgate.example", **changes)
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["s1"]
    return query["code"][0]


def test_the_page_lists_the_people(azure: Azure, configuration: dict[str, Any]) -> None:
    page = authorize(azure, configuration)
    assert page.status_code == 200
    names = re.findall(r'name="person" value="([^"]+)"', page.text)
    assert names == [person["user_name"] for person in azure.settings["people"]]
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    chosen = azure.session.post(page.url, data={**form, "person": names[0]}, allow_redirects=False)
    assert chosen.headers["Location"].startswith(REDIRECT + "?code=")


def test_a_person_gets_tokens_that_verify(azure: Azure, configuration: dict[str, Any]) -> None:
    tokens = exchange(azure, configuration, code_for(azure, configuration)).json()
    keys = jwt.PyJWKSet.from_dict(azure.session.get(configuration["jwks_uri"]).json())
    header = jwt.get_unverified_header(tokens["id_token"])
    claims = jwt.decode(
        tokens["id_token"],
        keys[header["kid"]].key,
        algorithms=["RS256"],
        audience=azure.settings["sign_in_client_id"],
        issuer=configuration["issuer"],
        options={"verify_iat": False},
        leeway=60,
    )
    assert (claims["nonce"], claims["name"]) == ("n1", "Ada Lovelace")
    assert claims["tid"] == azure.settings["tenant_id"]
    who = azure.session.get(
        configuration["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    ).json()
    assert (who["sub"], who["email"]) == (claims["sub"], "ada@fluxgate.example")
    again = azure.session.post(
        configuration["token_endpoint"],
        data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
    )
    assert again.json()["access_token"]


def test_a_code_works_once_and_with_its_verifier(
    azure: Azure, configuration: dict[str, Any]
) -> None:
    verifier = secrets.token_urlsafe(32)
    challenge = challenge_of(verifier)
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    refused = exchange(
        azure, configuration, code_for(azure, configuration, **asked), code_verifier="wrong"
    )
    assert refused.json()["error"] == "invalid_grant"
    code = code_for(azure, configuration, **asked)
    assert exchange(azure, configuration, code, code_verifier=verifier).status_code == 200
    assert exchange(azure, configuration, code, code_verifier=verifier).status_code == 400


def test_a_code_expires(
    simulator: InProcessSimulator, azure: Azure, configuration: dict[str, Any]
) -> None:
    code = code_for(azure, configuration)
    simulator.control.advance(301)
    assert exchange(azure, configuration, code).status_code == 400


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "https://evil.example/"}, {"client_id": "unknown"}]
)
def test_nobody_else_is_sent_a_code(
    azure: Azure, configuration: dict[str, Any], changes: dict[str, str]
) -> None:
    assert authorize(azure, configuration, **changes).status_code == 400


def _certificate(common_name: str) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def test_an_application_signs_in_by_certificate(azure: Azure) -> None:
    def credential(common_name: str) -> CertificateCredential:
        return CertificateCredential(
            azure.settings["tenant_id"],
            azure.settings["client_id"],
            certificate_data=_certificate(common_name),
            send_certificate_chain=True,
            authority=azure.settings["authority"],
            disable_instance_discovery=True,
            transport=azure.transport(),
        )

    scope = f"{azure.endpoint}/.default"
    token = credential(azure.settings["client_id"]).get_token(scope).token
    answer = azure.session.get(
        f"{azure.endpoint}/subscriptions?api-version=2022-12-01",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    with pytest.raises(ClientAuthenticationError):
        credential("somebody-else").get_token(scope)


def test_the_older_endpoints(azure: Azure) -> None:
    tenant = azure.settings["tenant_id"]
    found = azure.session.get(f"{azure.endpoint}/{tenant}/.well-known/openid-configuration").json()
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.settings["client_id"],
        "client_secret": azure.settings["client_secret"],
        "resource": azure.endpoint,
    }
    token = azure.session.post(found["token_endpoint"], data=form).json()
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (claims["aud"], token["resource"]) == (azure.endpoint, azure.endpoint)
    unknown = azure.session.get(f"{azure.endpoint}/nowhere/v2.0/.well-known/openid-configuration")
    assert unknown.status_code == 400
