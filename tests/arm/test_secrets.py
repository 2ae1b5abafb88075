"""Secrets stay secret: not in errors, their reprs, what they were raised from, nor in logs."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator

import pytest

from arm import ArmError, Gateway, SignInFailed, Throttle, scrub, secret_values
from tests.arm.conftest import CLIENT_SECRET, SHORT
from tests.arm.wire import AKS, CONFIGURATION, EXTENSION, Reply, Request, WireServer, arm_error

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanaryAAAAline1\ncanaryBBBBline2\n-----END-----\n"
CANARIES = {
    "ssh": base64.b64encode(KEY.encode()).decode(),
    "https": base64.b64encode(b'canary "quoted" / pass').decode(),
    "account": "canary+account/key==",
    "sas": "sv=2026&sig=canary%2Bsig",
    "given": "canary-given-by-the-caller",
}
BODY = {
    "properties": {
        "sourceKind": "AzureBlob",
        "azureBlob": {
            "accountKey": CANARIES["account"],
            "sasToken": CANARIES["sas"],
            "servicePrincipal": {"clientSecret": "canary-sp", "clientCertificate": "canary-cert"},
        },
        "gitRepository": {"url": f"https://user:{CANARIES['given']}@example.com/repo"},
        "ociRepository": {"tlsConfig": {"privateKey": "canary-tls"}},
        "configurationProtectedSettings": {
            "sshPrivateKey": CANARIES["ssh"],
            "httpsKey": CANARIES["https"],
        },
    }
}

WRITES: dict[str, Callable[[Gateway], object]] = {
    "put": lambda it: it.put_configuration(
        CONFIGURATION, BODY, client_request_id="r", secrets=[CANARIES["given"]]
    ),
    "patch": lambda it: it.patch_configuration(
        CONFIGURATION, BODY, client_request_id="r", secrets=[CANARIES["given"]]
    ),
    "put extension": lambda it: it.put_extension(
        EXTENSION, BODY, client_request_id="r", secrets=[CANARIES["given"]]
    ),
    "patch extension": lambda it: it.patch_extension(
        EXTENSION, BODY, client_request_id="r", secrets=[CANARIES["given"]]
    ),
}


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        yield from chain(error.__cause__)
        error = error.__context__


def shown(error: ArmError) -> str:
    """Every text that a log, a page or a report could make of an error."""
    texts = [repr(error.details), error.message, error.target, error.code]
    for link in chain(error):
        texts += [str(link), repr(link), repr(vars(link))]
        texts += traceback.format_exception(link)
    return "\n".join(texts)


def echo(request: Request) -> Reply:
    """An unkind service, which repeats what it was sent in every form it can."""
    body = request.body.decode()
    decoded = "\n".join(base64.b64decode(CANARIES[name]).decode() for name in ("ssh", "https"))
    text = f"Cannot apply {body} ({json.dumps(body)}): {decoded} {' '.join(CANARIES.values())}"
    details = [{"code": "Inner", "message": text, "target": CANARIES["given"]}]
    return arm_error(400, "BadRequest", text, target=text, details=details)


FAULTS: dict[str, Callable[[Request], Reply]] = {
    "echo": echo,
    "server error": lambda request: Reply(500, request.body),
    "conflict": lambda request: Reply(409, {"error": {"code": request.body.decode()}}),
    "reset": lambda request: Reply(fault="reset"),
    "truncated": lambda request: Reply(201, request.body, fault="truncate"),
    "not json": lambda request: Reply(200, b"!" + request.body),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", WRITES)
def test_no_secret_of_a_body_in_an_error_or_a_log(
    plain_gateway: Gateway,
    wire: WireServer,
    everything_logged: pytest.LogCaptureFixture,
    name: str,
    fault: str,
) -> None:
    wire.arm = FAULTS[fault]
    with pytest.raises(ArmError) as caught:
        WRITES[name](plain_gateway)
    assert b"canary" in wire.requests[-1].body, "the canary was really sent"
    text = shown(caught.value) + everything_logged.text
    assert "canary" not in text
    for canary in CANARIES.values():
        assert canary not in text
    assert list(chain(caught.value)) == [caught.value]


def test_no_secret_in_the_error_of_a_silence(
    plain_gateway: Gateway, wire: WireServer, everything_logged: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(plain_gateway.account, throttle=Throttle(), timeouts=SHORT)
    wire.answer(Reply(fault="hang"))
    with pytest.raises(ArmError) as caught:
        WRITES["put"](gateway)
    assert "canary" not in shown(caught.value) + everything_logged.text


def test_no_secret_in_the_end_of_an_operation(plain_gateway: Gateway, wire: WireServer) -> None:
    secret = CANARIES["given"]
    error = {"code": f"Bad {secret}", "message": f"cannot log in with {secret}"}
    wire.answer(Reply(200, {"status": "Failed", "error": error}))
    state = plain_gateway.get_operation(f"{wire.url}/operation", secrets=[secret])
    assert (state.error_code, state.error_message) == ("Bad ***", "cannot log in with ***")


def test_no_secret_in_the_logs_of_a_success(
    stranger: Gateway, wire: WireServer, everything_logged: pytest.LogCaptureFixture
) -> None:
    wire.answer(Reply(201, {"id": CONFIGURATION}))
    WRITES["put"](stranger)
    assert everything_logged.records, "something is logged at all"
    assert "canary" not in everything_logged.text
    assert "token-" not in everything_logged.text


def test_the_client_secret_stays_secret(
    stranger: Gateway, wire: WireServer, everything_logged: pytest.LogCaptureFixture
) -> None:
    seen: list[bytes] = []

    def refuse(request: Request) -> Reply:
        seen.append(request.body)
        return Reply(
            401,
            {
                "error": "invalid_client",
                "error_description": f"AADSTS7000215: {request.body.decode()} is wrong.",
            },
        )

    wire.token = refuse
    with pytest.raises(SignInFailed) as caught:
        stranger.get_configuration(CONFIGURATION)
    assert CLIENT_SECRET.encode() in seen[0], "the secret was really sent"
    assert "AADSTS7000215" in caught.value.message
    checks = stranger.test_connection()
    assert CLIENT_SECRET not in shown(caught.value) + everything_logged.text + repr(checks)


def test_a_token_that_is_echoed_is_taken_out(stranger: Gateway, wire: WireServer) -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcm0ifQ.c2lnbmF0dXJl"
    wire.token = lambda request: Reply(
        200, {"access_token": jwt, "token_type": "Bearer", "expires_in": 3600}
    )
    wire.arm = lambda request: arm_error(
        400, "BadRequest", f"header {request.headers['authorization']}"
    )
    with pytest.raises(ArmError) as caught:
        stranger.list_configurations(AKS)
    assert caught.value.message == "header Bearer ***"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("clone https://bob:pw@example.com/x failed", "clone https://***@example.com/x failed"),
        ("clone ssh://git@example.com/x failed", "clone ssh://***@example.com/x failed"),
        ("https://blob/x?sv=1&sig=abc%3D&se=2", "https://blob/x?sv=1&sig=***&se=2"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer ***"),
        ("nothing to hide at user@example.com", "nothing to hide at user@example.com"),
        ("see https://aka.ms/x and a@b", "see https://aka.ms/x and a@b"),
    ],
)
def test_what_looks_secret_is_taken_out(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_private_keys_are_taken_out() -> None:
    text = f"bad key: {KEY.replace('-----END-----', '-----END OPENSSH PRIVATE KEY-----')} end"
    assert scrub(text) == "bad key: ***\n end"


@pytest.mark.parametrize(
    "echoed",
    [
        'pass "word"/one',
        'pass \\"word\\"/one',
        "pass%20%22word%22%2Fone",
        "pass+%22word%22%2Fone",
        "cGFzcyAid29yZCIvb25l",
    ],
)
def test_a_secret_is_known_in_every_form(echoed: str) -> None:
    secret = 'pass "word"/one'
    assert scrub(f"got <{echoed}> here", [secret]) == "got <***> here"
    encoded = base64.b64encode(secret.encode()).decode()
    if "%" not in echoed:
        assert scrub(f"got <{echoed}> here", [encoded]) == "got <***> here"


def test_one_line_of_a_secret_is_hidden_too() -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    for secret in (KEY, encoded):
        assert scrub("line 2: canaryAAAAline1", [secret]) == "line 2: ***"


def test_an_empty_secret_hides_nothing() -> None:
    assert scrub("a text", ["", "text"]) == "a ***"


def test_secret_values_are_found_by_their_names() -> None:
    found = set(secret_values(BODY))
    assert found == {
        CANARIES["ssh"],
        CANARIES["https"],
        CANARIES["account"],
        CANARIES["sas"],
        "canary-sp",
        "canary-cert",
        "canary-tls",
    }
