"""Each error of Azure's as the engine and people hear of it."""

from __future__ import annotations

import pytest

from arm.errors import ArmError, SignInFailed, UnsafeUrl, from_response, unanswered
from changes.models import Problem
from clusters.problems import next_step, write_problem

GONE_CLUSTER = (
    "The Resource 'Microsoft.Kubernetes/connectedClusters/edge-01' under resource group 'rg' was "
    "not found."
)
GONE_CHILD = (
    "The Resource 'Microsoft.KubernetesConfiguration/fluxConfigurations/apps' under resource group "
    "'rg' was not found."
)


def envelope(status: int, code: str, message: str = "Said so.", **headers: str) -> ArmError:
    import json

    body = json.dumps({"error": {"code": code, "message": message}})
    return from_response(status, headers, body, writing=True)


@pytest.mark.parametrize(
    ("error", "problem", "retry", "counts", "unknown"),
    [
        (SignInFailed("ConnectionBroken", "x"), Problem.WRONG_CONNECTION, True, True, False),
        (SignInFailed("SignInFailed", "AADSTS90002: no tenant"), "wrong_connection", True, True, 0),
        (SignInFailed("SignInFailed", "AADSTS700016: no app"), "wrong_connection", True, True, 0),
        (SignInFailed("SignInFailed", "AADSTS7000222: expired"), "sign_in_lost", True, True, 0),
        (envelope(401, "InvalidAuthenticationToken"), "sign_in_lost", True, True, False),
        (envelope(401, "InvalidAuthenticationTokenTenant"), "wrong_connection", True, True, False),
        (unanswered("Unreachable", "x", writing=False), "unreachable", True, True, False),
        (unanswered("ResponseLost", "x", writing=True), "unreachable", True, True, True),
        (envelope(503, "ServerBusy"), "unreachable", True, True, True),
        (envelope(429, "TooManyRequests"), "throttled", True, False, False),
        (envelope(409, "OperationInProgress"), "busy", True, False, False),
        (envelope(409, "MissingSubscriptionRegistration"), "provider_not_registered", 0, True, 0),
        (envelope(403, "AuthorizationFailed"), "forbidden", False, True, False),
        (envelope(404, "ResourceGroupNotFound"), "cluster_gone", False, True, False),
        (envelope(404, "ParentResourceNotFound"), "cluster_gone", False, True, False),
        (envelope(404, "SubscriptionNotFound"), "cluster_gone", False, True, False),
        (envelope(404, "ResourceNotFound", GONE_CLUSTER), "cluster_gone", False, True, False),
        (envelope(404, "ResourceNotFound", GONE_CHILD), "refused", False, True, False),
        (envelope(400, "BadRequest"), "refused", False, True, False),
        (envelope(409, "Conflict"), "refused", False, True, False),
        (UnsafeUrl(url="https://evil/", endpoint="https://arm"), "wrong_connection", 0, True, 0),
    ],
)
def test_every_error_has_its_name(
    error: ArmError, problem: str, retry: bool, counts: bool, unknown: bool
) -> None:
    found = write_problem(error)
    assert found.problem == problem
    assert (found.retry, found.counts, found.outcome_unknown) == (
        bool(retry),
        counts,
        bool(unknown),
    )
    assert (found.code, found.message) == (error.code, error.message)


def test_azures_own_facts_go_along() -> None:
    error = envelope(
        429, "TooManyRequests", **{"Retry-After": "17", "x-ms-correlation-request-id": "abc"}
    )
    found = write_problem(error)
    assert (found.retry_after, found.correlation_id) == (17, "abc")


@pytest.mark.parametrize(
    "problem",
    ["wrong_connection", "sign_in_lost", "unreachable", "throttled", "forbidden"],
)
def test_a_problem_of_a_connection_has_a_next_step(problem: str) -> None:
    assert next_step(problem).endswith(".")


def test_no_problem_has_none() -> None:
    assert next_step("") == ""
