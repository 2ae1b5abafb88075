"""Azure's errors as named problems of a write, and of a connection."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

import arm
from changes.errors import WriteProblem
from changes.models import Problem

# ARM names the parent that is missing: the group, the cluster or the subscription.
_PARENT_GONE = {"parentresourcenotfound", "resourcegroupnotfound", "subscriptionnotfound"}
_CLUSTER = re.compile(
    r"(managedclusters|connectedclusters|provisionedclusters)/[^/']+'", re.IGNORECASE
)
_WRONG_CONNECTION = {"connectionbroken", "invalidauthenticationtokentenant", "tenantnotfound"}
# Entra ID's own codes for a tenant or a client that does not exist (AADSTS…).
_WRONG_SIGN_IN = re.compile(r"AADSTS(90002|900023|700016|50034|90013)\b")


def write_problem(error: arm.ArmError) -> WriteProblem:
    """What the engine has to know of an error of Azure's: its name, and whether to try again."""
    problem = problem_of(error)
    retryable = isinstance(error, arm.Retryable | arm.OperationInProgress | arm.SignInFailed)
    return WriteProblem(
        problem,
        code=error.code,
        message=error.message,
        retry=retryable,
        outcome_unknown=isinstance(error, arm.Retryable) and error.outcome_unknown,
        counts=not isinstance(error, arm.Throttled | arm.OperationInProgress),
        retry_after=error.retry_after,
        correlation_id=error.correlation_id,
    )


def problem_of(error: arm.ArmError) -> Problem:
    """The named state that an error of Azure's means."""
    code = error.code.lower()
    match error:
        case arm.Throttled():
            return Problem.THROTTLED
        case arm.Retryable():
            return Problem.UNREACHABLE
        case arm.SignInFailed() if code in _WRONG_CONNECTION:
            return Problem.WRONG_CONNECTION
        case arm.SignInFailed() if _WRONG_SIGN_IN.search(error.message):
            return Problem.WRONG_CONNECTION
        case arm.SignInFailed():
            return Problem.SIGN_IN_LOST
        case arm.OperationInProgress():
            return Problem.BUSY
        case arm.ProviderNotRegistered():
            return Problem.PROVIDER_NOT_REGISTERED
        case arm.Forbidden():
            return Problem.FORBIDDEN
        case arm.UnsafeUrl():
            return Problem.WRONG_CONNECTION
        case arm.NotFound() if code in _PARENT_GONE or _CLUSTER.search(error.message):
            return Problem.CLUSTER_GONE
    return Problem.REFUSED


def next_step(problem: str) -> str:
    """What to do about a problem of a connection, in one sentence; "" where there is none."""
    words = {
        Problem.WRONG_CONNECTION: _("Correct the tenant, the client or the endpoint, then test."),
        Problem.SIGN_IN_LOST: _(
            "Enter a new client secret or certificate, or give the host its identity back."
        ),
        Problem.UNREACHABLE: _(
            "Check that this host reaches the endpoint: its name, proxy, firewall and authority."
        ),
        Problem.THROTTLED: _("Wait: reading goes on by itself when Azure allows it."),
        Problem.FORBIDDEN: _(
            "Give the identity Reader on the subscription, and Contributor where it writes."
        ),
        Problem.PROVIDER_NOT_REGISTERED: _("Register the resource provider in the subscription."),
    }
    return words.get(Problem(problem), "") if problem in Problem.values else ""
