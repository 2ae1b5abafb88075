"""Helm repositories, charts and releases."""

from __future__ import annotations

import pytest

from .conftest import Bench, MakeBench, Repository, config_map

PODINFO = "https://stefanprodan.github.io/podinfo"


def helm_repository(url: str = PODINFO) -> str:
    return f"""
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: team}}
spec: {{interval: 10m, url: "{url}"}}
"""


def release(
    extra: str = "", chart: str = "podinfo", version: str = "6.x", name: str = "web"
) -> str:
    return f"""
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {name}, namespace: team}}
spec:
  interval: 10m
  chart:
    spec:
      chart: {chart}
      version: "{version}"
      sourceRef: {{kind: HelmRepository, name: charts}}
{extra}
"""


def run(bench: Bench, repository: Repository, *manifests: str) -> None:
    repository.commit({"app/all.yaml": "---".join(manifests)})
    bench.put({"app": {"path": "app", "prune": True, "wait": False}})
    bench.settle()


def again(bench: Bench, repository: Repository, *manifests: str) -> None:
    repository.commit({"app/all.yaml": "---".join(manifests)})
    bench.later(minutes=11)


def test_install_then_upgrade(bench: Bench, repository: Repository) -> None:
    run(bench, repository, helm_repository(), release(version="6.5.x"))
    assert bench.ready("web") == (
        "True",
        "InstallSucceeded",
        "Helm install succeeded for release team/web.v1 with chart podinfo@6.5.4",
    )
    again(bench, repository, helm_repository(), release("  values: {replicaCount: 3}"))
    assert bench.ready("web") == (
        "True",
        "UpgradeSucceeded",
        "Helm upgrade succeeded for release team/web.v2 with chart podinfo@6.9.2",
    )
    assert bench.object("Deployment", "web-podinfo", group="apps")["spec"]["replicas"] == 3
    found = bench.simulation.report("config").statuses[-1]["helmReleaseProperties"]
    assert found["lastRevisionApplied"] == 2
    assert bench.object("Secret", "sh.helm.release.v1.web.v2") is not None


def test_leaving_the_source_uninstalls(bench: Bench, repository: Repository) -> None:
    run(bench, repository, helm_repository(), release())
    again(bench, repository, helm_repository())
    assert bench.object("Deployment", "web-podinfo", group="apps") is None
    assert bench.object("HelmChart", "team-web", group="source.toolkit.fluxcd.io") is None
    assert bench.object("Secret", "sh.helm.release.v1.web.v1") is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "https://stefanprodan.github.io/absent",
            (
                "failed to fetch Helm repository index: failed to cache index to temporary file: "
                "failed to fetch https://stefanprodan.github.io/absent/index.yaml : 404 Not Found"
            ),
        ),
        (
            "https://charts.example.com",
            (
                "failed to fetch Helm repository index: failed to cache index to temporary file: "
                'Get "https://charts.example.com/index.yaml": dial tcp: lookup '
                "charts.example.com on 10.0.0.10:53: no such host"
            ),
        ),
    ],
)
def test_a_repository_that_cannot_be_fetched(
    bench: Bench, repository: Repository, url: str, message: str
) -> None:
    run(bench, repository, helm_repository(url), release())
    assert bench.ready("charts") == ("False", "Failed", message)
    assert bench.ready("web")[:2] == ("False", "SourceNotReady")
    again(bench, repository, helm_repository(), release())
    assert bench.ready("web")[0] == "True"


@pytest.mark.parametrize(
    ("chart", "version", "message"),
    [
        (
            "podinfo",
            "9.x",
            (
                "invalid chart reference: failed to get chart version for remote reference: no "
                "'podinfo' chart with version matching '9.x' found"
            ),
        ),
        (
            "absent",
            "1.0.0",
            (
                "invalid chart reference: failed to get chart version for remote reference: no "
                "chart name found"
            ),
        ),
    ],
)
def test_a_chart_that_is_not_there(
    bench: Bench, repository: Repository, chart: str, version: str, message: str
) -> None:
    run(bench, repository, helm_repository(), release(chart=chart, version=version))
    text = f"HelmChart 'team/team-web' is not ready: {message}"
    assert bench.ready("web") == ("False", "SourceNotReady", text)
    made = bench.object("HelmChart", "team-web", group="source.toolkit.fluxcd.io")
    kinds = {item["type"]: item["reason"] for item in made["status"]["conditions"]}
    assert kinds["Stalled"] == kinds["BuildFailed"] == "InvalidChartReference"
    again(bench, repository, helm_repository(), release())
    assert bench.ready("web")[0] == "True"


def test_an_absent_namespace_fails_the_install_and_stalls(
    bench: Bench, repository: Repository
) -> None:
    run(bench, repository, helm_repository(), release("  targetNamespace: absent"))
    assert bench.ready("web") == (
        "False",
        "InstallFailed",
        (
            "Helm install failed for release absent/absent-web with chart podinfo@6.9.2: create: "
            'failed to create: namespaces "absent" not found'
        ),
    )
    made = bench.object("HelmRelease", "web", group="helm.toolkit.fluxcd.io")
    first = made["status"]["conditions"][0]
    assert (first["type"], first["reason"]) == ("Stalled", "RetriesExceeded")
    assert first["message"] == "Failed to install after 1 attempt(s)"
    found = bench.simulation.report("config").statuses[-1]["helmReleaseProperties"]
    assert (found["failureCount"], found["installFailureCount"]) == (1, 1)
    more = "  targetNamespace: absent\n  install: {createNamespace: true}"
    again(bench, repository, helm_repository(), release(more))
    assert bench.ready("web")[1] == "InstallSucceeded"


def test_a_workload_that_never_starts_is_retried_then_given_up(
    bench: Bench, repository: Repository
) -> None:
    extra = "  install: {remediation: {retries: 1}}\n  values: {image: {repository: x.invalid/y}}"
    run(bench, repository, helm_repository(), release(extra))
    assert bench.ready("web")[:2] == ("Unknown", "Progressing")
    bench.clock.move(minutes=6)
    bench.simulation.advance()
    assert bench.ready("web") == (
        "False",
        "UninstallSucceeded",
        "Helm uninstall remediation for release team/web.v1 with chart podinfo@6.9.2 succeeded",
    )
    bench.later(seconds=5)
    bench.later(minutes=6)
    assert bench.ready("web") == (
        "False",
        "InstallFailed",
        (
            "Helm install failed for release team/web with chart podinfo@6.9.2: context deadline "
            "exceeded"
        ),
    )
    found = bench.simulation.report("config").statuses[-1]["helmReleaseProperties"]
    assert found["installFailureCount"] == 2


def test_a_failed_upgrade_rolls_back(bench: Bench, repository: Repository) -> None:
    extra = "  upgrade: {remediation: {retries: 1}}\n"
    run(bench, repository, helm_repository(), release(extra))
    good = bench.object("Deployment", "web-podinfo", group="apps")["spec"]
    bad = extra + "  values: {image: {repository: x.invalid/y}}"
    again(bench, repository, helm_repository(), release(bad))
    bench.later(minutes=6)
    assert bench.ready("web") == (
        "False",
        "RollbackSucceeded",
        "Helm rollback to previous release team/web.v1 with chart podinfo@6.9.2 succeeded",
    )
    assert bench.object("Deployment", "web-podinfo", group="apps")["spec"] == good


def test_values_that_cannot_be_read(bench: Bench, repository: Repository) -> None:
    extra = "  valuesFrom: [{kind: Secret, name: absent}]"
    run(bench, repository, helm_repository(), release(extra))
    assert bench.ready("web") == (
        "False",
        "ValuesError",
        (
            "could not resolve Secret chart values reference 'team/absent' with key 'values.yaml': "
            'secrets "absent" not found'
        ),
    )


def test_values_from_a_config_map(bench: Bench, repository: Repository) -> None:
    extra = "  valuesFrom: [{kind: ConfigMap, name: values}]"
    values = config_map("values", **{"values.yaml": "replicaCount: 4"})
    run(bench, repository, values, helm_repository(), release(extra))
    assert bench.object("Deployment", "web-podinfo", group="apps")["spec"]["replicas"] == 4


def test_releases_wait_for_each_other(bench: Bench, repository: Repository) -> None:
    extra = "  dependsOn: [{name: first}]"
    run(bench, repository, helm_repository(), release(extra))
    assert bench.ready("web") == (
        "False",
        "DependencyNotReady",
        (
            "unable to get 'team/first' dependency: helmreleases.helm.toolkit.fluxcd.io "
            '"first" not found'
        ),
    )
    again(bench, repository, helm_repository(), release(extra), release(name="first"))
    assert bench.ready("first")[0] == bench.ready("web")[0] == "True"


def test_an_oci_repository_has_no_conditions(bench: Bench, repository: Repository) -> None:
    oci = helm_repository("oci://ghcr.io/charts").replace(
        "interval: 10m", "interval: 10m, type: oci"
    )
    run(bench, repository, oci)
    status = bench.simulation.report("config").statuses[-1]
    assert (status["statusConditions"], status["complianceState"]) == ([], "Compliant")


def test_a_chart_from_the_managed_source(bench: Bench, repository: Repository) -> None:
    chart = "apiVersion: v2\nname: shop\nversion: 0.3.0\n"
    manifest = release(chart="./charts/shop").replace(
        "namespace: team}",
        'namespace: team, annotations: {clusterconfig.azure.com/use-managed-source: "true"}}',
    )
    repository.commit({"charts/shop/Chart.yaml": chart})
    run(bench, repository, manifest)
    assert bench.ready("web")[2] == (
        "Helm install succeeded for release team/web.v1 with chart shop@0.3.0"
    )


@pytest.mark.parametrize(("drift", "replicas"), [("true", 1), ("false", 7)])
def test_drift_is_corrected_where_it_is_detected(
    make_bench: MakeBench, repository: Repository, drift: str, replicas: int
) -> None:
    bench = make_bench(settings={"helm-controller.detectDrift": drift})
    run(bench, repository, helm_repository(), release())
    state = bench.simulation.state
    found = bench.object("Deployment", "web-podinfo", group="apps")
    edited = found | {"spec": found["spec"] | {"replicas": 7}}
    state.store.apply(edited, manager="kubectl-edit", now=state.now)
    bench.later(minutes=11)
    found = bench.object("Deployment", "web-podinfo", group="apps")
    assert found["spec"]["replicas"] == replicas


def test_a_release_in_a_foreign_namespace_has_no_rights(
    bench: Bench, repository: Repository
) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"
    moved = [
        text.replace("namespace: team", "namespace: other")
        for text in (helm_repository(), release())
    ]
    run(bench, repository, namespace, *moved)
    message = bench.ready("web")[2]
    assert message.startswith("Could not determine release state: ")
    assert message.endswith(
        'secrets is forbidden: User "system:serviceaccount:other:flux-applier" cannot list '
        'resource "secrets" in API group "" in the namespace "other"'
    )


CHART = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: shared, namespace: team}
spec:
  interval: 10m
  chart: podinfo
  version: 6.7.1
  sourceRef: {kind: HelmRepository, name: charts}
"""


def referring(namespace: str) -> str:
    return f"""
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: web, namespace: team}}
spec:
  interval: 10m
  chartRef: {{kind: HelmChart, name: shared, namespace: {namespace}}}
"""


def test_a_chart_that_stands_in_the_source(bench: Bench, repository: Repository) -> None:
    run(bench, repository, helm_repository(), CHART, referring("team"))
    assert bench.ready("shared")[1:] == (
        "ChartPullSucceeded",
        "pulled 'podinfo' chart with version '6.7.1'",
    )
    assert bench.ready("web")[2].endswith("release team/web.v1 with chart podinfo@6.7.1")
    kinds = [item["kind"] for item in bench.simulation.report("config").statuses[2:]]
    assert kinds == ["HelmRepository", "HelmRelease", "HelmChart"]


def test_a_chart_of_another_namespace_is_denied(bench: Bench, repository: Repository) -> None:
    run(bench, repository, helm_repository(), CHART, referring("other"))
    text = "cross-namespace references are not allowed: cannot access HelmChart other/shared"
    assert bench.ready("web") == ("False", "AccessDenied", text)
