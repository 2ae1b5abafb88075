"""Secrets of sources: typed once, never shown, sent in full with each write."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import User
from audit.models import AuditEvent
from changes.models import Change, Operation, Problem
from clusters.models import Cluster
from clusters.secrets import decrypt
from configurations import services
from configurations.models import Configuration, Draft, SecretVersion
from configurations.secrets import secrets_clean_up
from simulator.faults import Fault
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import _sample_identity, azure, connection, simulator
from tests.configurations.test_apply import arc, carry_out, read_all
from tests.configurations.test_wizard import BASICS, INFRA, TUTORIAL_URL, Wizard
from tests.factories.changes import approve
from tests.factories.pem import certificate

__all__ = ["_sample_identity", "arc", "azure", "connection", "simulator"]

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]

GUID = "0b0b0b0b-0000-4000-8000-00000000000b"
CANARY = "canary-3f9d"
SSH_KEY = (
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    .decode()
)
CERTIFICATE = certificate()
SHOWN = {"sync_interval": "10", "sync_timeout": "10", "shown_kind": "GitRepository"}
GIT = {
    **SHOWN,
    "source_kind": "GitRepository",
    "url": "https://git.example.org/team/fleet",
    "reference_type": "branch",
    "branch": "main",
    "repository_type": "private",
}


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# kind and way -> what is typed, and the secrets that ARM is to get by path
WAYS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "https": (
        {**GIT, "sign_in": "https", "https_user": "flux", "https_key": CANARY},
        {"configurationProtectedSettings": {"httpsKey": coded(CANARY)}},
    ),
    "ssh": (
        {**GIT, "url": "git@git.example.org:team/fleet", "sign_in": "ssh_key",
         "ssh_private_key": SSH_KEY},
        {"configurationProtectedSettings": {"sshPrivateKey": coded(SSH_KEY)}},
    ),
    "bucket": (
        {"source_kind": "Bucket", "shown_kind": "Bucket", "bucket_url": "https://s3.example.org",
         "bucket_name": "fleet", "bucket_sign_in": "keys", "bucket_access_key": "AKIA",
         "bucket_secret_key": CANARY, "bucket_sync_interval": "10", "bucket_sync_timeout": "10"},
        {"configurationProtectedSettings": {"bucketSecretKey": coded(CANARY)}},
    ),
    "account key": (
        {"source_kind": "AzureBlob", "shown_kind": "AzureBlob", "container_name": "fleet",
         "blob_url": "https://fleet.blob.core.windows.net", "blob_sign_in": "account",
         "blob_account_key": CANARY, "blob_sync_interval": "10", "blob_sync_timeout": "10"},
        {"azureBlob": {"accountKey": CANARY}},
    ),
    "SAS": (
        {"source_kind": "AzureBlob", "shown_kind": "AzureBlob", "container_name": "fleet",
         "blob_url": "https://fleet.blob.core.windows.net", "blob_sign_in": "sas",
         "blob_sas_token": CANARY, "blob_sync_interval": "10", "blob_sync_timeout": "10"},
        {"azureBlob": {"sasToken": CANARY}},
    ),
    "certificate": (
        {"source_kind": "AzureBlob", "shown_kind": "AzureBlob", "container_name": "fleet",
         "blob_url": "https://fleet.blob.core.windows.net", "blob_sign_in": "certificate",
         "blob_client_id": GUID, "blob_tenant_id": GUID, "blob_certificate": SSH_KEY,
         "blob_certificate_password": CANARY, "blob_send_chain": "on",
         "blob_sync_interval": "10", "blob_sync_timeout": "10"},
        {"azureBlob": {"servicePrincipal": {"clientCertificate": coded(SSH_KEY),
                                            "clientCertificatePassword": CANARY}}},
    ),
    "OCI with TLS": (
        {"source_kind": "OCIRepository", "shown_kind": "OCIRepository",
         "oci_url": "oci://registry.example.org/team/fleet", "oci_reference_type": "tag",
         "oci_tag": "1.0", "oci_sign_in": "public", "oci_client_certificate": CERTIFICATE,
         "oci_private_key": SSH_KEY, "oci_sync_interval": "10", "oci_sync_timeout": "10"},
        {"ociRepository": {"tlsConfig": {"clientCertificate": coded(CERTIFICATE),
                                         "privateKey": coded(SSH_KEY)}}},
    ),
}  # fmt: skip


def drafted(client: Client, cluster: Cluster, source: dict[str, str]) -> Draft:
    """A new configuration with this source, filled in up to the review."""
    wizard = Wizard(client, cluster)
    draft = wizard.begin()
    wizard.post(draft, "basics", **BASICS, go="next")
    wizard.post(draft, "source", **source, go="next")
    wizard.post(draft, "kustomizations", do="add")
    wizard.post(draft, "kustomizations", **INFRA, do="save")
    draft.refresh_from_db()
    return draft


def sent_secrets(simulator: InProcessSimulator, name: str = "cluster-config") -> dict[str, Any]:
    """The secrets that the service holds for the configuration."""
    held = simulator.core.store.all()
    return next(dict(it.secrets) for it in held if it.name == name and "scope" in it.properties)


# --- From the form to Azure -----------------------------------------------------------------
@pytest.mark.parametrize("way", WAYS)
def test_each_secret_reaches_azure_with_every_write(
    way: str,
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    source, wanted = WAYS[way]
    draft = drafted(client_of(author), arc, source)
    assert services.draft_violations(draft) == []
    change = services.draft_submit(draft=draft, reason="A private source")
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED, change.operations.values_list("problem_message")
    assert sent_secrets(simulator) == wanted

    # Nobody types it again: whatever is done puts the whole body, secrets included.
    read_all()
    configuration = Configuration.objects.get(name="cluster-config")
    for verb in (Change.Verb.SUSPEND, Change.Verb.RESUME):
        held = services.configuration_propose(
            author=author, configuration=configuration, verb=verb, reason="Hold, and go on"
        )
        approve(approver, held)
        carry_out(held, simulator)
        assert held.content["targets"][0]["steps"][0]["method"] == "PUT"
        assert sent_secrets(simulator) == wanted
        read_all()
        configuration.refresh_from_db()
    assert not configuration.drifted, configuration.drift_fields
    edit = services.draft_edit(author=author, configuration=configuration)
    assert services.draft_violations(edit) == []
    edit.data["kustomizations"]["rows"][0]["path"] = "./apps/staging"
    edit.save()
    edited = services.draft_submit(draft=edit, reason="Another path")
    approve(approver, edited)
    carry_out(edited, simulator)
    assert sent_secrets(simulator) == wanted
    writes = [it["method"] for it in simulator.core.journal.list() if "fluxconf" in str(it).lower()]
    assert writes == ["PUT"] * 4


def test_a_configuration_made_elsewhere_is_patched_until_its_secret_is_entered(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    source, _wanted = WAYS["https"]
    first = services.draft_submit(
        draft=drafted(client_of(author), arc, source), reason="Made, and then forgotten"
    )
    approve(approver, first)
    carry_out(first, simulator)
    Configuration.objects.update(adopted=True, desired=None)
    SecretVersion.objects.all().delete()
    read_all()
    configuration = Configuration.objects.get(name="cluster-config")

    draft = services.draft_edit(author=author, configuration=configuration)
    page = client_of(author).get(reverse("configurations:draft_source", args=[draft.pk]))
    assert "Azure may hold one" in page.content.decode()
    draft.data["source"]["branch"] = "release"
    draft.save()
    assert services.draft_violations(draft) == []
    patched = services.draft_submit(draft=draft, reason="Another branch")
    step = patched.content["targets"][0]["steps"][0]
    assert step["method"] == "PATCH"
    assert "configurationProtectedSettings" not in step["body"]["properties"]
    approve(approver, patched)
    carry_out(patched, simulator)
    assert sent_secrets(simulator) == WAYS["https"][1]

    read_all()
    configuration.refresh_from_db()
    draft = services.draft_edit(author=author, configuration=configuration)
    again = {**source, "branch": "release", "https_key": "another"}
    client_of(author).post(reverse("configurations:draft_source", args=[draft.pk]), again)
    draft.refresh_from_db()
    entered = services.draft_submit(draft=draft, reason="The secret is known now")
    assert entered.content["targets"][0]["steps"][0]["method"] == "PUT"
    approve(approver, entered)
    carry_out(entered, simulator)
    assert sent_secrets(simulator) == {
        "configurationProtectedSettings": {"httpsKey": coded("another")}
    }
    configuration.refresh_from_db()
    assert not configuration.adopted


def test_a_stored_secret_is_not_handed_to_another_host(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    change = services.draft_submit(
        draft=drafted(client_of(author), arc, WAYS["https"][0]), reason="Private"
    )
    approve(approver, change)
    carry_out(change, simulator)
    read_all()
    configuration = Configuration.objects.get(name="cluster-config")
    draft = services.draft_edit(author=author, configuration=configuration)
    draft.data["source"]["url"] = "https://collector.example.net/team/fleet"
    draft.save()
    assert [it.code for it in services.draft_violations(draft)] == ["host_changed"]


def test_a_secret_whose_key_is_gone_is_a_named_problem(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    change = services.draft_submit(
        draft=drafted(client_of(author), arc, WAYS["https"][0]), reason="Private"
    )
    approve(approver, change)
    SecretVersion.objects.update(token=Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    carry_out(change, simulator)
    operation = change.operations.get(problem=Problem.SECRET_LOST)
    assert operation.state == Operation.State.FAILED
    page = client_of(author).get(reverse("changes:detail", args=[change.pk])).content.decode()
    assert "Enter the secret again" in page


# --- The form -------------------------------------------------------------------------------
def test_a_page_says_who_set_a_secret_and_when_and_never_what(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    draft = drafted(client_of(author), cluster, WAYS["https"][0])
    url = reverse("configurations:draft_source", args=[draft.pk])
    page = client_of(author).get(url).content.decode()
    assert f"Set by {author}" in page
    assert "Replace: HTTPS key" in page
    assert CANARY not in page
    assert coded(CANARY) not in page

    client_of(author).post(url, {**WAYS["https"][0], "https_key": "", "remove_secret": "https_key"})
    draft.refresh_from_db()
    assert draft.data["source"]["https_key"] == ""
    assert "This field is required" in client_of(author).get(url).content.decode()
    acts = AuditEvent.objects.filter(action__startswith="secret.").order_by("id")
    assert [it.action for it in acts] == ["secret.set", "secret.removed"]


def test_a_page_that_posts_the_same_secret_again_makes_no_second_version(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    draft = drafted(client_of(author), cluster, WAYS["https"][0])
    url = reverse("configurations:draft_source", args=[draft.pk])
    client_of(author).post(url, WAYS["https"][0])
    assert SecretVersion.objects.count() == 1
    client_of(author).post(url, {**WAYS["https"][0], "https_key": "new"})
    assert SecretVersion.objects.count() == 2


def test_going_to_another_kind_and_back_loses_nothing(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    draft = drafted(client_of(author), cluster, WAYS["https"][0])
    url = reverse("configurations:draft_source", args=[draft.pk])
    client_of(author).post(url, {**WAYS["https"][0], "https_key": "", "source_kind": "Bucket"})
    client_of(author).post(url, {**WAYS["bucket"][0], "source_kind": "GitRepository"})
    draft.refresh_from_db()
    source = draft.data["source"]
    assert source["source_kind"] == "GitRepository"
    assert source["url"] == GIT["url"]
    assert source["bucket_name"] == "fleet"
    assert {"$secret"} == set(source["https_key"]) == set(source["bucket_secret_key"])
    properties = services.draft_properties(draft)
    assert "bucket" not in properties
    assert set(properties["configurationProtectedSettings"]) == {"httpsKey"}


def test_what_is_no_private_key_is_refused_beside_its_field(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    draft = drafted(client_of(author), cluster, {**WAYS["ssh"][0], "ssh_private_key": "not a key"})
    page = client_of(author).get(reverse("configurations:draft_source", args=[draft.pk]))
    assert "This is no PEM private key" in page.content.decode()
    assert not SecretVersion.objects.exists()


def test_the_older_api_version_refuses_newer_fields_by_name(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    cluster.connection.api_version = "2023-05-01"
    cluster.connection.save()
    draft = drafted(client_of(author), cluster, {**GIT, "sign_in": "azure"})
    assert [it.code for it in services.draft_violations(draft)] == ["not_in_version"]
    page = client_of(author).get(reverse("configurations:draft_source", args=[draft.pk]))
    assert "2023-05-01 does not know gitRepository.provider" in page.content.decode()


# --- At rest --------------------------------------------------------------------------------
def test_new_keys_take_over_every_stored_secret(
    cluster: Cluster, author: User, client_of: ClientOf, settings: Any
) -> None:
    drafted(client_of(author), cluster, WAYS["https"][0])
    newest = Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [newest, *settings.ENCRYPTION_KEYS]
    call_command("rotate_secrets")
    settings.ENCRYPTION_KEYS = [newest]
    assert decrypt(SecretVersion.objects.get().token) == coded(CANARY)


def test_what_nothing_can_send_any_more_is_deleted(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    client = client_of(author)
    used = drafted(client, arc, WAYS["https"][0])
    change = services.draft_submit(draft=used, reason="Private")
    approve(approver, change)
    carry_out(change, simulator)
    kept = SecretVersion.objects.get()
    thrown_away = drafted(client, arc, {**WAYS["https"][0], "https_key": "other"})
    client.post(reverse("configurations:draft_discard", args=[thrown_away.pk]))
    still_typed = drafted(client, arc, {**WAYS["https"][0], "https_key": "third"})
    assert SecretVersion.objects.count() == 3
    SecretVersion.objects.update(set_at=timezone.now() - timedelta(days=2))
    assert secrets_clean_up() == 1
    left = set(SecretVersion.objects.values_list("pk", flat=True))
    assert left == {kept.pk, int(still_typed.data["source"]["https_key"]["$secret"])}


# --- Azure forgets ---------------------------------------------------------------------------
def test_what_azure_forgot_is_sent_again_as_a_reviewed_change(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    change = services.draft_submit(
        draft=drafted(client_of(author), arc, WAYS["https"][0]), reason="Private"
    )
    approve(approver, change)
    carry_out(change, simulator)
    read_all()
    configuration = Configuration.objects.get(name="cluster-config")
    url = reverse("configurations:detail", args=[configuration.pk])
    page = client_of(author).get(url).content.decode()
    assert "HTTPS key" in page
    assert "Azure keeps the secrets" not in page

    Cluster.objects.filter(pk=arc.pk).update(connectivity="Offline")
    assert "Azure keeps the secrets of the last write until" in (
        client_of(author).get(f"{url}?x").content.decode()
    )
    Operation.objects.update(accepted_at=timezone.now() - timedelta(hours=49))
    assert "Azure has forgotten the secrets" in client_of(author).get(f"{url}?y").content.decode()

    asked = client_of(author).post(
        reverse("configurations:send_again", args=[configuration.pk]), {"reason": "Back again"}
    )
    again = Change.objects.latest("pk")
    assert asked.url == reverse("changes:detail", args=[again.pk])
    approve(approver, again)
    carry_out(again, simulator)
    assert again.state == Change.State.APPLIED
    assert again.operations.get().note == ""  # really sent, though nothing differs
    assert sent_secrets(simulator) == WAYS["https"][1]


def test_a_write_that_azure_gave_up_is_sent_again_though_nothing_differs(
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
) -> None:
    """A cluster that was away for 48 h; its source needs no secret."""
    public = {**GIT, "url": TUTORIAL_URL, "repository_type": "public"}
    simulator.core.faults.add(Fault(kind="fail_operation", method="PUT", path="fluxconfig"))
    change = services.draft_submit(draft=drafted(client_of(author), arc, public), reason="Public")
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.FAILED
    read_all()
    configuration = Configuration.objects.get(name="cluster-config")
    assert configuration.provisioning_state == "Failed"
    url = reverse("configurations:send_again", args=[configuration.pk])
    page = client_of(author).get(reverse("configurations:detail", args=[configuration.pk]))
    assert url in page.content.decode()
    client_of(author).post(url, {"reason": "The cluster is back"})
    again = Change.objects.latest("pk")
    approve(approver, again)
    carry_out(again, simulator)
    assert again.state == Change.State.APPLIED
    read_all()
    configuration.refresh_from_db()
    assert configuration.provisioning_state == "Succeeded"


def test_nothing_is_sent_again_where_no_secret_is_known(
    author: User, configuration: Configuration, client_of: ClientOf
) -> None:
    url = reverse("configurations:send_again", args=[configuration.pk])
    page = client_of(author).post(url, {"reason": "Again"}).content.decode()
    assert "there is nothing to send again" in page
    assert not Change.objects.exists()
