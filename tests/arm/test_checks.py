"""``test_connection`` says what is wrong, in Azure's own words, and alters nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arm import Check, ClientSecret, Gateway, Throttle, custom
from tests.arm.conftest import AccountFactory
from tests.arm.wire import AKS, ARC, GROUP, SUBSCRIPTION, Reply, Request, WireServer, arm_error

ALL = {"value": [{"actions": ["*"], "notActions": []}]}


def healthy(**overrides: Reply) -> Callable[[Request], Reply]:
    """``overrides``: by the last word of the path."""
    replies = {
        SUBSCRIPTION: Reply(200, {"displayName": "Shop"}),
        "managedClusters": Reply(200, {"value": [{"id": AKS}]}),
        "connectedClusters": Reply(200, {"value": [{"id": ARC.replace("rg-shop", "rg-edge")}]}),
        "permissions": Reply(200, ALL),
        "resources": Reply(200, {"data": [], "value": [], "totalRecords": 2}),
        **overrides,
    }

    def answer(request: Request) -> Reply:
        word = request.path.rsplit("/", 1)[-1]
        return replies.get(word, Reply(200, {"registrationState": "Registered"}))

    return answer


def failed(checks: list[Check]) -> list[Check]:
    return [check for check in checks if not check.ok]


def test_all_is_well(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.arm = healthy()
    checks = plain_gateway.test_connection()
    assert failed(checks) == []
    names = ["endpoint", "sign_in", "subscription", *["provider"] * 3, *["permission"] * 2, "graph"]
    assert [check.name for check in checks] == names
    assert [it.scope for it in checks if it.name == "permission"] == [
        GROUP.replace("rg-shop", "rg-edge"),
        GROUP,
    ]
    graph = [request for request in wire.requests if request.method == "POST"]
    assert [request.path for request in graph] == ["/providers/Microsoft.ResourceGraph/resources"]
    assert {request.method for request in wire.requests} == {"GET", "POST"}


def test_reaching_the_endpoint_shows_no_token(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.arm = healthy()
    plain_gateway.test_connection()
    assert wire.requests[0].path == "/metadata/endpoints"
    assert "authorization" not in wire.requests[0].headers


def test_an_endpoint_out_of_reach(make_account: AccountFactory, wire: WireServer) -> None:
    cloud = custom(arm_endpoint="https://localhost:1", authority=wire.url)
    (check,) = Gateway(make_account(cloud=cloud), throttle=Throttle()).test_connection()
    assert (check.name, check.ok, check.code) == ("endpoint", False, "Unreachable")
    assert "refused" in check.detail


def test_a_sign_in_that_entra_refuses(make_account: AccountFactory, wire: WireServer) -> None:
    text = "AADSTS700016: Application not found in the directory."
    wire.token = lambda request: Reply(
        400, {"error": "unauthorized_client", "error_description": text}
    )
    account = make_account(sign_in=ClientSecret("nobody", "secret"))
    checks = Gateway(account, throttle=Throttle()).test_connection()
    assert [check.name for check in checks] == ["endpoint", "sign_in"]
    (check,) = failed(checks)
    assert "AADSTS700016" in check.detail
    assert check.code == "SignInFailed"


def test_a_subscription_that_is_not_seen(plain_gateway: Gateway, wire: WireServer) -> None:
    missing = arm_error(404, "SubscriptionNotFound", "The subscription could not be found.")
    wire.arm = healthy(**{SUBSCRIPTION: missing})
    checks = plain_gateway.test_connection()
    (check,) = failed(checks)
    assert check == Check(
        "subscription",
        False,
        "The subscription could not be found.",
        "SubscriptionNotFound",
        SUBSCRIPTION,
    )
    assert [it.name for it in checks] == ["endpoint", "sign_in", "subscription", "graph"]


@pytest.mark.parametrize("state", ["NotRegistered", "Registering"])
def test_a_provider_that_is_not_registered(
    plain_gateway: Gateway, wire: WireServer, state: str
) -> None:
    namespace = "Microsoft.KubernetesConfiguration"
    wire.arm = healthy(**{namespace: Reply(200, {"registrationState": state})})
    (check,) = failed(plain_gateway.test_connection())
    assert (check.name, check.detail, check.code) == ("provider", state, state)
    assert check.scope.endswith(namespace)


def test_rights_that_are_missing_are_named(plain_gateway: Gateway, wire: WireServer) -> None:
    reader = {"value": [{"actions": ["*/read"]}]}
    wire.arm = healthy(permissions=Reply(200, reader))
    checks = failed(plain_gateway.test_connection())
    assert [check.name for check in checks] == ["permission", "permission"]
    assert "Microsoft.KubernetesConfiguration/fluxConfigurations/write" in checks[0].detail
    assert "/read" not in checks[0].detail
    assert checks[0].code == "AuthorizationFailed"


def test_without_clusters_the_subscription_is_asked(
    plain_gateway: Gateway, wire: WireServer
) -> None:
    nothing = Reply(200, {"value": []})
    wire.arm = healthy(managedClusters=nothing, connectedClusters=nothing)
    scopes = [it.scope for it in plain_gateway.test_connection() if it.name == "permission"]
    assert scopes == [f"/subscriptions/{SUBSCRIPTION}"]


def test_resource_graph_that_does_not_answer(plain_gateway: Gateway, wire: WireServer) -> None:
    refusal = arm_error(403, "AccessDenied", "Access is denied to the requested resource.")
    wire.arm = healthy(resources=refusal)
    checks = failed(plain_gateway.test_connection())
    assert {check.code for check in checks} == {"AccessDenied"}
    assert checks[-1].name == "graph"
