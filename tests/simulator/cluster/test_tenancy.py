"""What a configuration may touch: its scope, and borders between namespaces."""

from __future__ import annotations

from .conftest import URL, Bench, MakeBench, Repository, config_map

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"
NESTED = f"""
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: nested, namespace: other}}
spec:
  interval: 5m
  path: ./nested
  prune: true
  sourceRef: {{kind: GitRepository, name: config, namespace: team}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: extra, namespace: team}}
spec: {{interval: 5m, url: "{URL}", ref: {{branch: main}}}}
"""


def with_namespace(bench: Bench) -> None:
    state = bench.simulation.state
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    state.store.apply(namespace, manager="kubectl", now=state.now)


def test_scope_namespace_stays_in_its_namespace(bench: Bench, repository: Repository) -> None:
    with_namespace(bench)
    repository.commit({"app/own.yaml": config_map("own"), "far/a.yaml": config_map("a", "other")})
    bench.put({"app": {"path": "app"}, "far": {"path": "far"}}, scope="namespace")
    bench.settle()
    assert bench.ready("config-app")[0] == "True"
    assert bench.ready("config-far") == (
        "False",
        "ReconciliationFailed",
        (
            'ConfigMap/other/a dry-run failed (Forbidden): configmaps "a" is forbidden: User '
            '"system:serviceaccount:team:flux-applier" cannot patch resource "configmaps" in API '
            'group "" in the namespace "other"'
        ),
    )


def test_scope_namespace_makes_no_namespace(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/ns.yaml": NAMESPACE})
    bench.put({"app": {"path": "app"}}, scope="namespace")
    bench.settle()
    assert 'cannot patch resource "namespaces" in API group ""' in bench.ready("config-app")[2]


def test_scope_cluster_reaches_everywhere(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/ns.yaml": NAMESPACE, "app/a.yaml": config_map("a", "other")})
    bench.put({"app": {"path": "app"}})
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_a_source_in_another_namespace_is_blocked(bench: Bench, repository: Repository) -> None:
    with_namespace(bench)
    repository.commit({"app/nested.yaml": NESTED, "nested/a.yaml": config_map("a", "other")})
    bench.put({"app": {"path": "app", "wait": False}})
    bench.settle()
    text = "can't access 'GitRepository/team/config', cross-namespace references have been blocked"
    assert bench.ready("nested") == ("False", "AccessDenied", text)
    assert bench.ready("extra")[0] == "True"
    kinds = [(item["kind"], item["name"]) for item in bench.simulation.report("config").statuses]
    assert kinds[2:] == [("GitRepository", "extra"), ("Kustomization", "nested")]
    assert bench.compliance() == "Non-Compliant"


def test_without_enforcement_borders_are_open(
    make_bench: MakeBench, repository: Repository
) -> None:
    bench = make_bench(settings={"multiTenancy.enforce": "false"})
    with_namespace(bench)
    repository.commit({"app/nested.yaml": NESTED, "nested/a.yaml": config_map("a", "other")})
    bench.put({"app": {"path": "app"}})
    bench.settle()
    assert bench.compliance() == "Compliant", bench.ready("nested")
    assert bench.object("ConfigMap", "a", "other") is not None
