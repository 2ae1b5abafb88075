"""The gateway against the stand-in for Azure: whole stories, through both of its doors."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from arm import (
    Account,
    ArmError,
    ClientSecret,
    ConfigurationId,
    ExtensionId,
    Forbidden,
    Gateway,
    NotFound,
    OperationInProgress,
    Permanent,
    Priority,
    ProviderNotRegistered,
    Retryable,
    Throttle,
    Throttled,
    custom,
    queries,
)
from arm.account import FluxApiVersion
from simulator.clock import Clock
from simulator.inprocess import InProcessSimulator, create_simulator

BODY: dict[str, Any] = {
    "properties": {
        "scope": "cluster",
        "namespace": "podinfo",
        "sourceKind": "GitRepository",
        "suspend": True,
        "gitRepository": {
            "url": "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
            "repositoryRef": {"branch": "main"},
            "httpsUser": "reader",
        },
        "kustomizations": {
            "infra": {"path": "./infrastructure", "prune": True},
            "apps": {"path": "./apps/staging", "dependsOn": ["infra"]},
        },
        "configurationProtectedSettings": {"httpsKey": "Y2FuYXJ5LWtleQ=="},
    }
}
EXTENSION_BODY: dict[str, Any] = {
    "properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}
}
CREATE, EDIT, DELETE = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


def account_of(settings: dict[str, Any], **more: Any) -> Account:
    cloud = custom(arm_endpoint=settings["arm_endpoint"], authority=settings["authority"])
    return Account(
        cloud=cloud,
        tenant_id=settings["tenant_id"],
        subscription_ids=tuple(settings["subscription_ids"]),
        sign_in=ClientSecret(settings["client_id"], settings["client_secret"]),
        **more,
    )


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[InProcessSimulator]:
    with create_simulator(tmp_path / "azure", clock=Clock.frozen()) as simulator:
        yield simulator


@pytest.fixture
def gateway(azure: InProcessSimulator, flux_api_version: FluxApiVersion) -> Gateway:
    def transport() -> RequestsTransport:
        return RequestsTransport(session=azure.session(), session_owner=False)

    account = account_of(
        azure.settings, flux_api_version=flux_api_version, transport_factory=transport
    )
    return Gateway(account, throttle=Throttle())


@pytest.fixture
def cluster_id(gateway: Gateway) -> str:
    (subscription_id,) = gateway.account.subscription_ids
    ids = [cluster["id"] for cluster in gateway.list_clusters(subscription_id)]
    return next(it for it in ids if "connectedClusters" in it)


@pytest.fixture
def configuration_id(gateway: Gateway, cluster_id: str) -> str:
    """Of a configuration that is not there yet, on a cluster whose extension is."""
    extension_id = f"{cluster_id}{ExtensionId.INFIX}flux"
    gateway.put_extension(extension_id, EXTENSION_BODY, client_request_id=CREATE)
    assert gateway.get_extension(extension_id)["properties"]["provisioningState"] == "Succeeded"
    return f"{cluster_id}{ConfigurationId.INFIX}podinfo"


def create(gateway: Gateway, azure: InProcessSimulator, configuration_id: str) -> None:
    gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    azure.control.advance(60)
    azure.step()
    assert state(gateway, configuration_id) == "Succeeded"


def state(gateway: Gateway, configuration_id: str) -> str:
    return str(gateway.get_configuration(configuration_id)["properties"]["provisioningState"])


def test_the_life_of_a_configuration(
    gateway: Gateway, azure: InProcessSimulator, cluster_id: str, configuration_id: str
) -> None:
    with pytest.raises(NotFound):
        gateway.get_configuration(configuration_id)
    accepted = gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert accepted.status == 201
    assert accepted.operation_url is not None
    azure.control.advance(60)
    azure.step()
    assert gateway.get_operation(accepted.operation_url).succeeded

    change = {"properties": {"kustomizations": {"apps": None, "infra": {"prune": False}}}}
    gateway.patch_configuration(configuration_id, change, client_request_id=EDIT)
    azure.control.advance(60)
    azure.step()
    (found,) = gateway.list_configurations(cluster_id)
    assert list(found["properties"]["kustomizations"]) == ["infra"]
    assert found["properties"]["kustomizations"]["infra"]["prune"] is False
    assert found["properties"]["kustomizations"]["infra"]["path"] == "./infrastructure"

    gateway.delete_configuration(configuration_id, client_request_id=DELETE)
    azure.control.advance(60)
    azure.step()
    assert gateway.list_configurations(cluster_id) == []
    writes = [it for it in azure.control.journal() if "fluxConfigurations" in it["path"]]
    assert [(it["method"], it["client_request_id"]) for it in writes] == [
        ("PUT", CREATE),
        ("PATCH", EDIT),
        ("DELETE", DELETE),
    ]
    assert {it["api_version"] for it in writes} == {gateway.account.flux_api_version}


def test_an_operation_that_fails_says_why(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    azure.control.add_fault(
        kind="fail_operation", method="PUT", code="ExtensionOperationFailed", message="It broke."
    )
    accepted = gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    azure.control.advance(60)
    azure.step()
    assert accepted.operation_url is not None
    operation = gateway.get_operation(accepted.operation_url)
    assert (operation.terminal, operation.succeeded) == (True, False)
    assert operation.error_code == "ExtensionOperationFailed"
    assert "It broke." in operation.error_message
    assert state(gateway, configuration_id) == "Failed"


def test_another_operation_in_progress(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    azure.control.add_fault(kind="stuck", method="PUT")
    gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    with pytest.raises(OperationInProgress):
        gateway.patch_configuration(configuration_id, {}, client_request_id=EDIT)


def test_what_arm_finds_wrong_with_a_body(gateway: Gateway, configuration_id: str) -> None:
    wrong = {"properties": {**BODY["properties"], "sourceKind": "Bucket"}}
    with pytest.raises(Permanent) as caught:
        gateway.put_configuration(configuration_id, wrong, client_request_id=CREATE)
    assert caught.value.status == 400
    assert "Bucket" in caught.value.message


@pytest.mark.parametrize(("kind", "was_done"), [("reset_before", False), ("reset_after", True)])
def test_a_lost_answer_leaves_the_outcome_unknown(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str, kind: str, was_done: bool
) -> None:
    azure.control.clear_journal()
    azure.control.add_fault(kind=kind, method="PUT")
    with pytest.raises(Retryable) as caught:
        gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert caught.value.outcome_unknown
    assert len(azure.control.journal()) == was_done


def test_limits(gateway: Gateway, azure: InProcessSimulator, configuration_id: str) -> None:
    azure.control.add_fault(kind="status", method="PUT", status=429, retry_after="33")
    with pytest.raises(Throttled) as caught:
        gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert caught.value.retry_after == 33
    with pytest.raises(Throttled) as held:
        gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert held.value.status is None


def test_azures_own_buckets_teach_the_throttle(
    azure: InProcessSimulator, gateway: Gateway, cluster_id: str
) -> None:
    """Somebody else uses the same principal; background reads stop long before ARM says 429."""
    azure.control.set_throttle(True)
    azure.control.clear_requests()
    other = Gateway(gateway.account, throttle=Throttle(), priority=Priority.APPLY, patience=0)
    for _ in range(150):
        other.list_configurations(cluster_id)
    poll = Gateway(gateway.account, throttle=Throttle(), priority=Priority.POLL, patience=0)
    poll.list_configurations(cluster_id)
    with pytest.raises(Throttled) as caught:
        poll.list_configurations(cluster_id)
    assert caught.value.status is None
    assert azure.control.requests() == {"arm.reads": 151}


def test_a_token_that_expired_early(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    azure.control.expire_tokens()
    create(gateway, azure, configuration_id)


def test_a_right_that_is_missing(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    azure.control.grant(azure.settings["client_id"], actions=["*/read"])
    with pytest.raises(Forbidden) as caught:
        gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert caught.value.code == "AuthorizationFailed"
    assert caught.value.action == "Microsoft.KubernetesConfiguration/fluxConfigurations/write"
    missing = [check for check in gateway.test_connection() if not check.ok]
    assert {check.name for check in missing} == {"permission"}
    assert "fluxConfigurations/write" in missing[0].detail


def test_a_provider_that_is_not_registered(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    namespace = "Microsoft.KubernetesConfiguration"
    azure.control.set_registration(namespace)
    with pytest.raises(ProviderNotRegistered) as caught:
        gateway.put_configuration(configuration_id, BODY, client_request_id=CREATE)
    assert caught.value.namespace == namespace
    (subscription_id,) = gateway.account.subscription_ids
    assert gateway.provider_state(subscription_id, namespace) == "NotRegistered"
    gateway.register_provider(subscription_id, namespace, client_request_id=EDIT)
    azure.control.advance(600)
    azure.step()
    assert gateway.provider_state(subscription_id, namespace) == "Registered"


def test_all_is_well_with_the_connection(gateway: Gateway, cluster_id: str) -> None:
    assert [check for check in gateway.test_connection() if not check.ok] == []


def test_the_rest_of_what_the_portal_reads(gateway: Gateway, cluster_id: str) -> None:
    (subscription_id,) = gateway.account.subscription_ids
    found = [it["subscriptionId"] for it in gateway.list_subscriptions()]
    assert subscription_id in found
    assert gateway.get_cluster(cluster_id)["id"].lower() == cluster_id.lower()
    assert gateway.list_flux_v1(cluster_id) == []
    assert b"clusters" in gateway.cluster_user_credential(cluster_id)


def test_federated_credentials(gateway: Gateway, azure: InProcessSimulator) -> None:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    identity_id = azure.control.resources(kind)[0]["id"]
    subject = "system:serviceaccount:flux-system:source-controller"
    gateway.create_federated_credential(
        identity_id, "flux", issuer="https://oidc/", subject=subject, client_request_id=CREATE
    )
    (found,) = gateway.list_federated_credentials(identity_id)
    assert found["properties"]["subject"] == subject
    gateway.delete_federated_credential(identity_id, "flux", client_request_id=DELETE)
    assert gateway.list_federated_credentials(identity_id) == []
    with pytest.raises(NotFound):
        gateway.get_federated_credential(identity_id, "flux")


def rows(gateway: Gateway, query: str, page_size: int = 1000) -> list[dict[str, Any]]:
    subscriptions = gateway.account.subscription_ids
    pages = gateway.query_graph(query, subscriptions=subscriptions, page_size=page_size)
    return [row for page in pages for row in page.rows]


def said(value: Any) -> Any:
    """Without nulls: an old version of the API leaves out the names of what is newer than it."""
    if isinstance(value, dict):
        return {name: said(child) for name, child in value.items() if child is not None}
    return value


def test_resource_graph_tells_the_same_as_arm(
    gateway: Gateway, azure: InProcessSimulator, cluster_id: str, configuration_id: str
) -> None:
    create(gateway, azure, configuration_id)
    live = gateway.get_configuration(configuration_id)
    (row,) = rows(gateway, queries.configurations())
    shape = queries.normalise_configuration(row)
    assert shape["id"].lower() == configuration_id.lower()
    for name, value in shape["properties"].items():
        assert said(live["properties"][name]) == said(value), name
    assert {"complianceState", "provisioningState", "kustomizations"} <= set(shape["properties"])

    (row,) = rows(gateway, queries.extensions())
    shape = queries.normalise_extension(row)
    assert shape["id"].lower() == f"{cluster_id}{ExtensionId.INFIX}flux".lower()
    assert shape["properties"]["extensionType"] == "microsoft.flux"
    assert shape["properties"]["provisioningState"] == "Succeeded"


def test_a_sweep_in_pages(gateway: Gateway) -> None:
    whole = rows(gateway, queries.clusters())
    assert len(whole) > 1
    assert rows(gateway, queries.clusters(), page_size=1) == whole
    kinds = {row["type"].lower() for row in whole}
    assert kinds == {
        "microsoft.containerservice/managedclusters",
        "microsoft.kubernetes/connectedclusters",
    }


def test_a_delta(gateway: Gateway, azure: InProcessSimulator, configuration_id: str) -> None:
    create(gateway, azure, configuration_id)
    reported = "2026-05-06T07:08:09Z"
    azure.control.set_properties(configuration_id, {"statusUpdatedAt": reported})
    moment = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    for since, count in ((moment - timedelta(seconds=1), 1), (moment + timedelta(seconds=1), 0)):
        assert len(rows(gateway, queries.configurations_changed_since(since))) == count


def test_no_secret_comes_back(
    gateway: Gateway, azure: InProcessSimulator, configuration_id: str
) -> None:
    create(gateway, azure, configuration_id)
    assert "Y2FuYXJ5" not in json.dumps(gateway.get_configuration(configuration_id))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The simulator as a process of its own, over HTTPS with its own authority."""
    data = tmp_path_factory.mktemp("served")
    settings = data / "simulator.json"
    command = [sys.executable, "-m", "simulator", "--port", "0", "--data", str(data)]
    with subprocess.Popen([*command, "--pace", "0"], stdout=subprocess.DEVNULL) as process:
        try:
            while not settings.exists():
                assert process.poll() is None, "the simulator ended"
                time.sleep(0.05)
            yield json.loads(settings.read_text())
        finally:
            process.send_signal(signal.SIGTERM)


def test_over_https(served: dict[str, Any], flux_api_version: FluxApiVersion) -> None:
    account = account_of(served, ca_file=served["ca_file"], flux_api_version=flux_api_version)
    gateway = Gateway(account, throttle=Throttle())
    assert [check for check in gateway.test_connection() if not check.ok] == []
    (subscription_id,) = account.subscription_ids
    assert len(gateway.list_clusters(subscription_id)) == 2


def test_over_https_with_a_wrong_secret(served: dict[str, Any]) -> None:
    right = account_of(served, ca_file=served["ca_file"])
    wrong = Account(
        cloud=right.cloud,
        tenant_id=right.tenant_id,
        subscription_ids=right.subscription_ids,
        sign_in=ClientSecret(served["client_id"], "canary-wrong-secret"),
        ca_file=right.ca_file,
    )
    gateway = Gateway(wrong, throttle=Throttle())
    with pytest.raises(ArmError, match="AADSTS") as caught:
        gateway.list_subscriptions()
    assert "canary" not in repr(caught.value)
