"""Many configurations as files in a zip."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.test import Client

from access.models import User
from clusters.models import Cluster
from configurations import export
from configurations.faces import FORMS, bring_in, faces_of
from configurations.models import Configuration
from configurations.specification import Specification, normalised
from tests.configurations.faces.strategies import place
from tests.factories.clusters import ClusterFactory
from tests.factories.configurations import TUTORIAL, ConfigurationFactory

pytestmark = pytest.mark.django_db
URL = "/configurations/export.zip"


@pytest.fixture
def client(client_of: Any, viewer: User) -> Client:
    made: Client = client_of(viewer)
    return made


def unzipped(client: Client, **query: Any) -> dict[str, str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert archive.testzip() is None
    return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("face", FORMS)
def test_each_cluster_has_a_folder_and_each_configuration_a_file(
    client: Client, cluster: Cluster, face: str
) -> None:
    other = ClusterFactory(name="weu-1", environment=cluster.environment)
    for where, name in ((cluster, "one"), (cluster, "two"), (other, "one")):
        ConfigurationFactory(cluster=where, name=name)
    files = unzipped(client, face=face)
    assert [name.split("/")[0] for name in files] == ["flux-demo-arc", "flux-demo-arc", "weu-1"]
    assert all("one" in name or "two" in name for name in files)
    assert all("./apps/staging" in text for text in files.values())


def test_a_template_of_it_is_the_configuration(
    client: Client, configuration: Configuration
) -> None:
    (text,) = unzipped(client, face="arm").values()
    (read,) = bring_in(text)
    assert normalised(read.specification.to_wire()) == normalised(configuration.observed)


def test_what_was_picked_wins_over_the_filter_and_the_filter_is_kept_to(
    client: Client, cluster: Cluster
) -> None:
    one = ConfigurationFactory(cluster=cluster, name="one")
    ConfigurationFactory(cluster=cluster, name="two")
    assert list(unzipped(client, pick=[one.pk])) == ["flux-demo-arc/one.json"]
    assert list(unzipped(client, q="name:two")) == ["flux-demo-arc/two.json"]


def test_clusters_of_one_name_have_folders_of_their_own(client: Client, cluster: Cluster) -> None:
    twin = ClusterFactory(name="flux-demo-arc", environment=cluster.environment)
    ConfigurationFactory(cluster=cluster, name="one")
    ConfigurationFactory(cluster=twin, name="one")
    assert sorted(unzipped(client)) == [
        f"flux-demo-arc-{twin.pk}/one.json", "flux-demo-arc/one.json"
    ]  # fmt: skip


def test_no_secret_and_nothing_invisible_is_in_it(client: Client, cluster: Cluster) -> None:
    hidden = ConfigurationFactory(cluster=ClusterFactory(name="other"), name="hidden")
    row: Configuration = ConfigurationFactory(cluster=cluster, name="one")
    row.observed = {
        **TUTORIAL,
        "configurationProtectedSettings": {"httpsKey": "S3CRET-a"},
        "gitRepository": {**TUTORIAL["gitRepository"], "url": "https://me:S3CRET-b@x.example/y"},
    }
    row.save()
    for face in FORMS:
        files = unzipped(client, face=face)
        assert len(files) == 1
        assert "S3CRET" not in json.dumps(files)
    assert client.get(URL, {"pick": hidden.pk}).status_code == 302


def test_what_a_form_cannot_say_is_listed(client: Client, cluster: Cluster) -> None:
    row: Configuration = ConfigurationFactory(cluster=cluster, name="oci")
    row.observed = {"sourceKind": "OCIRepository", "ociRepository": {"url": "oci://x/y"}}
    row.save()
    files = unzipped(client, face="azurerm")
    assert list(files) == ["LEFT-OUT.txt"]
    assert "flux-demo-arc/oci: azurerm does not know" in files["LEFT-OUT.txt"]


def test_more_than_the_limit_is_refused_on_the_list(
    client: Client, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LIMIT", 0)
    answer = client.get(URL, {"q": "name:cluster-config"}, follow=True)
    assert answer.redirect_chain == [("/configurations/?q=name%3Acluster-config", 302)]
    assert "holds at most 0 configurations; these are 1" in answer.content.decode()
    answer = client.get(URL, {"q": "name:none"}, follow=True)
    assert "There is nothing to export" in answer.content.decode()


def test_the_names_of_the_forms_are_those_of_the_faces() -> None:
    found = faces_of(Specification.from_wire(TUTORIAL), place())
    assert [it.code for it in found] == list(FORMS)


def test_the_list_offers_every_form(client: Client, configuration: Configuration) -> None:
    page = client.get("/configurations/").content.decode()
    for face in FORMS:
        assert f"face={face}" in page
        assert f'<option value="{face}"' in page
    assert f'name="pick" value="{configuration.pk}"' in page
