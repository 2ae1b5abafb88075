"""The gateway's requests as they go over the wire, and ARM's answers as they come back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from arm import Accepted, ArmError, Gateway, InvalidId, NotFound, Retryable, UnsafeUrl, allows
from arm.base import OperationState
from arm.permissions import Permission
from tests.arm.wire import (
    AKS,
    ARC,
    CONFIGURATION,
    EXTENSION,
    GROUP,
    IDENTITY,
    SUBSCRIPTION,
    Reply,
    Request,
    WireServer,
    arm_error,
)

RESOURCE = {
    "id": CONFIGURATION,
    "name": "podinfo",
    "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
    "systemData": {"createdAt": "2026-01-01T00:00:00Z"},
    "properties": {
        "gitRepository": {"url": "https://example.com/repo", "sparseCheckout": ["new-in-2027"]},
        "kustomizations": {"apps": {"path": "./apps", "postBuild": None, "wait": True}},
        "sourceUpdatedAt": "not even a date",
        "somethingNobodyKnows": {"deep": [1, None, "é"]},
    },
}
"""With fields that the SDK's models do not know, and a value that they cannot read."""

ACCEPTED_HEADERS = {
    "Retry-After": "7",
    "x-ms-request-id": "req-1",
    "x-ms-correlation-request-id": "cor-1",
}


def test_a_resource_comes_as_arm_sent_it(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(200, RESOURCE))
    assert gateway.get_configuration(CONFIGURATION) == RESOURCE
    assert gateway.get_extension(EXTENSION) == RESOURCE


def test_requests_go_to_the_version_of_the_account(gateway: Gateway, wire: WireServer) -> None:
    gateway.get_configuration(CONFIGURATION)
    gateway.get_extension(EXTENSION)
    flux, extension = wire.requests
    assert flux.path == CONFIGURATION
    assert flux.query == f"api-version={gateway.account.flux_api_version}"
    assert extension.path == EXTENSION
    assert extension.query == f"api-version={gateway.account.extension_api_version}"
    assert flux.headers["authorization"].startswith("Bearer token-")
    assert flux.headers["user-agent"] == "fluxgate"


def test_a_list_follows_its_pages_as_they_are(gateway: Gateway, wire: WireServer) -> None:
    link = f"{wire.url}/more?$skiptoken=a%2Bb%20c&api-version=2099-01-01"
    wire.answer(
        Reply(200, {"value": [RESOURCE], "nextLink": link}), Reply(200, {"value": [{"id": "two"}]})
    )
    assert gateway.list_configurations(AKS) == [RESOURCE, {"id": "two"}]
    assert wire.url + wire.requests[-1].target == link


def test_lists_of_an_arc_cluster(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(200, {"value": [RESOURCE]}))
    assert gateway.list_configurations(ARC) == [RESOURCE]
    assert gateway.list_extensions(ARC) == [RESOURCE]
    assert gateway.list_flux_v1(ARC) == [RESOURCE]
    children = [request.path.removeprefix(ARC) for request in wire.requests]
    provider = "/providers/Microsoft.KubernetesConfiguration"
    assert children == [
        f"{provider}/fluxConfigurations",
        f"{provider}/extensions",
        f"{provider}/sourceControlConfigurations",
    ]


def test_an_empty_list(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(200, {"value": []}))
    assert gateway.list_configurations(AKS) == []


def test_a_next_link_to_another_host_is_not_followed(gateway: Gateway, wire: WireServer) -> None:
    foreign = "https://evil.example/steal"
    wire.answer(Reply(200, {"value": [RESOURCE], "nextLink": foreign}))
    with pytest.raises(UnsafeUrl) as caught:
        gateway.list_configurations(AKS)
    assert "evil.example" in caught.value.message
    assert len(wire.requests) == 1


def test_a_list_that_goes_in_a_circle_ends(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(200, {"value": [RESOURCE], "nextLink": f"{wire.url}/again"}))
    with pytest.raises(Retryable):
        gateway.list_configurations(AKS)
    assert len(wire.requests) == 2


def test_a_redirect_is_not_followed(gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(307, None, {"Location": "https://evil.example/steal"}))
    with pytest.raises(Exception, match="307"):
        gateway.get_configuration(CONFIGURATION)
    assert len(wire.requests) == 1


Write = Callable[[Gateway, str], Accepted]
BODY = {"properties": {"kustomizations": {"gone": None}, "unknownToTheSdk": "ü", "empty": {}}}

WRITES: dict[str, tuple[str, str, Write]] = {
    "put configuration": (
        "PUT",
        CONFIGURATION,
        lambda it, rid: it.put_configuration(CONFIGURATION, BODY, client_request_id=rid),
    ),
    "patch configuration": (
        "PATCH",
        CONFIGURATION,
        lambda it, rid: it.patch_configuration(CONFIGURATION, BODY, client_request_id=rid),
    ),
    "put extension": (
        "PUT",
        EXTENSION,
        lambda it, rid: it.put_extension(EXTENSION, BODY, client_request_id=rid),
    ),
    "patch extension": (
        "PATCH",
        EXTENSION,
        lambda it, rid: it.patch_extension(EXTENSION, BODY, client_request_id=rid),
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_sends_the_very_body_once(gateway: Gateway, wire: WireServer, name: str) -> None:
    method, path, write = WRITES[name]
    operation = f"{wire.url}{path}/operations/1?api-version=x"
    wire.answer(Reply(201, RESOURCE, {**ACCEPTED_HEADERS, "Azure-AsyncOperation": operation}))
    accepted = write(gateway, "11112222-0000-4000-8000-000000000000")
    assert accepted == Accepted(201, RESOURCE, operation, 7.0, "req-1", "cor-1")
    (request,) = wire.requests
    assert (request.method, request.path) == (method, path)
    assert request.json() == BODY
    assert request.headers["x-ms-client-request-id"] == "11112222-0000-4000-8000-000000000000"


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_write_may_be_done_at_once_or_taken(
    gateway: Gateway, wire: WireServer, name: str, status: int
) -> None:
    wire.answer(Reply(status, RESOURCE))
    accepted = WRITES[name][2](gateway, "r")
    assert (accepted.status, accepted.resource) == (status, RESOURCE)
    assert accepted.operation_url is None
    assert accepted.retry_after is None


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("force", [True, False])
def test_a_delete(gateway: Gateway, wire: WireServer, status: int, force: bool) -> None:
    headers = {"Azure-AsyncOperation": f"{wire.url}/op"} if status == 202 else {}
    wire.answer(Reply(status, None, headers))
    first = gateway.delete_configuration(CONFIGURATION, force=force, client_request_id="r1")
    second = gateway.delete_extension(EXTENSION, force=force, client_request_id="r2")
    for accepted, request in zip((first, second), wire.requests, strict=True):
        assert (accepted.status, accepted.resource) == (status, None)
        assert accepted.operation_url == headers.get("Azure-AsyncOperation")
        assert request.method == "DELETE"
        assert ("forceDelete=true" in request.query) == force
    assert [it.headers["x-ms-client-request-id"] for it in wire.requests] == ["r1", "r2"]


def test_nothing_waits_in_a_poller(gateway: Gateway, wire: WireServer) -> None:
    operation = f"{wire.url}/operation"
    wire.answer(Reply(201, RESOURCE, {"Azure-AsyncOperation": operation, "Retry-After": "1"}))
    gateway.put_configuration(CONFIGURATION, BODY, client_request_id="r")
    gateway.put_extension(EXTENSION, BODY, client_request_id="r")
    assert [request.method for request in wire.requests] == ["PUT", "PUT"]


def test_a_missing_registration_is_not_repaired_in_silence(
    gateway: Gateway, wire: WireServer
) -> None:
    message = "The subscription is not registered to use namespace"
    wire.answer(
        arm_error(
            409,
            "MissingSubscriptionRegistration",
            f"{message} 'Microsoft.KubernetesConfiguration'.",
        )
    )
    with pytest.raises(Exception, match=message):
        gateway.put_configuration(CONFIGURATION, BODY, client_request_id="r")
    assert [request.method for request in wire.requests] == ["PUT"]


def test_ids_are_checked_before_anything_is_sent(gateway: Gateway, wire: WireServer) -> None:
    for call in (gateway.get_configuration, gateway.get_extension, gateway.list_configurations):
        with pytest.raises(InvalidId):
            call("/subscriptions/../evil")
    assert wire.requests == []


@pytest.mark.parametrize("body", [[], "text", 5, {"properties": [1]}, {"properties": "x"}])
def test_a_success_is_a_success_whatever_its_form(
    gateway: Gateway, wire: WireServer, body: object
) -> None:
    """The SDK's models cannot read these; what counts is that ARM took the write."""
    for status in (200, 201, 202, 203):
        wire.answer(Reply(status, body))
        for _, _, write in WRITES.values():
            assert write(gateway, "r").status == status


@pytest.mark.parametrize("items", [[1], ["text"], [None], [[]]])
def test_a_list_is_a_list_whatever_it_holds(
    gateway: Gateway, wire: WireServer, items: list[object]
) -> None:
    wire.answer(Reply(200, {"value": items}))
    assert gateway.list_configurations(AKS) == items
    assert gateway.list_extensions(AKS) == items
    assert gateway.list_flux_v1(AKS) == items
    assert gateway.list_federated_credentials(IDENTITY) == items


# Operations that run on


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            Reply(200, {"status": "Creating"}, {"Retry-After": "3"}),
            OperationState("Creating", False, False, retry_after=3.0),
        ),
        (Reply(200, {"status": "succeeded"}), OperationState("succeeded", True, True)),
        (
            Reply(200, {"status": "Failed", "error": {"code": "Boom", "message": "It broke."}}),
            OperationState("Failed", True, False, "Boom", "It broke."),
        ),
        (
            Reply(200, {"status": "Canceled", "error": None}),
            OperationState("Canceled", True, False),
        ),
        (Reply(202), OperationState("InProgress", False, False)),
        (
            Reply(200, {"properties": {"provisioningState": "Updating"}}),
            OperationState("Updating", False, False),
        ),
        (Reply(200, RESOURCE), OperationState("Succeeded", True, True)),
        (Reply(204), OperationState("Succeeded", True, True)),
    ],
)
def test_how_an_operation_stands(
    plain_gateway: Gateway, wire: WireServer, reply: Reply, expected: OperationState
) -> None:
    wire.answer(reply)
    url = f"{wire.url}{CONFIGURATION}/operations/1?api-version=2025-04-01&t=a%20b"
    assert plain_gateway.get_operation(url) == expected
    assert wire.url + wire.requests[-1].target == url


def test_an_operation_elsewhere_is_not_asked_for(plain_gateway: Gateway, wire: WireServer) -> None:
    for url in ("https://evil.example/op", wire.url.replace("https", "http"), f"{wire.url}1/op"):
        with pytest.raises(UnsafeUrl):
            plain_gateway.get_operation(url)
    assert wire.requests == []


def test_an_operation_that_arm_forgot(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(arm_error(404, "ResourceNotFound", "gone"))
    with pytest.raises(NotFound):
        plain_gateway.get_operation(f"{wire.url}/op")


# Subscriptions, clusters, providers, permissions, identities


def by_path(replies: dict[str, Reply]) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        for end, reply in replies.items():
            if request.path.lower().endswith(end.lower()):
                return reply
        return arm_error(404, "InvalidResourceType", f"nothing at {request.path}")

    return answer


def test_subscriptions(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(Reply(200, {"value": [{"subscriptionId": SUBSCRIPTION}]}))
    assert plain_gateway.list_subscriptions() == [{"subscriptionId": SUBSCRIPTION}]


def test_clusters_of_every_kind(gateway: Gateway, wire: WireServer) -> None:
    aks = {"id": AKS, "properties": {"futureField": 1}}
    arc = {"id": ARC, "kind": "ProvisionedCluster"}
    other = {"id": AKS.replace("Container", "HybridContainer").replace("managed", "provisioned")}
    wire.arm = by_path(
        {
            "/managedClusters": Reply(200, {"value": [aks]}),
            "/connectedClusters": Reply(200, {"value": [arc]}),
            "/resources": Reply(200, {"value": [other]}),
        }
    )
    assert gateway.list_clusters(SUBSCRIPTION) == [aks, arc, other]


def test_a_kind_of_cluster_that_is_not_offered_counts_as_none(
    plain_gateway: Gateway, wire: WireServer
) -> None:
    wire.arm = by_path({"/managedClusters": Reply(200, {"value": [{"id": AKS}]})})
    assert plain_gateway.list_clusters(SUBSCRIPTION) == [{"id": AKS}]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AuthorizationFailed"),
        (404, "SubscriptionNotFound"),
        (400, "NoRegisteredProviderFound"),
    ],
)
def test_but_any_other_failure_does_not(
    plain_gateway: Gateway, wire: WireServer, status: int, code: str
) -> None:
    wire.answer(arm_error(status, code, "Not so."))
    with pytest.raises(ArmError, match=code):
        plain_gateway.list_clusters(SUBSCRIPTION)


def test_one_cluster_of_each_kind(plain_gateway: Gateway, wire: WireServer) -> None:
    provisioned = AKS.replace("ContainerService", "HybridContainerService").replace(
        "managedClusters", "provisionedClusters"
    )
    for cluster_id in (AKS, ARC, provisioned):
        wire.answer(Reply(200, {"id": cluster_id, "properties": {"futureField": [1]}}))
        cluster = plain_gateway.get_cluster(cluster_id)
        assert cluster == {"id": cluster_id, "properties": {"futureField": [1]}}
        assert wire.requests[-1].path == cluster_id


@pytest.mark.parametrize("cluster_id", [AKS, ARC])
def test_a_user_credential(plain_gateway: Gateway, wire: WireServer, cluster_id: str) -> None:
    value = base64.b64encode(b"apiVersion: v1\n").decode()
    wire.answer(Reply(200, {"kubeconfigs": [{"name": "clusterUser", "value": value}]}))
    assert plain_gateway.cluster_user_credential(cluster_id) == b"apiVersion: v1\n"
    assert wire.requests[-1].path == f"{cluster_id}/listClusterUserCredential"


def test_providers(plain_gateway: Gateway, wire: WireServer) -> None:
    namespace = "Microsoft.KubernetesConfiguration"
    wire.answer(Reply(200, {"namespace": namespace, "registrationState": "Registering"}))
    assert plain_gateway.provider_state(SUBSCRIPTION, namespace) == "Registering"
    accepted = plain_gateway.register_provider(SUBSCRIPTION, namespace, client_request_id="r3")
    assert accepted.status == 200
    request = wire.requests[-1]
    assert request.method == "POST"
    assert request.path == f"/subscriptions/{SUBSCRIPTION}/providers/{namespace}/register"
    assert request.headers["x-ms-client-request-id"] == "r3"


@pytest.mark.parametrize("scope", [f"/subscriptions/{SUBSCRIPTION}", GROUP, AKS])
def test_permissions_at_any_scope(plain_gateway: Gateway, wire: WireServer, scope: str) -> None:
    page = {"value": [{"actions": ["*"], "notActions": ["*/delete"]}]}
    wire.answer(Reply(200, {**page, "nextLink": f"{wire.url}/2"}), Reply(200, {"value": [{}]}))
    held = plain_gateway.permissions(scope)
    assert held == [Permission(("*",), ("*/delete",)), Permission(())]
    assert wire.requests[0].path == f"{scope}/providers/Microsoft.Authorization/permissions"


@pytest.mark.parametrize("scope", ["", "/subscriptions/../x", "/a?b", "/a/./b", "/a b", "/a//b"])
def test_a_scope_is_checked_first(plain_gateway: Gateway, wire: WireServer, scope: str) -> None:
    with pytest.raises(InvalidId):
        plain_gateway.permissions(scope)
    assert wire.requests == []


def test_wildcards_are_evaluated_here() -> None:
    write = "Microsoft.KubernetesConfiguration/fluxConfigurations/write"
    reader = Permission(("*/read",))
    contributor = Permission(("*",), ("Microsoft.Authorization/*/Write",))
    only = Permission(("microsoft.kubernetesconfiguration/FLUXCONFIGURATIONS/*",))
    but_not = Permission(("*",), (write,))
    assert allows([reader], write.replace("write", "read"))
    assert not allows([reader], write)
    assert allows([contributor], write)
    assert not allows([contributor], "Microsoft.Authorization/roleAssignments/write")
    assert allows([only], write)
    assert not allows([only], "Microsoft.KubernetesConfiguration/extensions/write")
    assert not allows([but_not], write)
    assert allows([but_not, only], write)
    assert not allows([Permission(("Microsoft.Kubernetes",))], "MicrosoftXKubernetes")
    assert not allows([], write)


def test_federated_credentials(plain_gateway: Gateway, wire: WireServer) -> None:
    subject = "system:serviceaccount:flux-system:source-controller"
    base = f"{IDENTITY}/federatedIdentityCredentials"
    wire.answer(Reply(200, {"id": f"{base}/flux", "properties": {"issuer": "https://oidc/"}}))
    plain_gateway.create_federated_credential(
        IDENTITY, "flux", issuer="https://oidc/", subject=subject, client_request_id="r4"
    )
    assert plain_gateway.get_federated_credential(IDENTITY, "flux")["id"] == f"{base}/flux"
    plain_gateway.delete_federated_credential(IDENTITY, "flux", client_request_id="r5")
    wire.answer(Reply(200, {"value": [{"id": f"{base}/flux"}]}))
    assert plain_gateway.list_federated_credentials(IDENTITY) == [{"id": f"{base}/flux"}]
    create, get, delete, listing = wire.requests
    assert [create.method, get.method, delete.method] == ["PUT", "GET", "DELETE"]
    assert {create.path, get.path, delete.path} == {f"{base}/flux"}
    assert listing.path == base
    assert create.json() == {
        "properties": {
            "issuer": "https://oidc/",
            "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        }
    }
    assert create.headers["x-ms-client-request-id"] == "r4"
    assert delete.headers["x-ms-client-request-id"] == "r5"


# Resource Graph


def page(rows: list[Any], **more: Any) -> Reply:
    body = {"data": rows, "count": len(rows), "totalRecords": 3, "resultTruncated": "false"}
    return Reply(200, {**body, **more})


def test_a_query_is_paged(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(page([{"id": "a"}, {"id": "b"}], **{"$skipToken": "next"}), page([{"id": "c"}]))
    pages = list(plain_gateway.query_graph("resources", subscriptions=[SUBSCRIPTION], page_size=2))
    assert [row["id"] for it in pages for row in it.rows] == ["a", "b", "c"]
    assert [it.truncated for it in pages] == [False, False]
    first, second = (request.json() for request in wire.requests)
    assert first["options"] == {"$top": 2, "resultFormat": "objectArray"}
    assert second["options"]["$skipToken"] == "next"
    assert first["subscriptions"] == [SUBSCRIPTION]
    assert first["query"] == second["query"] == "resources"


def test_a_truncated_answer_says_so(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(page([{"id": "a"}], resultTruncated="true"))
    (only,) = plain_gateway.query_graph("resources", subscriptions=[SUBSCRIPTION])
    assert only.truncated


def test_an_error_between_pages_is_not_an_end(plain_gateway: Gateway, wire: WireServer) -> None:
    wire.answer(page([{"id": "a"}], **{"$skipToken": "next"}), Reply(503))
    pages = plain_gateway.query_graph("resources", subscriptions=[SUBSCRIPTION])
    assert next(pages).rows == [{"id": "a"}]
    with pytest.raises(Retryable):
        next(pages)
