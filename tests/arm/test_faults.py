"""Everything that can go wrong on the way to ARM, provoked for real, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from arm import (
    ArmError,
    ClientSecret,
    Conflict,
    Forbidden,
    Gateway,
    NotFound,
    OperationInProgress,
    Permanent,
    Priority,
    ProviderNotRegistered,
    Retryable,
    SignInFailed,
    Throttle,
    Throttled,
    custom,
)
from arm.errors import Detail, retry_after_seconds
from tests.arm.conftest import SHORT, AccountFactory
from tests.arm.wire import AKS, CONFIGURATION, EXTENSION, Reply, WireServer, arm_error

Call = Callable[[Gateway], object]

READS: dict[str, Call] = {
    "get": lambda it: it.get_configuration(CONFIGURATION),
    "list": lambda it: it.list_extensions(AKS),
    "graph": lambda it: list(it.query_graph("resources", subscriptions=["s"])),
    "flux v1": lambda it: it.list_flux_v1(AKS),
    "operation": lambda it: it.get_operation(f"{it.account.cloud.arm_endpoint}/operation"),
}
WRITES: dict[str, Call] = {
    "put": lambda it: it.put_configuration(CONFIGURATION, {}, client_request_id="r"),
    "patch": lambda it: it.patch_extension(EXTENSION, {}, client_request_id="r"),
    "delete": lambda it: it.delete_configuration(CONFIGURATION, client_request_id="r"),
}
CALLS = {**READS, **WRITES}

every_call = pytest.mark.parametrize("name", CALLS)


def failure(gateway: Gateway, name: str) -> ArmError:
    with pytest.raises(ArmError) as caught:
        CALLS[name](gateway)
    return caught.value


ANSWERS = [
    (400, "ValidationFailed", Permanent),
    (401, "InvalidAuthenticationToken", SignInFailed),
    (403, "AuthorizationFailed", Forbidden),
    (403, "RequestDisallowedByPolicy", Forbidden),
    (404, "ResourceNotFound", NotFound),
    (404, "SubscriptionNotFound", NotFound),
    (405, "MethodNotAllowed", Permanent),
    (408, "RequestTimeout", Retryable),
    (409, "OperationInProgress", OperationInProgress),
    (409, "AnotherOperationInProgress", OperationInProgress),
    (409, "ClusterNotReady", Conflict),
    (409, "MissingSubscriptionRegistration", ProviderNotRegistered),
    (412, "PreconditionFailed", Permanent),
    (429, "TooManyRequests", Throttled),
    (500, "InternalServerError", Retryable),
    (502, "BadGateway", Retryable),
    (503, "ServiceUnavailable", Retryable),
    (504, "GatewayTimeout", Retryable),
]


@every_call
@pytest.mark.parametrize(("status", "code", "kind"), ANSWERS)
def test_an_answer_becomes_its_error_with_arms_own_words(
    plain_gateway: Gateway,
    wire: WireServer,
    name: str,
    status: int,
    code: str,
    kind: type[ArmError],
) -> None:
    wire.answer(arm_error(status, code, "What ARM says.", target="field"))
    error = failure(plain_gateway, name)
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, code, "What ARM says.")
    assert (error.request_id, error.correlation_id) == ("req-1", "cor-1")
    assert error.target == "field"
    if isinstance(error, Retryable):
        server_fault = status == 408 or status >= 500
        assert error.outcome_unknown == (name in WRITES and server_fault)


@every_call
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": null}'])
def test_an_error_without_an_envelope(
    plain_gateway: Gateway, wire: WireServer, name: str, body: bytes
) -> None:
    wire.answer(Reply(502, body))
    error = failure(plain_gateway, name)
    assert type(error) is Retryable
    assert (error.status, error.code) == (502, "Http502")


def test_details_come_along(plain_gateway: Gateway, wire: WireServer) -> None:
    details = [{"code": "Inner", "message": "deeper", "target": "url"}, {"odd": 1}]
    wire.answer(arm_error(400, "BadRequest", "outer", details=details))
    error = failure(plain_gateway, "put")
    assert error.details == (Detail("Inner", "deeper", "url"), Detail("", ""))


def test_a_refusal_names_the_action_and_the_scope(plain_gateway: Gateway, wire: WireServer) -> None:
    action = "Microsoft.KubernetesConfiguration/fluxConfigurations/write"
    message = (
        "The client 'app' with object id 'oid' does not have authorization to perform action "
        f"'{action}' over scope '{CONFIGURATION}' or the scope is invalid."
    )
    wire.answer(arm_error(403, "AuthorizationFailed", message))
    error = failure(plain_gateway, "put")
    assert isinstance(error, Forbidden)
    assert (error.action, error.scope) == (action, CONFIGURATION)


def test_a_missing_registration_names_the_provider(
    plain_gateway: Gateway, wire: WireServer
) -> None:
    message = (
        "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    wire.answer(arm_error(409, "MissingSubscriptionRegistration", message))
    error = failure(plain_gateway, "put")
    assert isinstance(error, ProviderNotRegistered)
    assert error.namespace == "Microsoft.KubernetesConfiguration"


# Too many requests


@every_call
def test_after_a_429_nothing_is_sent_until_retry_after(
    make_account: AccountFactory, wire: WireServer, name: str
) -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    gateway = Gateway(make_account(), throttle=throttle, priority=Priority.APPLY, patience=0)
    limited = arm_error(429, "TooManyRequests", "Slow down.", headers={"Retry-After": "17"})
    wire.answer(limited)
    error = failure(gateway, name)
    assert isinstance(error, Throttled)
    assert error.retry_after == 17
    assert len(wire.requests) == 1

    now[0] = 16.9
    held = failure(gateway, name)
    assert isinstance(held, Throttled)
    assert held.status is None
    assert not held.outcome_unknown
    assert len(wire.requests) == 1

    now[0] = 20
    assert failure(gateway, name).status == 429
    assert len(wire.requests) == 2


def test_other_kinds_of_call_go_on_after_a_429(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(
        arm_error(429, "TooManyRequests", "Slow down.", headers={"Retry-After": "60"}),
        Reply(200, {}),
    )
    assert isinstance(failure(plain_gateway, "put"), Throttled)
    plain_gateway.get_configuration(CONFIGURATION)
    plain_gateway.delete_configuration(CONFIGURATION, client_request_id="r")


def test_retry_after_may_be_a_date(plain_gateway: Gateway, wire: WireServer) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    headers = {"Retry-After": format_datetime(moment, usegmt=True)}
    wire.answer(arm_error(429, "TooManyRequests", "Slow down.", headers=headers))
    error = failure(plain_gateway, "get")
    assert error.retry_after is not None
    assert 30 < error.retry_after <= 91


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=10) == seconds


def test_what_arm_says_is_left_is_heeded(make_account: AccountFactory, wire: WireServer) -> None:
    throttle = Throttle(clock=lambda: 0.0)
    gateway = Gateway(make_account(), throttle=throttle, priority=Priority.POLL, patience=0)
    left = {"x-ms-ratelimit-remaining-subscription-reads": "100"}
    wire.answer(Reply(200, {}, left))
    gateway.get_configuration(CONFIGURATION)
    assert isinstance(failure(gateway, "get"), Throttled)  # 60 of 150 are kept for people
    gateway.put_configuration(CONFIGURATION, {}, client_request_id="r")


def test_the_quota_of_resource_graph_is_heeded(
    make_account: AccountFactory, wire: WireServer
) -> None:
    throttle = Throttle(clock=lambda: 0.0)
    gateway = Gateway(make_account(), throttle=throttle, priority=Priority.POLL, patience=0)
    wire.answer(Reply(200, {"data": []}, {"x-ms-user-quota-remaining": "2"}))
    CALLS["graph"](gateway)
    assert isinstance(failure(gateway, "graph"), Throttled)
    assert len(wire.requests) == 1


# Connections that break


@every_call
def test_a_connection_reset_before_any_answer(
    gateway: Gateway, wire: WireServer, name: str
) -> None:
    wire.answer(Reply(fault="reset"))
    error = failure(gateway, name)
    assert type(error) is Retryable
    assert error.outcome_unknown == (name in WRITES)
    assert error.status is None
    assert len(wire.requests) == 1, "nothing is sent again behind the caller's back"


@every_call
def test_an_answer_that_breaks_off(gateway: Gateway, wire: WireServer, name: str) -> None:
    wire.answer(Reply(200, {"id": CONFIGURATION}, fault="truncate"))
    error = failure(gateway, name)
    assert type(error) is Retryable
    assert error.outcome_unknown == (name in WRITES)


@every_call
def test_an_answer_that_is_no_json(gateway: Gateway, wire: WireServer, name: str) -> None:
    wire.answer(Reply(200, b"<html>A proxy's page</html>"))
    error = failure(gateway, name)
    assert type(error) is Retryable
    assert error.outcome_unknown == (name in WRITES)


@pytest.mark.parametrize("name", ["get", "put", "operation"])
def test_no_answer_in_time(make_account: AccountFactory, wire: WireServer, name: str) -> None:
    gateway = Gateway(make_account(), throttle=Throttle(), timeouts=SHORT)
    gateway.get_configuration(CONFIGURATION)
    wire.requests.clear()
    wire.answer(Reply(fault="hang"))
    error = failure(gateway, name)
    assert type(error) is Retryable
    assert error.outcome_unknown == (name in WRITES)
    assert len(wire.requests) == 1


@every_call
def test_no_server_at_all_leaves_no_doubt(
    make_account: AccountFactory, wire: WireServer, name: str
) -> None:
    cloud = custom(arm_endpoint="https://127.0.0.1:1", authority=wire.url)
    gateway = Gateway(make_account(cloud=cloud), throttle=Throttle(), priority=Priority.APPLY)
    error = failure(gateway, name)
    assert type(error) is Retryable
    assert error.code == "Unreachable"
    assert not error.outcome_unknown


def test_a_certificate_that_is_not_trusted(make_account: AccountFactory, wire: WireServer) -> None:
    gateway = Gateway(make_account(), throttle=Throttle())
    gateway.get_configuration(CONFIGURATION)
    distrustful = Gateway(make_account(ca_file=""), throttle=Throttle())
    error = failure(distrustful, "put")
    assert "certificate" in error.message
    assert isinstance(error, Retryable)
    assert not error.outcome_unknown
    assert len(wire.requests) == 1


# Signing in


def test_signing_in_beforehand_leaves_nothing_to_do_later(
    stranger: Gateway, wire: WireServer
) -> None:
    before = wire.tokens_issued
    assert stranger.sign_in() == wire.url
    stranger.put_configuration(CONFIGURATION, {}, client_request_id="r")
    assert wire.tokens_issued == before + 1
    wire.token = lambda request: Reply(400, {"error": "invalid_client"})
    stranger.sign_in()
    assert len(wire.requests) == 1


@every_call
def test_a_refused_token_is_replaced_once(gateway: Gateway, wire: WireServer, name: str) -> None:
    gateway.get_configuration(CONFIGURATION)
    wire.requests.clear()
    expired = arm_error(401, "ExpiredAuthenticationToken", "The token has expired.")
    wire.answer(expired, Reply(200, {"value": [], "data": [], "status": "Succeeded"}))
    CALLS[name](gateway)
    first, second = (request.headers["authorization"] for request in wire.requests)
    assert first != second


def test_a_second_refusal_is_a_failed_sign_in(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(arm_error(401, "InvalidAuthenticationToken", "The audience is wrong."))
    error = failure(gateway, "put")
    assert isinstance(error, SignInFailed)
    assert error.code == "InvalidAuthenticationToken"
    assert len(wire.requests) == 2


def test_entra_refuses_the_client_in_its_own_words(stranger: Gateway, wire: WireServer) -> None:
    text = "AADSTS7000215: Invalid client secret provided."
    wire.token = lambda request: Reply(
        401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]}
    )
    error = failure(stranger, "put")
    assert type(error) is SignInFailed
    assert "AADSTS7000215" in error.message
    assert wire.requests == []


def test_entra_out_of_reach_is_worth_another_try(make_account: AccountFactory) -> None:
    account = make_account(
        sign_in=ClientSecret("unreachable", "secret"),
        cloud=custom(arm_endpoint="https://localhost:2", authority="https://localhost:1"),
    )
    gateway = Gateway(account, throttle=Throttle())
    error = failure(gateway, "put")
    assert type(error) is Retryable
    assert not error.outcome_unknown
