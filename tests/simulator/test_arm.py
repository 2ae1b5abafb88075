"""ARM's manners: what is refused and how, what is filled in, what is never shown."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from simulator.inprocess import InProcessSimulator
from tests.simulator_fixtures import Azure, git_configuration

FLUX = "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations"
EXTENSIONS = "/providers/Microsoft.KubernetesConfiguration/extensions"
SECRET = "Y2FuYXJ5LXNlY3JldA=="


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def put(azure: Azure, name: str = "demo", body: Any = None, **options: Any) -> Any:
    body = git_configuration() if body is None else body
    return azure.call("PUT", f"{azure.arc}{FLUX}/{name}", body, **options)


def settled(azure: Azure, name: str = "demo") -> dict[str, Any]:
    """Read until nothing is under way; at pace 0 a read is enough."""
    found: dict[str, Any] = azure.call("GET", f"{azure.arc}{FLUX}/{name}").json()
    assert found["properties"]["provisioningState"] == "Succeeded"
    return found


def test_no_token_means_a_challenge(azure: Azure) -> None:
    answer = azure.session.get(f"{azure.endpoint}/subscriptions?api-version=2022-12-01")
    assert error_of(answer) == (401, "AuthenticationFailed")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer authorization_uri="')
    assert azure.settings["tenant_id"] in challenge


def test_a_forged_or_expired_token_is_refused(simulator: InProcessSimulator, azure: Azure) -> None:
    url = f"{azure.endpoint}/subscriptions?api-version=2022-12-01"
    head, _, _ = azure.token().rpartition(".")
    forged = azure.session.get(url, headers={"Authorization": f"Bearer {head}.AAAA"})
    assert error_of(forged) == (401, "InvalidAuthenticationToken")
    simulator.control.advance(3601)
    expired = azure.session.get(url, headers={"Authorization": f"Bearer {azure.token()}"})
    assert error_of(expired) == (401, "ExpiredAuthenticationToken")


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("{arc}" + FLUX, None, (400, "MissingApiVersionParameter")),
        ("{arc}" + FLUX, "2031-01-01", (400, "NoRegisteredProviderFound")),
        ("{arc}" + EXTENSIONS, "2025-04-01", (400, "NoRegisteredProviderFound")),
        (
            "{arc}/providers/Microsoft.KubernetesConfiguration/nothings",
            "2025-04-01",
            (404, "InvalidResourceType"),
        ),
        ("{arc}/providers/Microsoft.Nothing/x", "2025-04-01", (404, "InvalidResourceNamespace")),
        ("/subscriptions/0/resourceGroups", "2021-04-01", (404, "SubscriptionNotFound")),
        ("{group}-not", "2021-04-01", (404, "ResourceGroupNotFound")),
        ("{arc}" + FLUX + "/absent", "2025-04-01", (404, "ResourceNotFound")),
        ("{arc}-not" + FLUX, "2025-04-01", (404, "ParentResourceNotFound")),
        ("/subscriptions", "yesterday", (400, "InvalidApiVersionParameter")),
    ],
)
def test_unknown_things_are_refused(
    azure: Azure, path: str, version: str | None, expected: tuple[int, str]
) -> None:
    path = path.format(arc=azure.arc, group=azure.group)
    assert error_of(azure.call("GET", path, version=version)) == expected


def test_a_write_answers_as_the_service_does(azure: Azure) -> None:
    created = put(azure)
    assert created.status_code == 201
    assert created.json()["properties"]["provisioningState"] == "Creating"
    assert int(created.headers["Retry-After"]) > 0
    operation = created.headers["Azure-AsyncOperation"]
    assert operation.startswith(azure.endpoint)
    assert "/ConnectedClusters/" in operation
    assert azure.call("GET", operation).json()["status"] == "Succeeded"
    for header in ("x-ms-request-id", "x-ms-correlation-request-id"):
        assert created.headers[header]
    assert put(azure).status_code == 200
    settled(azure)
    assert azure.call("DELETE", f"{azure.arc}{FLUX}/demo").status_code == 202
    assert azure.call("DELETE", f"{azure.arc}{FLUX}/demo").status_code == 204


def test_defaults_are_filled_in(azure: Azure) -> None:
    put(azure)
    properties = settled(azure)["properties"]
    assert properties["suspend"] is False
    assert properties["gitRepository"]["syncIntervalInSeconds"] == 600
    assert properties["kustomizations"]["infra"] == {
        "name": "infra",
        "path": "./infrastructure",
        "dependsOn": None,
        "timeoutInSeconds": 600,
        "syncIntervalInSeconds": 600,
        "retryIntervalInSeconds": None,
        "prune": True,
        "force": False,
        "wait": True,
        "postBuild": None,
    }
    assert properties["bucket"] is None


def test_a_second_write_waits_for_the_first(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.core.pace = 1.0
    put(azure)
    assert error_of(put(azure)) == (409, "OperationInProgress")
    assert error_of(azure.call("DELETE", f"{azure.arc}{FLUX}/demo"))[0] == 409


def test_scope_and_namespace_stay(azure: Azure) -> None:
    put(azure)
    settled(azure)
    assert error_of(put(azure, body=git_configuration("elsewhere")))[1] == "ValidationFailed"
    changed = git_configuration(scope="namespace")
    assert error_of(put(azure, body=changed))[1] == "ValidationFailed"
    patch = {"properties": {"namespace": "elsewhere"}}
    answer = azure.call("PATCH", f"{azure.arc}{FLUX}/demo", patch)
    assert error_of(answer) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sourceKind": "Bucket"}, "Invalid source kind match. Config with specified source kind"),
        ({"surprise": 1}, "Could not find member 'surprise'"),
        ({"suspend": "yes"}, "Cannot deserialize a JSON string where boolean"),
        ({"sourceKind": "Svn"}, "Allowed values are GitRepository"),
        ({"kustomizations": {}}, "At least one kustomization"),
        ({"kustomizations": {"Bad Name": {}}}, "Invalid kustomization name"),
        ({"namespace": "Upper"}, "Invalid namespace"),
        ({"gitRepository": {"url": "https://x.example/r"}}, "branch, tag, semver or commit"),
    ],
)
def test_bodies_that_make_no_sense(azure: Azure, changes: dict[str, Any], words: str) -> None:
    answer = put(azure, body=git_configuration(**changes))
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_newer_fields_need_a_newer_version(azure: Azure) -> None:
    repository = {
        "url": "https://dev.azure.com/contoso/_git/x",
        "repositoryRef": {"branch": "main"},
        "provider": "azure",
    }
    body = git_configuration(gitRepository=repository)
    refused = put(azure, body=body, version="2023-05-01")
    assert "Could not find member 'provider'" in refused.json()["error"]["message"]
    assert put(azure, body=body).status_code == 201
    assert settled(azure)["properties"]["gitRepository"]["provider"] == "Azure"
    old = azure.call("GET", f"{azure.arc}{FLUX}/demo", version="2023-05-01").json()
    assert "provider" not in old["properties"]["gitRepository"]
    assert "ociRepository" not in old["properties"]


def test_secrets_are_never_shown_but_reach_the_agent(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    put(azure, body=git_configuration(configurationProtectedSettings={"httpsKey": SECRET}))
    shown = settled(azure)
    assert SECRET not in json.dumps(shown)
    assert SECRET not in json.dumps(simulator.control.journal())
    assert simulator.control.journal()[0]["body"]["properties"][
        "configurationProtectedSettings"
    ] == {"httpsKey": "***"}
    kept = simulator.core.store.get(f"{azure.arc}{FLUX}/demo")
    assert kept is not None
    assert kept.secrets == {"configurationProtectedSettings": {"httpsKey": SECRET}}
    # A PATCH keeps them, a PUT without them wipes them.
    azure.call("PATCH", f"{azure.arc}{FLUX}/demo", {"properties": {"suspend": True}})
    settled(azure)
    kept = simulator.core.store.get(f"{azure.arc}{FLUX}/demo")
    assert kept is not None
    assert kept.secrets
    put(azure)
    kept = simulator.core.store.get(f"{azure.arc}{FLUX}/demo")
    assert kept is not None
    assert kept.secrets == {}


def test_patch_merges(azure: Azure) -> None:
    put(azure)
    settled(azure)
    patch = {
        "properties": {
            "gitRepository": {"repositoryRef": {"branch": None, "tag": "v1"}},
            "kustomizations": {"apps": None, "more": {"path": "./more"}},
        }
    }
    assert azure.call("PATCH", f"{azure.arc}{FLUX}/demo", patch).status_code == 202
    properties = settled(azure)["properties"]
    assert properties["gitRepository"]["repositoryRef"]["branch"] is None
    assert properties["gitRepository"]["repositoryRef"]["tag"] == "v1"
    assert properties["gitRepository"]["url"].endswith("helm-mt")
    assert list(properties["kustomizations"]) == ["infra", "more"]


def test_the_source_kind_can_change(azure: Azure) -> None:
    put(azure)
    settled(azure)
    patch = {
        "properties": {
            "sourceKind": "Bucket",
            "gitRepository": None,
            "bucket": {"url": "https://s3.example", "bucketName": "b"},
        }
    }
    azure.call("PATCH", f"{azure.arc}{FLUX}/demo", patch)
    properties = settled(azure)["properties"]
    assert properties["gitRepository"] is None
    assert properties["bucket"]["insecure"] is True


def test_the_first_configuration_brings_the_extension(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    put(azure)
    settled(azure)
    listed = azure.call("GET", azure.arc + EXTENSIONS, version="2025-03-01").json()["value"]
    assert [e["properties"]["extensionType"] for e in listed] == ["microsoft.flux"]


def test_without_automatic_installation_it_fails(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.options(extension_on_create="fail")
    created = put(azure)
    status = azure.call("GET", created.headers["Azure-AsyncOperation"]).json()
    assert (status["status"], status["error"]["code"]) == ("Failed", "ExtensionNotFound")
    found = azure.call("GET", f"{azure.arc}{FLUX}/demo").json()["properties"]
    assert found["provisioningState"] == "Failed"
    assert found["errorMessage"]


def test_a_service_principal_cluster_cannot_have_extensions(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.set_properties(azure.aks, {"servicePrincipalProfile": {"clientId": "x"}})
    body = {"properties": {"extensionType": "microsoft.flux"}}
    created = azure.call("PUT", f"{azure.aks}{EXTENSIONS}/flux", body, version="2025-03-01")
    status = azure.call("GET", created.headers["Azure-AsyncOperation"]).json()
    assert status["status"] == "Failed"
    assert "Managed Service Identity" in status["error"]["message"]


def test_an_offline_agent_keeps_the_operation_open_for_48_hours(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    put(azure)
    settled(azure)
    simulator.control.set_agent_online(azure.arc, False)
    operation = put(azure).headers["Azure-AsyncOperation"]
    assert azure.call("GET", operation).json()["status"] == "Updating"
    cluster = azure.call("GET", azure.arc, version="2026-05-01").json()
    assert cluster["properties"]["connectivityStatus"] == "Offline"
    simulator.control.advance(48 * 3600 + 1)
    azure._token = ""
    assert azure.call("GET", operation).json()["status"] == "Failed"


def test_lists_come_in_pages(simulator: InProcessSimulator, azure: Azure) -> None:
    for number in range(5):
        put(azure, f"demo-{number}", git_configuration(f"ns-{number}"))
    simulator.control.options(page_size=2)
    names: list[str] = []
    page = azure.call("GET", azure.arc + FLUX).json()
    names += [item["name"] for item in page["value"]]
    while page.get("nextLink"):
        page = azure.call("GET", page["nextLink"]).json()
        names += [item["name"] for item in page["value"]]
    assert names == [f"demo-{number}" for number in range(5)]


def test_paths_know_no_case_and_answers_keep_their_own(azure: Azure) -> None:
    put(azure)
    found = azure.call("GET", f"{azure.arc}{FLUX}/demo".upper().replace("HTTPS", "https"))
    assert found.status_code == 200
    assert found.json()["id"] == f"{azure.arc}{FLUX}/demo"
    aks = azure.call("GET", azure.aks, version="2026-08-01").json()
    assert "/resourcegroups/" in aks["id"]


def test_system_data_names_the_writer(simulator: InProcessSimulator, azure: Azure) -> None:
    put(azure)
    settled(azure)
    status, _ = simulator.control.edit(
        f"{azure.arc}{FLUX}/demo", {"suspend": True}, principal="ada"
    )
    assert status == 202
    data = settled(azure)["systemData"]
    assert data["createdBy"] == azure.settings["client_id"]
    assert data["createdByType"] == "Application"
    assert data["lastModifiedBy"] == "ada@fluxgate.example"
    assert data["lastModifiedByType"] == "User"


def test_rights_are_enforced_and_shown(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.revoke("fluxgate")
    simulator.control.grant("fluxgate", azure.group, ["*/read"])
    refused = put(azure)
    assert error_of(refused) == (403, "AuthorizationFailed")
    assert "fluxConfigurations/write" in refused.json()["error"]["message"]
    query = {"query": "resources | count"}
    graph = azure.call(
        "POST", "/providers/Microsoft.ResourceGraph/resources", query, version="2021-03-01"
    )
    assert graph.json()["data"] == [{"Count": 3}]
    listed = azure.call("GET", "/subscriptions", version="2022-12-01").json()["value"]
    assert len(listed) == 1
    simulator.control.revoke("fluxgate")
    listed = azure.call("GET", "/subscriptions", version="2022-12-01").json()["value"]
    assert listed == []
    simulator.control.grant("fluxgate", azure.group, ["*/read"])
    path = f"{azure.group}/providers/Microsoft.Authorization/permissions"
    shown = azure.call("GET", path, version="2022-04-01").json()["value"]
    assert [grant["actions"] for grant in shown] == [["*/read"]]


def test_request_limits(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.set_throttle(True)
    path = f"{azure.arc}{FLUX}"
    left = [
        int(azure.call("GET", path).headers["x-ms-ratelimit-remaining-subscription-reads"])
        for _ in range(3)
    ]
    assert left == [249, 248, 247]
    for _ in range(247):
        azure.call("GET", path)
    refused = azure.call("GET", path)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    simulator.control.advance(1)
    assert azure.call("GET", path).status_code == 200


def test_credentials_open_the_kubernetes_door(simulator: InProcessSimulator, azure: Azure) -> None:
    import base64

    path = f"{azure.aks}/listClusterUserCredential"
    answer = azure.call("POST", path, version="2026-08-01").json()
    config = json.loads(base64.b64decode(answer["kubeconfigs"][0]["value"]))
    server = config["clusters"][0]["cluster"]["server"]
    token = config["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    spaces = azure.session.get(f"{server}/api/v1/namespaces", headers=headers).json()
    assert "kube-system" in {item["metadata"]["name"] for item in spaces["items"]}
    assert azure.session.get(f"{server}/api/v1/namespaces").status_code == 401
    assert azure.session.get(f"{server}x/api", headers=headers).status_code == 404


def test_waiting_for_reconciliation(simulator: InProcessSimulator, azure: Azure) -> None:
    body = git_configuration(waitForReconciliation=True, reconciliationWaitDuration="PT10M")
    operation = put(azure, body=body).headers["Azure-AsyncOperation"]
    assert azure.call("GET", operation).json()["status"] == "Creating"
    simulator.run_until_idle()
    assert azure.call("GET", operation).json()["status"] == "Succeeded"
    assert settled(azure)["properties"]["complianceState"] == "Compliant"

    body["properties"]["kustomizations"] = {"broken": {"path": "./nowhere"}}
    operation = put(
        azure, "broken", {**body, "properties": {**body["properties"], "namespace": "broken"}}
    ).headers["Azure-AsyncOperation"]
    simulator.run_until_idle(quiet=timedelta(minutes=11))
    status = azure.call("GET", operation).json()
    assert (status["status"], status["error"]["code"]) == ("Failed", "ReconciliationTimedOut")


def test_a_silent_agent_leaves_its_configurations_unknown(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    put(azure)
    simulator.run_until_idle()

    def state() -> str:
        return str(settled(azure)["properties"]["complianceState"])

    assert state() == "Compliant"
    simulator.control.set_agent_online(azure.arc, False)
    simulator.control.advance(16 * 60)
    simulator.step()
    assert state() == "Unknown"
    simulator.control.set_agent_online(azure.arc, True)
    assert state() == "Compliant"


def test_a_token_for_something_else_is_refused(azure: Azure) -> None:
    token = azure.credential().get_token("https://graph.microsoft.com/.default").token
    answer = azure.session.get(
        f"{azure.endpoint}/subscriptions?api-version=2022-12-01",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert error_of(answer) == (401, "InvalidAuthenticationTokenAudience")


def test_flux_version_1_can_be_seen(simulator: InProcessSimulator, azure: Azure) -> None:
    old = f"{azure.arc}/providers/Microsoft.KubernetesConfiguration/sourceControlConfigurations"
    simulator.control.put_resource(
        {
            "id": f"{old}/legacy",
            "name": "legacy",
            "type": "Microsoft.KubernetesConfiguration/sourceControlConfigurations",
            "properties": {"repositoryUrl": "https://github.com/contoso/old"},
        }
    )
    listed = azure.call("GET", old, version="2023-05-01").json()["value"]
    assert [item["name"] for item in listed] == ["legacy"]
    assert azure.call("PUT", f"{old}/new", {}, version="2023-05-01").status_code == 405
