"""A worker reads a cluster through its Kubernetes API; every answer is the simulated cluster's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.connections import kubernetes_switch
from clusters.kube import kubeconfig
from clusters.kube.access import door_to, kubeconfig_set
from clusters.kube.door import KubernetesProblem
from clusters.kube.reading import reading_run, reading_watch, readings_due, readings_overdue
from clusters.kube.tables import VIEWS, Table, read_table
from clusters.models import Cluster, KubernetesReading
from tests.factories.access import UserFactory
from tests.simulator_fixtures import SimulatorProcess


def read(cluster: Cluster, view: str, **place: str) -> KubernetesReading:
    """What an open page and a worker bring about."""
    reading = reading_watch(cluster=cluster, view=view, **place)
    KubernetesReading.objects.filter(pk=reading.pk).update(next_at=timezone.now())
    assert reading_run(reading.pk)
    reading.refresh_from_db()
    return reading


def columns(reading: KubernetesReading) -> dict[str, list[str]]:
    return {table["key"]: table["columns"] for table in reading.tables}


def names(reading: KubernetesReading, key: str) -> set[str]:
    table = next(it for it in reading.tables if it["key"] == key)
    position = table["columns"].index("NAME")
    return {row[position] for row in table["rows"]}


def test_the_tutorials_tables_have_the_columns_that_kubectl_prints(aks: Cluster) -> None:
    flux = read(aks, "flux")
    assert flux.problem == {}
    assert columns(flux)["fluxconfigs"] == [
        "NAMESPACE", "NAME", "SCOPE", "URL", "PROVISION", "AGE",
    ]  # fmt: skip
    assert columns(flux)["gitrepositories"] == [
        "NAMESPACE", "NAME", "URL", "AGE", "READY", "STATUS",
    ]  # fmt: skip
    assert names(flux, "kustomizations") == {"cluster-config-infra", "cluster-config-apps"}
    assert names(flux, "helmreleases") == {"nginx", "podinfo", "redis"}
    pods = read(aks, "flux-pods")
    assert columns(pods)["pods"] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert {row[2] for row in pods.tables[0]["rows"]} == {"Running"}
    spaces = read(aks, "namespaces")
    assert {"flux-system", "cluster-config", "nginx", "podinfo", "redis"} <= names(
        spaces, "namespaces"
    )
    assert "fluxconfigs.clusterconfig.azure.com" in names(
        read(aks, "crds"), "customresourcedefinitions"
    )


def test_workloads_are_those_of_the_namespace_that_was_chosen(aks: Cluster) -> None:
    workloads = read(aks, "workloads", namespace="podinfo")
    assert columns(workloads)["deployments"] == [
        "NAMESPACE", "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE",
    ]  # fmt: skip
    assert names(workloads, "deployments") == {"podinfo"}
    assert {row[0] for table in workloads.tables for row in table["rows"]} == {"podinfo"}


def test_reading_sends_nothing_but_reads_and_asks_for_no_secret(
    aks: Cluster, door: SimulatorProcess
) -> None:
    for view in VIEWS:
        read(aks, view)
    sent = door.control("kubernetes_requests")
    assert len(sent) > 15
    assert {it["method"] for it in sent} == {"GET"}
    assert not [it for it in sent if "secrets" in it["path"]]


def test_a_door_for_reading_lets_no_other_verb_out(aks: Cluster, door: SimulatorProcess) -> None:
    with door_to(aks) as opened, pytest.raises(RuntimeError, match="PATCH"):
        opened.annotate("/api/v1/namespaces/default", {"a": "b"})
    assert not [it for it in door.control("kubernetes_requests") if it["method"] != "GET"]


def test_a_long_list_is_read_page_by_page(aks: Cluster) -> None:
    small = Table("pods", page=3)
    seen: list[str] = []
    after = ""
    with door_to(aks) as opened:
        while True:
            table = read_table(opened, small, after=after)
            assert len(table["rows"]) <= 3
            seen += [f"{row[0]}/{row[1]}" for row in table["rows"]]
            after = table["continued"]
            if not after:
                break
        whole = read_table(opened, Table("pods"))
    assert len(seen) > 6
    assert seen == [f"{row[0]}/{row[1]}" for row in whole["rows"]]


def test_a_page_that_the_cluster_dropped_is_named(aks: Cluster) -> None:
    reading = read(aks, "workloads", table="pods", after="bm90LWEtcGFnZQ==")
    assert [it["key"] for it in reading.tables] == ["pods"]
    assert reading.tables[0]["problem"]["code"] == "page_gone"


def test_with_entra_id_a_token_of_the_portals_own_is_used_and_nothing_is_run(
    aks: Cluster, door: SimulatorProcess
) -> None:
    door.control("set_kubernetes", cluster_id=door.azure.aks, entra=True)
    assert names(read(aks, "flux"), "fluxconfigs") == {"cluster-config"}


def test_a_token_for_azure_itself_does_not_open_the_cluster(
    aks: Cluster, door: SimulatorProcess
) -> None:
    door.control("set_kubernetes", cluster_id=door.azure.aks, entra=True)
    server = door.settings["kubeconfigs"]["flux-demo-aks"]["server"]
    answer = door.azure.session.get(
        f"{server}/api/v1/namespaces",
        headers={"Authorization": f"Bearer {door.azure.token()}"},
        timeout=30,
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"unreachable": True}, "unreachable"), ({"expired": True}, "unauthorized")],
)
def test_what_keeps_the_api_from_answering_is_named_and_what_was_seen_stays(
    aks: Cluster, door: SimulatorProcess, settings: dict[str, bool], code: str
) -> None:
    before = read(aks, "namespaces").tables
    door.control("set_kubernetes", cluster_id=door.azure.aks, **settings)
    reading = read(aks, "namespaces")
    assert reading.problem["code"] == code
    assert reading.tables == before


def test_a_right_that_is_missing_is_named_with_verb_and_resource_and_hides_no_other_table(
    aks: Cluster, door: SimulatorProcess
) -> None:
    door.control("set_kubernetes", cluster_id=door.azure.aks, forbid=["list pods"])
    workloads = read(aks, "workloads")
    refused = {it["key"]: it["problem"] for it in workloads.tables if it["problem"]}
    assert set(refused) == {"pods"}
    assert (refused["pods"]["verb"], refused["pods"]["resource"]) == ("list", "pods")
    assert "podinfo" in names(workloads, "deployments")


def test_a_cluster_without_flux_has_none_of_its_kinds_and_that_is_no_error(
    arc: Cluster, arc_kubeconfig: str
) -> None:
    kubeconfig_set(by=UserFactory(), cluster=arc, access=kubeconfig.read(arc_kubeconfig))
    flux = read(arc, "flux")
    assert flux.problem == {}
    assert {it["missing"] for it in flux.tables} == {True}


def test_an_arc_cluster_is_read_by_a_stored_kubeconfig_alone(
    arc: Cluster, arc_kubeconfig: str
) -> None:
    assert read(arc, "namespaces").problem["code"] == "no_kubeconfig"
    kubeconfig_set(by=UserFactory(), cluster=arc, access=kubeconfig.read(arc_kubeconfig))
    assert "kube-system" in names(read(arc, "namespaces"), "namespaces")


def test_another_authority_than_the_kubeconfigs_is_not_trusted(
    arc: Cluster, arc_kubeconfig: str
) -> None:
    access = kubeconfig.read(arc_kubeconfig)
    stranger = kubeconfig.Access(access.server, "", token=access.token)
    kubeconfig_set(by=UserFactory(), cluster=arc, access=stranger)
    assert read(arc, "namespaces").problem["code"] == "certificate"


def test_a_switched_off_connection_is_not_read(aks: Cluster, door: SimulatorProcess) -> None:
    kubernetes_switch(by=UserFactory(), connection=aks.connection, on=False)
    aks.refresh_from_db()
    with pytest.raises(KubernetesProblem, match="off"):
        door_to(aks)
    assert door.control("kubernetes_requests") == []


def test_only_what_somebody_looks_at_is_read(aks: Cluster) -> None:
    reading = reading_watch(cluster=aks, view="namespaces")
    sent: list[int] = []
    readings_due(send=sent.append)
    assert sent == [reading.pk]
    past = timezone.now() - timedelta(minutes=5)
    KubernetesReading.objects.update(watch_until=past)
    sent.clear()
    readings_due(send=sent.append)
    assert sent == []


def test_without_a_broker_the_sweep_reads_it(aks: Cluster) -> None:
    reading = reading_watch(cluster=aks, view="namespaces")
    late = timezone.now() - timedelta(seconds=30)
    KubernetesReading.objects.update(next_at=late)
    readings_overdue()
    reading.refresh_from_db()
    assert reading.read_at is not None
    assert not reading_run(reading.pk)  # not due again yet


def test_azure_that_gives_no_credential_is_named(aks: Cluster, door: SimulatorProcess) -> None:
    denied = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
    portal = door.settings["client_id"]
    door.control("grant", principal=portal, actions=["*"], not_actions=[denied])
    try:
        problem = read(aks, "namespaces").problem
    finally:
        door.control("grant", principal=portal, actions=["*"])
    assert problem["code"] == "azure"
    assert "AuthorizationFailed" in problem["message"]
