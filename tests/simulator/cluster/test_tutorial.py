"""The tutorial's configuration over the sample repository, seen from Azure and by kubectl."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from simulator.sample import materialise

from .conftest import Bench, HandClock, MakeBench, Sources

TUTORIAL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"
KUSTOMIZATIONS = {
    "infra": {"path": "./infrastructure", "prune": True},
    "apps": {"path": "./apps/staging", "prune": True, "dependsOn": ["infra"]},
}
Kubectl = Callable[..., str]


@pytest.fixture
def tutorial(bench: Bench, sources: Sources, tmp_path: Path) -> Bench:
    sources.paths[TUTORIAL] = materialise(tmp_path / "sample")
    put(bench)
    bench.settle()
    return bench


def put(bench: Bench, **properties: object) -> None:
    git = {"url": TUTORIAL}
    namespace = {"namespace": "cluster-config"} | properties
    bench.put(KUSTOMIZATIONS, name="cluster-config", git=git, **namespace)


def test_the_sample_is_the_same_everywhere(tmp_path: Path) -> None:
    heads = set()
    for name in ("one", "two"):
        path = materialise(tmp_path / name)
        assert materialise(path) == path
        line = ["git", "-C", str(path), "rev-parse", "main"]
        heads.add(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    assert len(heads) == 1


def test_statuses_come_in_azures_order(tutorial: Bench) -> None:
    report = tutorial.simulation.report("cluster-config")
    assert report.compliance_state == "Compliant"
    shown = [
        (item["kind"], item["name"], (item["appliedBy"] or {}).get("name"))
        for item in report.statuses
    ]
    assert shown == [
        ("GitRepository", "cluster-config", None),
        ("Kustomization", "cluster-config-infra", None),
        ("HelmRepository", "bitnami", "cluster-config-infra"),
        ("HelmRepository", "podinfo", "cluster-config-infra"),
        ("HelmRelease", "nginx", "cluster-config-infra"),
        ("HelmRelease", "redis", "cluster-config-infra"),
        ("Kustomization", "cluster-config-apps", None),
        ("HelmRelease", "podinfo", "cluster-config-apps"),
    ]
    assert {item["complianceState"] for item in report.statuses} == {"Compliant"}
    release = report.statuses[4]
    assert release["helmReleaseProperties"] == {
        "failureCount": 0,
        "helmChartRef": {"name": "cluster-config-nginx", "namespace": "cluster-config"},
        "installFailureCount": 0,
        "lastRevisionApplied": 1,
        "upgradeFailureCount": 0,
    }
    assert [item["type"] for item in release["statusConditions"]] == ["Ready", "Released"]
    assert release["statusConditions"][0]["lastTransitionTime"] == "2026-03-01T12:00:00+00:00"
    assert report.source_updated_at == report.status_updated_at == tutorial.clock.now()
    json.dumps(report.statuses)


def test_on_the_way_the_configuration_is_not_compliant(
    make_bench: MakeBench, sources: Sources, tmp_path: Path
) -> None:
    bench = make_bench()
    sources.paths[TUTORIAL] = materialise(tmp_path / "sample")
    put(bench)
    seen = []
    for _ in range(40):
        bench.simulation.advance()
        state = bench.compliance("cluster-config")
        if not seen or seen[-1] != state:
            seen.append(state)
    assert seen[0] == "Pending"
    assert "Non-Compliant" in seen
    assert seen[-1] == "Compliant"


def test_quiet_clusters_report_nothing(tutorial: Bench) -> None:
    assert tutorial.simulation.advance() == set()
    due = tutorial.simulation.next_due()
    assert due is not None
    assert due > tutorial.clock.now()


def test_production_follows_its_overlay(tutorial: Bench) -> None:
    git = {"url": TUTORIAL}
    changed = KUSTOMIZATIONS | {"apps": KUSTOMIZATIONS["apps"] | {"path": "./apps/production"}}
    tutorial.put(changed, name="cluster-config", git=git, namespace="cluster-config")
    tutorial.settle()
    assert tutorial.compliance("cluster-config") == "Compliant"
    podinfo = tutorial.object("Deployment", "podinfo", "podinfo", "apps")
    assert podinfo["spec"]["replicas"] == 2
    message = tutorial.ready("podinfo", "cluster-config")[2]
    assert message == "stored artifact: revision 'sha256:" + message.partition("sha256:")[2]
    release = tutorial.object("HelmRelease", "podinfo", "cluster-config", "helm.toolkit.fluxcd.io")
    assert [item["status"] for item in release["status"]["history"]] == ["deployed", "superseded"]


def test_deleting_the_configuration_leaves_the_extension(tutorial: Bench) -> None:
    tutorial.simulation.delete_configuration(name="cluster-config")
    store = tutorial.simulation.state.store
    for namespace in ("nginx", "redis", "podinfo"):
        assert not store.has_namespace(namespace)
    assert store.has_namespace("flux-system")
    assert tutorial.object("Deployment", "redis-master", "redis", "apps") is None


# --- kubectl ----------------------------------------------------------------------------------


@pytest.fixture
def kubectl(tutorial: Bench, tmp_path: Path) -> Iterator[Kubectl]:
    program = shutil.which("kubectl")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("kubectl is not installed")
        pytest.skip("kubectl is not installed")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(tutorial.simulation.kubernetes_app(), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def run(*words: str, ok: bool = True) -> str:
        done = subprocess.run(
            [str(program), "--server", address, *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        )
        assert (done.returncode == 0) == ok, done.stderr
        return done.stdout if ok else done.stderr

    yield run
    server.should_exit = True
    thread.join()


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def test_namespaces(kubectl: Kubectl, clock: HandClock) -> None:
    clock.move(minutes=44)
    found = rows(kubectl("get", "namespaces"))
    assert found[0] == ["NAME", "STATUS", "AGE"]
    names = {row[0] for row in found[1:]}
    assert {"flux-system", "cluster-config", "nginx", "podinfo", "redis"} <= names
    assert all(row[1:] == ["Active", "44m"] for row in found[1:])


def test_controllers(kubectl: Kubectl) -> None:
    found = rows(kubectl("get", "pods", "-n", "flux-system"))
    assert found[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    shown = [(row[0].rsplit("-", 2)[0], *row[1:4]) for row in found[1:]]
    assert shown == [
        ("fluxconfig-agent", "2/2", "Running", "0"),
        ("fluxconfig-controller", "2/2", "Running", "0"),
        ("helm-controller", "1/1", "Running", "0"),
        ("kustomize-controller", "1/1", "Running", "0"),
        ("notification-controller", "1/1", "Running", "0"),
        ("source-controller", "1/1", "Running", "0"),
    ]


def test_definitions(kubectl: Kubectl) -> None:
    found = rows(kubectl("get", "crds"))
    assert found[0] == ["NAME", "CREATED", "AT"]
    names = {row[0] for row in found[1:]}
    assert {
        "fluxconfigs.clusterconfig.azure.com",
        "gitrepositories.source.toolkit.fluxcd.io",
        "helmreleases.helm.toolkit.fluxcd.io",
        "kustomizations.kustomize.toolkit.fluxcd.io",
        "connectedclusters.arc.azure.com",
    } <= names


def test_flux_objects(kubectl: Kubectl, tutorial: Bench) -> None:
    revision = tutorial.simulation.report("cluster-config").source_synced_commit_id
    found = rows(kubectl("get", "fluxconfigs", "-A"))
    assert found[0] == ["NAMESPACE", "NAME", "SCOPE", "URL", "PROVISION", "AGE"]
    assert found[1][:5] == ["cluster-config", "cluster-config", "cluster", TUTORIAL, "Succeeded"]
    found = rows(kubectl("get", "gitrepositories", "-A"))
    assert found[0] == ["NAMESPACE", "NAME", "URL", "AGE", "READY", "STATUS"]
    assert " ".join(found[1][5:]) == f"stored artifact for revision '{revision}'"
    found = rows(kubectl("get", "kustomizations", "-A"))
    assert found[0] == ["NAMESPACE", "NAME", "AGE", "READY", "STATUS"]
    for row, name in zip(found[1:], ("cluster-config-apps", "cluster-config-infra"), strict=True):
        assert row[:2] == ["cluster-config", name]
        assert row[3:] == ["True", "Applied", "revision:", revision]
    found = rows(kubectl("get", "helmreleases", "-A"))
    assert [row[1] for row in found[1:]] == ["nginx", "podinfo", "redis"]


def test_workloads(kubectl: Kubectl) -> None:
    found = rows(kubectl("get", "deploy", "-n", "nginx"))
    assert found[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert [row[:4] for row in found[1:]] == [
        ["nginx-ingress-controller", "1/1", "1", "1"],
        ["nginx-ingress-controller-default-backend", "1/1", "1", "1"],
    ]
    assert rows(kubectl("get", "deploy", "-n", "podinfo"))[1][:2] == ["podinfo", "1/1"]


def test_everything_in_a_namespace(kubectl: Kubectl) -> None:
    found = rows(kubectl("get", "all", "-n", "redis"))
    titles = [row for row in found if row[0] == "NAME"]
    assert titles == [
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
        ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"],
        ["NAME", "READY", "AGE"],
    ]
    first = [row[:5] for row in found if row[0] != "NAME"]
    assert first[0][:4] == ["pod/redis-master-0", "1/1", "Running", "0"]
    assert first[1] == ["service/redis-headless", "ClusterIP", "None", "<none>", "6379/TCP"]
    assert first[2][0] == "service/redis-master"
    assert first[3][:2] == ["statefulset.apps/redis-master", "1/1"]


def test_secrets_have_no_values(kubectl: Kubectl) -> None:
    found = json.loads(kubectl("get", "secrets", "-A", "-o", "json"))
    assert found["items"]
    for item in found["items"]:
        assert "stringData" not in item
        assert set((item.get("data") or {}).values()) <= {""}


def test_single_objects_selectors_and_refusals(kubectl: Kubectl) -> None:
    name = kubectl(
        *("get", "ks", "-n", "cluster-config", "-o", "name"),
        *("-l", "clusterconfig.azure.com/name=cluster-config"),
        *("--field-selector", "metadata.name=cluster-config-apps"),
    )
    assert name.strip() == "kustomization.kustomize.toolkit.fluxcd.io/cluster-config-apps"
    message = kubectl("get", "hr", "-n", "cluster-config", "absent", ok=False)
    assert 'helmreleases.helm.toolkit.fluxcd.io "absent" not found' in message
    message = kubectl("delete", "ns", "nginx", "--wait=false", ok=False)
    assert "the simulated cluster can be read only" in message


def test_a_reconcile_can_be_asked_for(kubectl: Kubectl, tutorial: Bench) -> None:
    due = tutorial.simulation.next_due()
    assert due is not None
    assert due > tutorial.clock.now()
    where = ("kustomization", "cluster-config-apps", "-n", "cluster-config")
    kubectl("annotate", *where, "--overwrite", "reconcile.fluxcd.io/requestedAt=now-1")
    tutorial.settle()
    found = json.loads(kubectl("get", *where, "-o", "json"))
    assert found["status"]["lastHandledReconcileAt"] == "now-1"
    assert found["status"]["history"][0]["totalReconciliations"] == 2
    message = kubectl("annotate", *where, "other=thing", ok=False)
    assert "the simulated cluster can be read only" in message
