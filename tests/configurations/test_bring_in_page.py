"""The page "Bring in": what was written elsewhere becomes drafts, and nothing typed is lost."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from access.models import User
from changes.models import Change
from clusters.models import Cluster
from configurations import services
from configurations.models import Configuration, Draft
from tests.configurations.faces.test_bring_in import TUTORIALS_OWN
from tests.factories.clusters import ClusterFactory
from tests.factories.configurations import TUTORIAL

pytestmark = pytest.mark.django_db
URL = "/configurations/bring-in"


@pytest.fixture
def client(client_of: Any, author: User) -> Client:
    made: Client = client_of(author)
    return made


def template(name: str = "cluster-config", **properties: Any) -> str:
    resource = {
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "apiVersion": "2025-04-01",
        "name": name,
        "properties": {**TUTORIAL, **properties},
    }
    return json.dumps({"resources": [resource]})


def understood(client: Client, text: str, url: str = URL) -> str:
    answer = client.post(url, {"text": text})
    assert answer.status_code == 200, answer.content.decode()
    page: str = answer.content.decode()
    return page


def carried(page: str) -> str:
    """The hidden field that takes what was read to the next page."""
    found = re.search(r'name="read" value="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def make(client: Client, page: str, **data: Any) -> Any:
    given = {"read": carried(page), "pick": ["0"], "do": "make", "to": "named", **data}
    return client.post(URL, given)


# --- From text to draft ---------------------------------------------------------------------
def test_the_tutorials_command_becomes_a_draft_on_the_cluster_that_it_names(
    client: Client, cluster: Cluster
) -> None:
    page = understood(client, TUTORIALS_OWN)
    for text in ("cluster-config", "infra", "apps", "flux-demo-arc", "All of it was understood"):
        assert text in page
    answer = make(client, page)
    draft = Draft.objects.get()
    assert answer["Location"] == reverse("configurations:draft_review", args=[draft.pk])
    assert (draft.cluster, draft.purpose) == (cluster, "create")
    assert services.draft_violations(draft) == []
    change = services.draft_submit(draft=draft, reason="As the tutorial says")
    body = change.content["targets"][0]["steps"][0]["body"]["properties"]
    assert body["kustomizations"]["apps"] == {
        "path": "./apps/staging", "dependsOn": ["infra"], "prune": True
    }  # fmt: skip
    assert (body["scope"], body["namespace"]) == ("cluster", "cluster-config")


def test_what_the_wizard_does_not_show_stays_as_it_was_given_also_when_revised(
    client: Client, author: User, cluster: Cluster
) -> None:
    page = understood(
        client,
        template(waitForReconciliation=True, reconciliationWaitDuration="PT10M", suspend=True),
    )
    make(client, page, to=str(cluster.pk))
    draft = Draft.objects.get()
    kept = services.draft_properties(draft)
    assert kept["waitForReconciliation"] is True
    assert kept["reconciliationWaitDuration"] == "PT10M"
    assert kept["suspend"] is True
    change = services.draft_submit(draft=draft, reason="x")
    Change.objects.filter(pk=change.pk).update(state="draft")
    change.refresh_from_db()
    again = services.draft_revise(author=author, change=change)
    assert services.draft_properties(again) == kept


def test_basics_of_the_wizard_win_over_what_was_brought_in(
    client: Client, cluster: Cluster
) -> None:
    make(client, understood(client, template()), to=str(cluster.pk))
    draft = Draft.objects.get()
    url = reverse("configurations:draft_basics", args=[draft.pk])
    client.post(url, {"name": "other", "namespace": "team", "scope": "namespace", "go": "next"})
    draft.refresh_from_db()
    assert services.draft_properties(draft)["namespace"] == "team"
    assert services.draft_properties(draft)["scope"] == "namespace"


def test_of_several_only_the_chosen_become_drafts(client: Client, cluster: Cluster) -> None:
    other = TUTORIALS_OWN.replace("-n cluster-config", "-n other")
    third = TUTORIALS_OWN.replace("-n cluster-config", "-n third")
    page = understood(client, TUTORIALS_OWN + other + third)
    assert page.count('name="pick"') == 3
    answer = make(client, page, pick=["0", "2"])
    assert answer["Location"] == reverse("configurations:drafts")
    assert sorted(it.data["basics"]["name"] for it in Draft.objects.all()) == [
        "cluster-config", "third"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "step"), [("Bad Name", "basics"), ("", "basics"), ("fine", "source")]
)
def test_the_wizard_opens_where_something_is_to_be_put_right(
    client: Client, cluster: Cluster, name: str, step: str
) -> None:
    text = template(name, gitRepository={"url": "ftp://x/y", "repositoryRef": {"branch": "main"}})
    answer = make(client, understood(client, text), to=str(cluster.pk))
    draft = Draft.objects.get()
    assert answer["Location"] == reverse(f"configurations:draft_{step}", args=[draft.pk])
    page = client.get(answer["Location"]).content.decode()
    assert 'aria-invalid="true"' in page


def test_a_name_that_the_cluster_has_already_is_told_before_and_after(
    client: Client, configuration: Configuration
) -> None:
    page = understood(client, TUTORIALS_OWN)
    assert "a configuration of this name already" in page
    answer = make(client, page)
    assert answer["Location"].endswith("/basics")
    assert "has a configuration of this name" in client.get(answer["Location"]).content.decode()


# --- Secrets --------------------------------------------------------------------------------
def test_secrets_are_named_as_missing_and_are_nowhere(client: Client, cluster: Cluster) -> None:
    text = template(configurationProtectedSettings={"httpsKey": "S3CRET-canary"})
    page = understood(client, text)
    assert "S3CRET-canary" not in page
    assert "configurationProtectedSettings.httpsKey" in page
    make(client, page, to=str(cluster.pk))
    draft = Draft.objects.get()
    assert "S3CRET-canary" not in json.dumps([draft.data, draft.base])
    source = reverse("configurations:draft_source", args=[draft.pk])
    assert "configurationProtectedSettings.httpsKey" in client.get(source).content.decode()


# --- Clusters -------------------------------------------------------------------------------
def test_a_cluster_is_found_by_searching_and_what_was_ticked_stays(
    client: Client, cluster: Cluster, bare_cluster: Cluster
) -> None:
    page = understood(client, template())
    given = {"read": carried(page), "do": "search", "q": "bare", "pick": []}
    found = client.post(URL, given).content.decode()
    assert f'id="to-{bare_cluster.pk}"' in found
    assert f'id="to-{cluster.pk}"' not in found
    assert not re.search(r'name="pick"[^>]*checked', found)


def test_from_a_clusters_page_that_cluster_is_chosen(client: Client, cluster: Cluster) -> None:
    assert f"{URL}?cluster={cluster.pk}" in client.get(f"/clusters/{cluster.pk}/").content.decode()
    page = understood(client, template(), f"{URL}?cluster={cluster.pk}")
    assert re.search(rf'value="{cluster.pk}" checked', page)


@pytest.mark.parametrize("data", [{"pick": []}, {"to": ""}, {"to": "named"}])
def test_without_a_choice_nothing_is_made_and_the_page_says_what_is_missing(
    client: Client, cluster: Cluster, data: dict[str, Any]
) -> None:
    answer = make(client, understood(client, template()), **data)
    assert answer.status_code == 422
    assert "Choose" in answer.content.decode()
    assert not Draft.objects.exists()


def test_a_cluster_where_one_may_not_propose_is_neither_named_nor_taken(
    client: Client, viewer: User, client_of: Any, cluster: Cluster
) -> None:
    hidden: Cluster = ClusterFactory(name="hidden-arc")
    text = TUTORIALS_OWN.replace("flux-demo-arc", "hidden-arc").replace(
        "flux-demo-rg", hidden.resource_group
    )
    page = understood(client, text)
    assert "not one on which you may propose" in page
    assert make(client, page, to=str(hidden.pk)).status_code == 404
    assert make(client_of(viewer), understood(client_of(viewer), text),
                to=str(cluster.pk)).status_code == 403  # fmt: skip
    assert not Draft.objects.exists()


# --- Files and bad input --------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_that_editors_and_powershell_write(
    client: Client, cluster: Cluster, encoding: str
) -> None:
    file = SimpleUploadedFile("flux.sh", TUTORIALS_OWN.replace("\n", "\r\n").encode(encoding))
    answer = client.post(URL, {"text": "", "file": file})
    assert answer.status_code == 200
    assert "flux-demo-arc" in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe\x00", "no text"),
        (b"\x80\x81", "no text"),
        (b"", "Paste a text or choose a file"),
        (b"x" * 4_000_001, "larger than 4 MB"),
        (b"x" * 1_000_001, "at most 1000000 characters"),
        (b"{", "no JSON"),
    ],
)
def test_a_file_that_is_none_is_refused_at_its_field(
    client: Client, data: bytes, words: str
) -> None:
    answer = client.post(URL, {"text": "", "file": SimpleUploadedFile("x", data)})
    assert answer.status_code == 422
    assert words in answer.content.decode()


@pytest.mark.parametrize(
    "text",
    ["", " ", "just words", '{"a": ', "a: b: c", "az login", "[]", "ü" * 1_000_001,
     "az k8s-configuration flux create 'open", "resource x 'y' = {\n}"],
)  # fmt: skip
def test_a_text_that_is_none_is_refused_in_words_and_stays_in_its_field(
    client: Client, text: str
) -> None:
    answer = client.post(URL, {"text": text})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'id="id_text_error"' in page
    assert unescape(page).count(text.strip()[:200]) or not text.strip()


@pytest.mark.parametrize("read", ["", "x", "a:b:c", "\0"])
def test_what_was_altered_on_its_way_is_to_be_read_again(client: Client, read: str) -> None:
    answer = client.post(URL, {"read": read, "pick": ["0", "x", "-1"], "do": "make"})
    assert answer.status_code == 422
    assert "Read the text again" in answer.content.decode()


def test_more_than_a_page_can_show_is_refused(client: Client) -> None:
    answer = client.post(URL, {"text": TUTORIALS_OWN * 51})
    assert answer.status_code == 422
    assert "at most 50" in answer.content.decode()


def test_the_way_in_is_on_every_page_where_one_begins(client: Client, cluster: Cluster) -> None:
    for page in ("/configurations/", "/configurations/new", f"/clusters/{cluster.pk}/"):
        assert "/configurations/bring-in" in client.get(page).content.decode()
