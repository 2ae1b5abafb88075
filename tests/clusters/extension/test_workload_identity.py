"""Workload identity: read by a worker, planned, reviewed, written in order, and taken back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import Environment, User
from changes.engine import advance
from changes.errors import ChangeRefused
from changes.kinds import kind_named, lane_of
from changes.models import Change, Operation
from changes.sweeping import advance_due
from clusters.environments import cluster_assign
from clusters.federated import needs_of, subject_of
from clusters.federated_changes import (
    Wanted,
    workload_identity_propose,
    workload_identity_undo_propose,
)
from clusters.identity_readings import (
    identity_reading_ask,
    identity_reading_run,
    identity_readings_overdue,
)
from clusters.models import Cluster, Connection, Extension, IdentityReading
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.clusters.test_sync import install
from tests.factories.access import client_of
from tests.factories.changes import approve, make_due
from tests.simulator_fixtures import Azure

pytestmark = pytest.mark.django_db

ACCOUNTS = ("source-controller", "kustomize-controller")
AUDIENCE = "api://AzureADTokenExchange"


@pytest.fixture
def cluster(
    connection: Connection,
    admin: User,
    environment: Environment,
    azure: Azure,
    simulator: InProcessSimulator,
) -> Cluster:
    """The tutorial's AKS cluster with Flux on it, as a sweep sees it."""
    install(simulator, azure.aks)
    sweep(connection)
    for found in Cluster.objects.all():
        cluster_assign(by=admin, cluster=found, environment=environment, by_hand=True)
    return found_again("flux-demo-aks")


def found_again(name: str) -> Cluster:
    related = ("connection", "environment", "extension")
    found: Cluster = Cluster.objects.select_related(*related).get(name=name)
    return found


@pytest.fixture
def identity(azure: Azure) -> str:
    provider = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return f"{azure.group}/providers/{provider}/flux-demo-identity"


def read(cluster: Cluster, identity_id: str = "") -> IdentityReading:
    """What a page asks for and a worker does."""
    reading = identity_reading_ask(cluster=cluster, identity_id=identity_id)
    assert identity_reading_run(reading.pk)
    reading.refresh_from_db()
    return reading


def wanted(reading: IdentityReading, accounts: tuple[str, ...] = ACCOUNTS) -> Wanted:
    found = reading.found["identity"]
    return Wanted(
        client_id=found["client_id"],
        tenant_id=found["tenant_id"],
        reading=reading,
        accounts=accounts,
    )


def ask(author: User, cluster: Cluster, reading: IdentityReading, **more: Any) -> Change:
    return workload_identity_propose(
        author=author, cluster=cluster, wanted=wanted(reading, **more), reason="ACR"
    )


def carry_out(change: Change, approver: User, simulator: InProcessSimulator) -> Change:
    approve(approver, change)
    for _turn in range(40):
        make_due(change)
        advance_due()
        simulator.run_until_idle()
        change.refresh_from_db()
        if change.state in {Change.State.APPLIED, Change.State.FAILED}:
            break
    return change


def live(azure: Azure, identity: str) -> dict[str, dict[str, Any]]:
    """The identity's credentials at Azure."""
    path = f"{identity}/federatedIdentityCredentials"
    items = azure.call("GET", path, version="2024-11-30").json()["value"]
    return {it["name"]: it["properties"] for it in items}


def trust(azure: Azure, identity: str, name: str, **properties: Any) -> None:
    """Somebody made a credential past the portal."""
    body = {"properties": {"audiences": [AUDIENCE], **properties}}
    path = f"{identity}/federatedIdentityCredentials/{name}"
    answer = azure.call("PUT", path, body, version="2024-11-30")
    assert answer.status_code == 201, answer.text


# --- Reading --------------------------------------------------------------------------------
def test_a_worker_reads_the_identities_and_the_issuer(
    cluster: Cluster, simulator: InProcessSimulator, azure: Azure
) -> None:
    properties = {"oidcIssuerProfile": {"enabled": True, "issuerURL": "https://another.example/"}}
    simulator.control.set_properties(azure.aks, properties)
    reading = read(cluster)
    assert [it["name"] for it in reading.found["identities"]] == ["flux-demo-identity"]
    assert set(reading.found["identities"][0]) >= {"client_id", "principal_id", "tenant_id"}
    cluster.refresh_from_db()
    assert cluster.oidc_issuer == "https://another.example/"


def test_what_no_worker_takes_the_sweep_does(cluster: Cluster) -> None:
    reading = identity_reading_ask(cluster=cluster)
    IdentityReading.objects.update(asked_at=timezone.now() - timezone.timedelta(seconds=9))
    identity_readings_overdue()
    reading.refresh_from_db()
    assert not reading.is_running
    assert not identity_reading_run(reading.pk)  # done is done


def test_an_identity_that_is_not_there_is_said_so(cluster: Cluster, identity: str) -> None:
    reading = read(cluster, f"{identity}-other")
    assert reading.problem
    assert reading.problem_code == "ResourceNotFound"


# --- What is needed -------------------------------------------------------------------------
def test_what_an_identity_has_and_lacks() -> None:
    def credential(
        name: str, issuer: str, account: str, audience: str = AUDIENCE
    ) -> dict[str, Any]:
        return {
            "name": name,
            "issuer": issuer,
            "subject": subject_of(account),
            "audiences": [audience],
        }

    here, there = "https://issuer/here/", "https://issuer/there/"
    source, kustomize, reflector = needs_of(
        "web",
        here,
        ("source-controller", "kustomize-controller", "image-reflector-controller"),
        [
            credential("mine", here, "source-controller"),
            credential("other-cluster", there, "source-controller"),
            credential("old", here, "kustomize-controller", audience="api://wrong"),
            {**credential("x", there, "x"), "name": "flux-web-image-reflector-controller"},
        ],
    )
    assert (source.state, source.name, source.elsewhere) == ("present", "mine", ("other-cluster",))
    assert (kustomize.state, kustomize.name) == ("wrong_audience", "old")
    assert (reflector.state, reflector.name, reflector.taken) == (
        "missing",
        "flux-web-image-reflector-controller-2",
        "flux-web-image-reflector-controller",
    )


# --- Asked, approved, written ---------------------------------------------------------------
def test_credentials_first_one_after_another_then_the_extension(
    cluster: Cluster,
    identity: str,
    author: User,
    approver: User,
    azure: Azure,
    simulator: InProcessSimulator,
) -> None:
    reading = read(cluster, identity)
    change = ask(author, cluster, reading)
    risks = {risk.code: risk for risk in kind_named(change.kind).risks(change)}
    assert risks["trust_given"].tone == "bad"
    assert "flux-demo-identity" in risks["trust_given"].text
    assert "restart" in risks
    facts = {fact.text: fact.value for fact in kind_named(change.kind).facts(change)}
    assert (facts["identity"], facts["credentials written"]) == ("1", "2")
    assert carry_out(change, approver, simulator).state == "applied"
    writes = [(it["method"], it["path"].rsplit("/", 1)[1]) for it in simulator.control.journal()]
    assert writes[-3:] == [
        ("PUT", "flux-flux-demo-aks-source-controller"),
        ("PUT", "flux-flux-demo-aks-kustomize-controller"),
        ("PATCH", "flux"),
    ]
    made = live(azure, identity)["flux-flux-demo-aks-source-controller"]
    assert made == {
        "issuer": cluster.oidc_issuer,
        "subject": "system:serviceaccount:flux-system:source-controller",
        "audiences": [AUDIENCE],
    }
    settings = Extension.objects.get(cluster=cluster).settings
    assert settings["workloadIdentity.enable"] == "true"
    assert settings["workloadIdentity.azureClientId"] == reading.found["identity"]["client_id"]
    # The engine has the page's reading done again, and then there is nothing to do.
    again = read(cluster, identity)
    with pytest.raises(ChangeRefused) as caught:
        ask(author, found_again(cluster.name), again)
    assert caught.value.code == "nothing_changed"


def test_a_credential_that_is_there_is_not_written_again(
    cluster: Cluster, identity: str, author: User, azure: Azure
) -> None:
    subject = subject_of("source-controller")
    trust(azure, identity, "made-by-hand", issuer=cluster.oidc_issuer, subject=subject)
    change = ask(author, cluster, read(cluster, identity))
    names = [step["resource_name"] for step in change.content["targets"][0]["steps"]]
    assert names == ["flux-flux-demo-aks-kustomize-controller", "flux"]


def test_without_the_extension_it_is_installed_with_these_settings(
    cluster: Cluster,
    identity: str,
    author: User,
    approver: User,
    azure: Azure,
    simulator: InProcessSimulator,
) -> None:
    arc = found_again_without_extension("flux-demo-arc")
    change = ask(author, arc, read(arc, identity))
    assert carry_out(change, approver, simulator).state == "applied"
    live_extension = azure.call(
        "GET",
        f"{azure.arc}/providers/Microsoft.KubernetesConfiguration/extensions/flux",
        version="2025-03-01",
    ).json()
    settings = live_extension["properties"]["configurationSettings"]
    assert settings["workloadIdentity.enable"] == "true"


def found_again_without_extension(name: str) -> Cluster:
    found: Cluster = Cluster.objects.select_related("connection").get(name=name)
    return found


def test_a_name_that_was_taken_meanwhile_stops_before_anything_is_overwritten(
    cluster: Cluster,
    identity: str,
    author: User,
    approver: User,
    azure: Azure,
    simulator: InProcessSimulator,
) -> None:
    change = ask(author, cluster, read(cluster, identity))
    name = "flux-flux-demo-aks-source-controller"
    trust(azure, identity, name, issuer="https://another.example/", subject="someone")
    assert carry_out(change, approver, simulator).state == "failed"
    assert change.operations.first().problem == "base_moved"
    assert live(azure, identity)[name]["subject"] == "someone"


def test_azures_refusal_of_writes_at_the_same_time_is_waited_out(
    cluster: Cluster,
    identity: str,
    author: User,
    approver: User,
    simulator: InProcessSimulator,
) -> None:
    simulator.control.options(credential_write_seconds=30)
    change = ask(author, cluster, read(cluster, identity))
    approve(approver, change)
    first, second, _extension = change.operations.all()
    advance(first.pk)
    make_due(change)
    advance(second.pk)
    second.refresh_from_db()
    assert (second.state, second.problem) == ("waiting", "busy")
    simulator.control.advance(40)
    make_due(change)
    advance(second.pk)
    second.refresh_from_db()
    assert second.state == "succeeded"


def test_all_credentials_of_an_identity_share_a_lane(
    cluster: Cluster, identity: str, author: User
) -> None:
    from changes.content import targets_of

    change = ask(author, cluster, read(cluster, identity))
    first, second, extension = targets_of(change.content)[0].steps
    assert lane_of(first) == lane_of(second) == identity.lower()
    assert lane_of(extension) == extension.resource_id


def test_a_write_for_another_cluster_waits_while_one_runs_on_the_identity(
    cluster: Cluster, identity: str, author: User, approver: User
) -> None:
    arc = found_again_without_extension("flux-demo-arc")
    one, other = (
        ask(author, cluster, read(cluster, identity)),
        ask(author, arc, read(arc, identity)),
    )
    approve(approver, one)
    approve(approver, other)
    running = one.operations.first()
    Operation.objects.filter(pk=running.pk).update(state="sending")
    make_due(other)
    waiting = other.operations.first()
    assert advance(waiting.pk) is None
    Operation.objects.filter(pk=running.pk).update(state="succeeded")
    assert advance(waiting.pk) is not None or waiting.change.operations.first().state == "succeeded"
    waiting.refresh_from_db()
    assert waiting.state == "succeeded"


# --- What is refused ------------------------------------------------------------------------
def test_more_than_an_identity_can_have_is_refused_before_submit(
    cluster: Cluster, identity: str, author: User, azure: Azure
) -> None:
    for number in range(19):
        trust(azure, identity, f"other-{number}", issuer="https://x.example/", subject=f"s{number}")
    with pytest.raises(ChangeRefused, match="20") as caught:
        ask(author, cluster, read(cluster, identity))
    assert caught.value.code == "too_many"
    assert not Change.objects.exists()


def test_without_an_issuer_it_is_refused(cluster: Cluster, identity: str, author: User) -> None:
    reading = read(cluster, identity)
    cluster.oidc_issuer = ""
    with pytest.raises(ChangeRefused) as caught:
        ask(author, cluster, reading)
    assert caught.value.code == "no_issuer"


def test_an_extension_that_is_too_old_is_refused(
    cluster: Cluster, identity: str, author: User
) -> None:
    Extension.objects.filter(cluster=cluster).update(version="1.7.0")
    with pytest.raises(ChangeRefused, match=r"1\.8\.0"):
        ask(author, found_again(cluster.name), read(cluster, identity))


# --- Taken back -----------------------------------------------------------------------------
def test_the_end_turns_the_setting_off_first_and_keeps_what_other_clusters_use(
    cluster: Cluster,
    identity: str,
    author: User,
    approver: User,
    azure: Azure,
    simulator: InProcessSimulator,
) -> None:
    carry_out(ask(author, cluster, read(cluster, identity)), approver, simulator)
    subject = subject_of("source-controller")
    trust(azure, identity, "elsewhere", issuer="https://another.example/", subject=subject)
    change = workload_identity_undo_propose(
        author=author,
        cluster=found_again(cluster.name),
        reading=read(cluster, identity),
        names=[*live(azure, identity)],
        turn_off=True,
        reason="Moved to another identity",
    )
    steps = [(it["method"], it["kind"]) for it in change.content["targets"][0]["steps"]]
    assert steps[0] == ("PATCH", "flux_extension")
    assert steps[1:] == [("DELETE", "federated_credential")] * 2
    tones = {risk.code: risk.tone for risk in kind_named(change.kind).risks(change)}
    assert tones["trust_ended"] == "bad"
    assert "workload_identity_off" in tones
    assert carry_out(change, approver, simulator).state == "applied"
    assert set(live(azure, identity)) == {"elsewhere"}
    assert Extension.objects.get(cluster=cluster).settings["workloadIdentity.enable"] == "false"


# --- The page -------------------------------------------------------------------------------
def url(cluster: Cluster, name: str = "workload_identity", **query: str) -> str:
    address = reverse(f"clusters:{name}", args=[cluster.pk])
    return f"{address}?{urlencode(query)}" if query else address


def test_the_page_leads_from_the_issuer_to_the_change(
    cluster: Cluster, identity: str, author: User
) -> None:
    page = client_of(author)
    text = page.get(url(cluster)).content.decode()
    assert cluster.oidc_issuer in text
    assert "Read the identities" in text
    page.post(url(cluster, "workload_identity_read"))
    identity_reading_run(IdentityReading.objects.get(identity_id="").pk)
    assert "flux-demo-identity" in page.get(url(cluster)).content.decode()
    answer = page.post(url(cluster, "workload_identity_read"), {"identity": identity})
    assert answer["Location"] == url(cluster, identity=identity.lower())
    assert "is being read" in page.get(answer["Location"]).content.decode()
    identity_reading_run(IdentityReading.objects.exclude(identity_id="").get().pk)
    text = page.get(answer["Location"]).content.decode()
    assert "flux-flux-demo-aks-source-controller is created" in text
    assert "az identity federated-credential create --name flux-flux-demo-aks-source" in text
    assert "--role AcrPull" in text
    answer = page.post(
        answer["Location"] if "Location" in answer else url(cluster, identity=identity),
        {"accounts": ACCOUNTS, "reason": "ACR"},
    )
    assert answer.status_code == 302
    change = Change.objects.get()
    assert change.kind == "federated_credential"
    text = page.get(reverse("changes:detail", args=[change.pk])).content.decode()
    assert "az identity federated-credential create" in text


def test_a_client_id_is_found_among_the_listed_ones(
    cluster: Cluster, identity: str, author: User
) -> None:
    client_id = read(cluster).found["identities"][0]["client_id"]
    answer = client_of(author).post(
        url(cluster, "workload_identity_read"), {"identity": client_id.upper()}
    )
    assert answer["Location"] == url(cluster, identity=identity.lower())


def test_an_identity_that_nobody_here_can_read_is_set_in_the_extension_alone(
    cluster: Cluster, author: User
) -> None:
    client_id = "11111111-2222-4333-8444-555555555555"
    page = client_of(author)
    there = url(cluster, identity=client_id)
    assert "--identity-name IDENTITY_NAME" in page.get(there).content.decode()
    assert page.post(there, {"tenant_id": "wrong", "reason": "x"}).status_code == 422
    assert page.post(there, {"tenant_id": "", "reason": "x"}).status_code == 302
    [step] = Change.objects.get().content["targets"][0]["steps"]
    settings = step["body"]["properties"]["configurationSettings"]
    assert settings["workloadIdentity.azureClientId"] == client_id


def test_what_is_typed_wrong_comes_back_with_the_reason(cluster: Cluster, author: User) -> None:
    page = client_of(author)
    answer = page.post(url(cluster, "workload_identity_read"), {"identity": "flux-demo-identity"})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert 'value="flux-demo-identity"' in text
    assert "userAssignedIdentities/NAME" in text
    assert not IdentityReading.objects.exists()


def test_a_cluster_without_issuer_gets_the_command(cluster: Cluster, author: User) -> None:
    Cluster.objects.update(oidc_issuer="", workload_identity=False)
    text = client_of(author).get(url(cluster)).content.decode()
    assert "az aks update -g flux-demo-rg -n flux-demo-aks" in text
    assert "--enable-oidc-issuer --enable-workload-identity" in text
    arc = Cluster.objects.get(name="flux-demo-arc")
    text = client_of(author).get(url(arc)).content.decode()
    assert "az connectedk8s update" in text
    assert "--service-account-issuer" in text


def test_the_end_is_asked_for_on_the_page(
    cluster: Cluster, identity: str, author: User, azure: Azure, client: Client
) -> None:
    subject = subject_of("source-controller")
    trust(azure, identity, "mine", issuer=cluster.oidc_issuer, subject=subject)
    read(cluster, identity)
    page = client_of(author)
    there = url(cluster, "workload_identity_end", identity=identity)
    answer = page.post(there, {"end-names": ["mine"]})
    assert answer.status_code == 422  # no reason
    answer = page.post(there, {"end-names": ["mine"], "end-reason": "Not used"})
    assert answer.status_code == 302
    [step] = Change.objects.get().content["targets"][0]["steps"]
    assert (step["method"], step["resource_name"]) == ("DELETE", "mine")
