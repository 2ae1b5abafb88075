"""The Source step: what the rules say stands at the field or the choice that it concerns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from clusters.models import Cluster
from configurations import services
from configurations.models import Configuration, Draft
from configurations.risks import risks_of
from configurations.wizard.source_form import SourceForm
from tests.configurations.test_secrets import GIT, WAYS, drafted

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
OLDER = "2023-05-01"


def errors_of(draft: Draft) -> dict[str, list[str]]:
    form = SourceForm(draft.data["source"], violations=services.draft_violations(draft))
    return {name: [str(it) for it in found] for name, found in form.errors.items()}


@pytest.mark.parametrize(
    ("source", "field", "lacking"),
    [
        ({**GIT, "sign_in": "azure"}, "sign_in", "gitRepository.provider"),
        (
            {**GIT, "sign_in": "github", "local_auth_ref": "app"},
            "sign_in",
            "gitRepository.provider",
        ),
        (
            {
                "source_kind": "OCIRepository", "shown_kind": "OCIRepository",
                "oci_url": "oci://registry.example.org/team/fleet", "oci_reference_type": "latest",
                "oci_sync_interval": "10", "oci_sync_timeout": "10",
            },
            "source_kind",
            "OCIRepository",
        ),
    ],
)  # fmt: skip
def test_what_the_older_api_version_lacks_is_refused_where_it_was_chosen(
    source: dict[str, str], field: str, lacking: str, cluster: Cluster, author: User,
    client_of: ClientOf,
) -> None:  # fmt: skip
    cluster.connection.api_version = OLDER
    cluster.connection.save()
    draft = drafted(client_of(author), cluster, source)
    assert f"API version {OLDER} does not know {lacking}." in errors_of(draft)[field]
    page = client_of(author).get(reverse("configurations:draft_source", args=[draft.pk]))
    assert f'id="id_{field}_error"' in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"https_ca_cert": "no certificate"}, "https_ca_cert"),
        ({"url": "git@git.example.org:team/fleet", "sign_in": "azure"}, "sign_in"),
        ({"url": "git@git.example.org:a/b", "sign_in": "ssh_generated", "known_hosts": "no line"},
         "known_hosts"),
    ],
)  # fmt: skip
def test_a_rule_of_git_is_shown_at_its_field(
    changes: dict[str, str], field: str, cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    draft = drafted(client_of(author), cluster, {**WAYS["https"][0], **changes})
    assert list(errors_of(draft)) == [field]


@pytest.mark.parametrize(
    ("way", "changes", "field"),
    [
        ("bucket", {"bucket_name": "s3://fleet"}, "bucket_name"),
        ("bucket", {"bucket_url": "http://s3.example.org"}, "bucket_insecure"),
        ("account key", {"container_name": "My Fleet"}, "container_name"),
        ("account key", {"blob_sign_in": "identity", "blob_identity_client_id": "x"},
         "blob_identity_client_id"),
        ("OCI with TLS", {"oci_url": "oci://registry.example.org/a:1.0"}, "oci_url"),
        ("OCI with TLS", {"oci_media_type": "tar"}, "oci_media_type"),
        ("OCI with TLS", {"oci_insecure": "on"}, "oci_insecure"),
        ("OCI with TLS", {"oci_verified": "notation"}, "oci_verification_config"),
        ("OCI with TLS", {"oci_sign_in": "account", "oci_service_account": "A B"},
         "oci_service_account"),
    ],
)  # fmt: skip
def test_a_rule_of_the_other_kinds_is_shown_at_its_field(
    way: str, changes: dict[str, str], field: str, cluster: Cluster, author: User,
    client_of: ClientOf,
) -> None:  # fmt: skip
    draft = drafted(client_of(author), cluster, {**WAYS[way][0], **changes})
    assert list(errors_of(draft)) == [field]


@pytest.mark.parametrize(
    "field", ["oci_ca_certificate", "oci_client_certificate", "oci_private_key"]
)
def test_what_is_no_pem_is_not_kept_as_a_certificate(
    field: str, cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    """Refused when it is typed: once it is stored nobody can look at it again."""
    draft = drafted(client_of(author), cluster, {**WAYS["OCI with TLS"][0], field: "not PEM"})
    assert "was not kept" in errors_of(draft)[field][0]


def test_a_change_with_a_generated_key_pair_reopens_as_one(
    cluster: Cluster, author: User, client_of: ClientOf
) -> None:
    source = {**GIT, "url": "git@git.example.org:team/fleet", "sign_in": "ssh_generated"}
    draft = drafted(client_of(author), cluster, source)
    change = services.draft_submit(draft=draft, reason="Flux makes the key")
    again = services.draft_revise(author=author, change=change)
    assert again.data["source"]["sign_in"] == "ssh_generated"
    assert services.draft_violations(again) == []


def test_a_patch_to_another_kind_takes_the_old_body_away(
    author: User, configuration: Configuration, client_of: ClientOf
) -> None:
    """JSON merge: what is only left out would stay, and Azure refuses two bodies."""
    draft = services.draft_edit(author=author, configuration=configuration)
    local = {**WAYS["bucket"][0], "bucket_sign_in": "local", "bucket_local_auth_ref": "keys"}
    del local["bucket_secret_key"]
    client_of(author).post(reverse("configurations:draft_source", args=[draft.pk]), local)
    draft.refresh_from_db()
    Configuration.objects.update(adopted=True)
    change = services.draft_submit(draft=draft, reason="From Git to a bucket")
    step = change.content["targets"][0]["steps"][0]
    assert step["method"] == "PATCH"
    assert step["body"]["properties"]["sourceKind"] == "Bucket"
    assert step["body"]["properties"]["gitRepository"] is None
    assert step["body"]["properties"]["bucket"]["localAuthRef"] == "keys"
    risks = {it.code for it in risks_of(change)}
    assert "source_kind" in risks
