"""Refusals in ARM's words: ``{"error": {"code", "message"}}`` with the status ARM uses."""

from __future__ import annotations

from simulator.http import Answer


class ArmError(Exception):
    """Ends the handling of a request with ARM's error envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        headers: dict[str, str] | None = None,
        details: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(f"({code}) {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = headers or {}
        self.details = details

    def answer(self) -> Answer:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        headers = {"x-ms-failure-cause": "gateway", **self.headers}
        return Answer(self.status, {"error": error}, headers)


def bad_request(code: str, message: str, target: str | None = None) -> ArmError:
    return ArmError(400, code, message, target=target)


def validation_failed(message: str) -> ArmError:
    """The refusal of Microsoft.KubernetesConfiguration for a body that makes no sense."""
    return ArmError(400, "ValidationFailed", message)


def resource_not_found(resource_type: str, name: str, resource_group: str | None) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{resource_group}' was not "
        "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def subscription_not_found(subscription: str) -> ArmError:
    return ArmError(
        404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."
    )


def resource_group_not_found(name: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def method_not_allowed(method: str, path: str) -> ArmError:
    return ArmError(
        405, "MethodNotAllowed", f"The HTTP method '{method}' is not supported at scope '{path}'."
    )


def missing_registration(namespace: str) -> ArmError:
    return ArmError(
        409,
        "MissingSubscriptionRegistration",
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions.",
    )


def operation_in_progress(resource_id: str) -> ArmError:
    """A second write while one is under way. ARM's providers word this in several ways."""
    return ArmError(
        409,
        "OperationInProgress",
        f"Another operation is in progress on the resource '{resource_id}'. Retry after it ends.",
    )


def authorization_failed(principal: str, object_id: str, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal}' with object id '{object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
    )
