"""The pages of a cluster's Kubernetes API, and who may switch and store what."""

from __future__ import annotations

import json
import logging

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from access.models import User
from audit.models import AuditEvent
from clusters.kube.access import kubeconfig_set
from clusters.kube.kubeconfig import read
from clusters.models import Cluster, Connection, KubernetesReading, StoredKubeconfig
from clusters.secrets import encrypted_columns
from configurations.observe import observe_one
from tests.clusters.kube.test_kubeconfig import EXEC, TOKEN, config
from tests.clusters.kube.test_reading import read as read_tab
from tests.simulator_fixtures import SimulatorProcess


@pytest.fixture
def as_admin(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def url(cluster: Cluster, rest: str = "") -> str:
    return f"/clusters/{cluster.pk}/kubernetes/{rest}"


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_connection_is_closed_until_an_admin_opens_it_and_the_history_says_so(
    as_admin: Client, aks: Cluster
) -> None:
    assert Connection._meta.get_field("kubernetes").default is False
    switch = f"/clusters/connections/{aks.connection_id}/kubernetes/"
    as_admin.post(switch, {"on": "0"})
    assert "Switched off" in text_of(as_admin, url(aks))
    assert not KubernetesReading.objects.exists()
    as_admin.post(switch, {"on": "1"})
    assert "Switched off" not in text_of(as_admin, url(aks))
    event = AuditEvent.objects.filter(action="connection.changed").latest("id")
    assert (event.detail["before"]["kubernetes"], event.detail["after"]["kubernetes"]) == (
        False, True,
    )  # fmt: skip


def test_the_first_look_asks_a_worker_and_a_later_one_shows_what_it_saw(
    as_admin: Client, aks: Cluster, door: SimulatorProcess
) -> None:
    assert "Being read" in text_of(as_admin, url(aks, "flux/"))
    assert door.control("kubernetes_requests") == []  # not in the request itself
    read_tab(aks, "flux", table="", after="")
    page = text_of(as_admin, url(aks, "flux/"))
    for text in ("PROVISION", "cluster-config-infra", "podinfo", "kubectl get gitrepositories -A"):
        assert text in page
    configuration = aks.configurations.get(name="cluster-config")
    assert f'href="/configurations/{configuration.pk}/"' in page


def test_what_the_tutorial_expects_is_checked(as_admin: Client, aks: Cluster) -> None:
    for view, expected in (
        ("namespaces", "cluster-config"),
        ("flux-pods", "source-controller"),
        ("crds", "fluxconfigs.clusterconfig.azure.com"),
    ):
        read_tab(aks, view, table="", after="")
        page = text_of(as_admin, url(aks, f"{view}/"))
        assert "all is well" in page, view
        assert expected in page


def test_a_missing_controller_is_shown(as_admin: Client, aks: Cluster) -> None:
    reading = read_tab(aks, "flux-pods", table="", after="")
    tables = reading.tables
    tables[0]["rows"] = [row for row in tables[0]["rows"] if "helm-" not in row[0]]
    KubernetesReading.objects.filter(pk=reading.pk).update(tables=tables)
    page = text_of(as_admin, url(aks, "flux-pods/"))
    assert "1 is not well" in page
    assert "is missing" in page


def test_a_wrong_namespace_is_named_and_kept(as_admin: Client, aks: Cluster) -> None:
    page = text_of(as_admin, url(aks, "workloads/?namespace=Not%20One"))
    assert "No namespace can have this name" in page
    assert 'value="Not One"' in page


@pytest.mark.parametrize(
    "query", ["?table=secrets&after=x", "?after=" + "x" * 3000, "?table=pods&after=%00"]
)
def test_a_made_up_address_ends_in_a_page(as_admin: Client, aks: Cluster, query: str) -> None:
    text_of(as_admin, url(aks, "workloads/") + query)


def test_an_unknown_tab_is_not_found(as_admin: Client, aks: Cluster) -> None:
    assert as_admin.get(url(aks, "secrets/")).status_code == 404


def test_a_refused_right_is_named_with_the_next_step(
    as_admin: Client, aks: Cluster, door: SimulatorProcess
) -> None:
    door.control("set_kubernetes", cluster_id=door.azure.aks, forbid=["list pods"])
    read_tab(aks, "workloads", table="", after="")
    page = text_of(as_admin, url(aks, "workloads/"))
    assert "The credential may not list pods." in page
    assert "RBAC Reader" in page


# --- A stored kubeconfig --------------------------------------------------------------------
@pytest.mark.parametrize("way", ["text", "file"])
def test_a_kubeconfig_is_stored_encrypted_and_its_credential_shows_nowhere(
    as_admin: Client, arc: Cluster, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = config() if way == "text" else SimpleUploadedFile("config", config().encode())
    answer = as_admin.post(url(arc, "kubeconfig/"), {way: given})
    assert answer.status_code == 302
    stored = StoredKubeconfig.objects.get(cluster=arc)
    assert TOKEN not in json.dumps(list(StoredKubeconfig.objects.values()), default=str)
    seen = [
        text_of(as_admin, url(arc)),
        text_of(as_admin, url(arc, "kubeconfig/")),
        text_of(as_admin, "/history/"),
        json.dumps(list(AuditEvent.objects.values()), default=str),
        json.dumps(list(KubernetesReading.objects.values()), default=str),
        caplog.text,
    ]
    assert not [it for it in seen if TOKEN in it]
    assert "api.example.com" in seen[1]
    assert stored.set_by is not None
    as_admin.post(url(arc, "kubeconfig/remove/"))
    assert not StoredKubeconfig.objects.exists()
    acts = AuditEvent.objects.filter(object_type="cluster").values_list("action", flat=True)
    assert {"cluster.kubeconfig_set", "cluster.kubeconfig_removed"} <= set(acts)


def test_a_refused_kubeconfig_says_why_and_is_not_shown_again(
    as_admin: Client, arc: Cluster
) -> None:
    answer = as_admin.post(url(arc, "kubeconfig/"), {"text": config(user=EXEC | {"token": TOKEN})})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "“exec” of the user is not taken" in page
    assert TOKEN not in page
    assert not StoredKubeconfig.objects.exists()


def test_a_change_of_keys_reaches_stored_kubeconfigs() -> None:
    assert (StoredKubeconfig, "access_encrypted") in set(encrypted_columns())


def test_a_kubeconfig_whose_key_is_gone_is_named(
    as_admin: Client, admin: User, arc: Cluster
) -> None:
    kubeconfig_set(by=admin, cluster=arc, access=read(config()))
    StoredKubeconfig.objects.update(access_encrypted="gAAAAA-nothing")
    read_tab(arc, "namespaces", table="", after="")
    assert "cannot be decrypted" in text_of(as_admin, url(arc))


# --- Sync now -------------------------------------------------------------------------------
def test_sync_now_is_offered_to_authors_only_where_the_api_is_connected(
    as_admin: Client, aks: Cluster
) -> None:
    found = aks.configurations.get(name="cluster-config")
    page = text_of(as_admin, f"/configurations/{found.pk}/")
    assert "Sync now" in page
    assert "every 10 min" in page
    Connection.objects.update(kubernetes=False)
    page = text_of(as_admin, f"/configurations/{found.pk}/")
    assert "Sync now" not in page
    assert "every 10 min" in page


def test_a_workload_leads_to_the_configuration_whose_release_made_it(
    as_admin: Client, aks: Cluster
) -> None:
    found = aks.configurations.get(name="cluster-config")
    observe_one(found.pk)
    read_tab(aks, "workloads", table="", after="")
    page = text_of(as_admin, url(aks, "workloads/?namespace="))
    assert f'<a href="/configurations/{found.pk}/">podinfo</a>' in page
    back = text_of(as_admin, f"/configurations/{found.pk}/")
    assert f"/clusters/{aks.pk}/kubernetes/flux/?namespace=cluster-config" in back
