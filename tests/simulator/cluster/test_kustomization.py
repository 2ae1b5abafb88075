"""Kustomizations: building, applying, waiting, pruning, and what is said of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Bench, MakeBench, Repository, config_map, deployment

ONE = {"app": {"path": "./app", "prune": True}}


def start(bench: Bench, repository: Repository, files: dict[str, str | None]) -> str:
    commit = repository.commit(files)
    bench.put(ONE)
    bench.settle()
    return commit


def pattern(text: str) -> str:
    """Return a pattern in which N stands for digits: of the build directory, or of a line."""
    escaped = re.escape(text).replace("kustomization\\-N", r"kustomization-\d+")
    return "^" + escaped.replace(r"line\ N", r"line \d+") + "$"


def test_progress_is_visible_step_by_step(bench: Bench, repository: Repository) -> None:
    commit = repository.commit({"app/settings.yaml": config_map()})
    bench.put(ONE)
    seen = []
    for _ in range(20):
        bench.simulation.advance()
        ready = bench.ready("config-app")
        if ready[0] and ready not in seen:
            seen.append(ready)
    assert seen == [
        ("False", "ArtifactFailed", "Source artifact not found, retrying in 30s"),
        ("Unknown", "Progressing", "Reconciliation in progress"),
        ("True", "ReconciliationSucceeded", f"Applied revision: main@sha1:{commit}"),
    ]


def test_the_pace_stretches_the_steps(make_bench: MakeBench, repository: Repository) -> None:
    bench = make_bench(pace=1)
    repository.commit({"app/settings.yaml": config_map()})
    bench.put(ONE)
    bench.settle()
    assert bench.compliance() == "Pending"
    assert bench.simulation.report("config").statuses == []
    for _ in range(60):
        bench.later(seconds=1)
    assert bench.compliance() == "Compliant"


def test_a_path_that_is_not_there_and_appears(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"other/settings.yaml": config_map()})
    status, reason, message = bench.ready("config-app")
    assert (status, reason) == ("False", "ArtifactFailed")
    text = "kustomization path not found: stat /tmp/kustomization-N/app: no such file or directory"
    assert re.match(pattern(text), message)
    assert bench.compliance() == "Non-Compliant"
    repository.commit({"app/settings.yaml": config_map()})
    bench.later(minutes=11)
    assert bench.compliance() == "Compliant"


BROKEN = "resources:\n  - settings.yaml\n bad: [\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"app/kustomization.yaml": "resources: [missing.yaml]\n"},
            (
                "kustomize build failed: accumulating resources: accumulation err='accumulating "
                "resources from 'missing.yaml': open /tmp/kustomization-N/app/missing.yaml: no "
                "such file or directory': must build at directory: not a valid directory: "
                "evalsymlink failure on '/tmp/kustomization-N/app/missing.yaml' : lstat "
                "/tmp/kustomization-N/app/missing.yaml: no such file or directory"
            ),
        ),
        (
            {"app/broken.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a: b}\n"},
            (
                "failed to decode Kubernetes YAML from /tmp/kustomization-N/app/broken.yaml: "
                "MalformedYAMLError: yaml: line N: did not find expected ',' or '}' in File: "
                "broken.yaml <nil>"
            ),
        ),
        (
            {"app/values.yaml": "replicas: 3\n"},
            (
                "failed to decode Kubernetes YAML from /tmp/kustomization-N/app/values.yaml: "
                "missing Resource metadata <nil>"
            ),
        ),
    ],
)
def test_a_build_that_fails_and_mends(
    bench: Bench, repository: Repository, files: dict[str, str | None], message: str
) -> None:
    start(bench, repository, files)
    status, reason, found = bench.ready("config-app")
    assert (status, reason) == ("False", "BuildFailed")
    assert re.match(pattern(message), found), found
    repository.commit(dict.fromkeys(files) | {"app/settings.yaml": config_map()})
    bench.later(minutes=11)
    assert bench.compliance() == "Compliant"


def test_a_kustomization_file_with_bad_yaml(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/kustomization.yaml": BROKEN})
    status, reason, message = bench.ready("config-app")
    assert (status, reason) == ("False", "BuildFailed")
    assert message.startswith("kustomize build failed: ")
    assert "yaml" in message
    assert "/work" not in message


def test_a_folder_without_manifests_succeeds(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/notes.txt": "nothing to apply"})
    assert bench.compliance() == "Compliant"


def test_generated_builds_take_all_manifests_but_ignored_ones(
    bench: Bench, repository: Repository
) -> None:
    files: dict[str, str | None] = {
        "app/one.yaml": config_map("one"),
        "app/deep/two.yml": config_map("two"),
        "app/own/kustomization.yaml": "resources: [three.yaml]\n",
        "app/own/three.yaml": config_map("three"),
        "app/own/loose.yaml": config_map("loose"),
        "app/skipped/four.yaml": config_map("four"),
        "app/data.json": "not read",
        ".sourceignore": "skipped/\n",
    }
    start(bench, repository, files)
    assert bench.compliance() == "Compliant", bench.ready("config-app")
    names = ("one", "two", "three", "loose", "four")
    there = [name for name in names if bench.object("ConfigMap", name) is not None]
    assert there == ["one", "two", "three"]


def test_kustomize_really_builds(bench: Bench, repository: Repository) -> None:
    files: dict[str, str | None] = {
        "base/kustomization.yaml": "resources: [settings.yaml]\n",
        "base/settings.yaml": config_map(),
        "app/kustomization.yaml": "resources: [../base]\nnamePrefix: our-\nnamespace: team\n"
        "configMapGenerator: [{name: made, literals: [a=b]}]\n",
    }
    start(bench, repository, files)
    assert bench.object("ConfigMap", "our-settings")["data"] == {"colour": "blue"}
    inventory = bench.object("Kustomization", "config-app", group="kustomize.toolkit.fluxcd.io")
    ids = [item["id"] for item in inventory["status"]["inventory"]["entries"]]
    assert "team_our-settings__ConfigMap" in ids
    assert any(item.startswith("team_our-made-") for item in ids)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (
            (
                "apiVersion: helm.toolkit.fluxcd.io/v2beta1\nkind: HelmRelease\n"
                "metadata: {name: x, namespace: team}\nspec: {}\n"
            ),
            (
                'HelmRelease/team/x dry-run failed: no matches for kind "HelmRelease" in version '
                '"helm.toolkit.fluxcd.io/v2beta1"'
            ),
        ),
        (
            (
                "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\n"
                "metadata: {name: x, namespace: team}\nspec: {}\n"
            ),
            (
                "PodDisruptionBudget/team/x dry-run failed: no matches for kind "
                '"PodDisruptionBudget" in version "policy/v1beta1"'
            ),
        ),
        (
            config_map(namespace="elsewhere"),
            'ConfigMap/elsewhere/settings not found: namespaces "elsewhere" not found',
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
            (
                "ConfigMap/settings namespace not specified: the server could not find the "
                "requested resource"
            ),
        ),
    ],
)
def test_what_the_api_server_refuses(
    bench: Bench, repository: Repository, manifest: str, message: str
) -> None:
    start(bench, repository, {"app/object.yaml": manifest})
    assert bench.ready("config-app") == ("False", "ReconciliationFailed", message)


FLUX_SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: x, namespace: team}
spec: {interval: 5 minutes}
"""


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (
            FLUX_SOURCE,
            (
                'GitRepository.source.toolkit.fluxcd.io "x" is invalid: [spec.url: Required value, '
                'spec.interval: Invalid value: "5 minutes": spec.interval in body should match '
                "'^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$']"
            ),
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x, namespace: team}\n",
            'Deployment.apps "x" is invalid: spec: Required value',
        ),
        (
            config_map("Upper_Case"),
            (
                'ConfigMap "Upper_Case" is invalid: metadata.name: Invalid value: "Upper_Case": a '
                "lowercase RFC 1123 subdomain must consist of"
            ),
        ),
    ],
)
def test_an_object_that_is_not_valid(
    bench: Bench, repository: Repository, manifest: str, fault: str
) -> None:
    start(bench, repository, {"app/object.yaml": manifest})
    status, reason, message = bench.ready("config-app")
    assert (status, reason) == ("False", "ReconciliationFailed")
    assert message.partition(" dry-run failed (Invalid): ")[2].startswith(fault), message


def test_earlier_stages_stay_applied_and_are_told(bench: Bench, repository: Repository) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    bad = config_map(namespace="absent")
    start(bench, repository, {"app/a.yaml": namespace, "app/b.yaml": bad})
    message = bench.ready("config-app")[2]
    assert message == (
        'ConfigMap/absent/settings not found: namespaces "absent" not found\nNamespace/shop created'
    )
    assert bench.simulation.state.store.has_namespace("shop")


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: first, namespace: team}
spec: {size: 3}
"""


def test_a_definition_and_its_objects_come_together(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/all.yaml": DEFINITION})
    assert bench.compliance() == "Compliant", bench.ready("config-app")
    assert bench.object("Widget", "first", group="example.com")["spec"] == {"size": 3}


def test_prune_removes_what_left_the_source(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/a.yaml": config_map("a"), "app/b.yaml": config_map("b")})
    repository.commit({"app/b.yaml": None})
    bench.later(minutes=11)
    assert bench.object("ConfigMap", "a") is not None
    assert bench.object("ConfigMap", "b") is None


def test_without_prune_objects_stay(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a"), "app/b.yaml": config_map("b")})
    bench.put({"app": {"path": "app"}})
    bench.settle()
    repository.commit({"app/b.yaml": None})
    bench.later(minutes=11)
    assert bench.object("ConfigMap", "b") is not None
    bench.simulation.delete_configuration(name="config")
    assert bench.object("ConfigMap", "a") is not None


def test_deleting_a_configuration_prunes(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/a.yaml": config_map("a")})
    bench.simulation.delete_configuration(name="config")
    assert bench.object("ConfigMap", "a") is None
    assert bench.object("GitRepository", "config", group="source.toolkit.fluxcd.io") is None
    with pytest.raises(KeyError):
        bench.simulation.report("config")


def test_a_kustomization_taken_out_is_pruned(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a"), "more/b.yaml": config_map("b")})
    bench.put(ONE | {"more": {"path": "more", "prune": True}})
    bench.settle()
    assert bench.object("ConfigMap", "b") is not None
    bench.put(ONE)
    bench.settle()
    assert bench.object("ConfigMap", "b") is None
    names = [status["name"] for status in bench.simulation.report("config").statuses]
    assert names == ["config", "config-app"]


def test_dependencies_order_the_work(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a"), "base/b.yaml": config_map("b")})
    bench.put({"app": {"path": "app", "dependsOn": ["base"]}, "base": {"path": "base"}})
    messages = set()
    for _ in range(30):
        bench.simulation.advance()
        messages.add(bench.ready("config-app")[2])
        if bench.object("ConfigMap", "a") is not None:
            assert bench.ready("config-base")[0] == "True"
    assert "dependency 'team/config-base' is not ready" in messages
    assert bench.compliance() == "Compliant"
    names = [status["name"] for status in bench.simulation.report("config").statuses]
    assert names == ["config", "config-base", "config-app"]


def test_a_dependency_that_does_not_exist(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a")})
    bench.put({"app": {"path": "app", "dependsOn": ["ghost"]}})
    bench.settle()
    assert bench.ready("config-app") == (
        "False",
        "DependencyNotReady",
        (
            "dependency 'team/config-ghost' not found: kustomizations.kustomize.toolkit.fluxcd.io "
            '"config-ghost" not found'
        ),
    )
    assert bench.compliance() == "Non-Compliant"
    bench.put({"app": {"path": "app"}})
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_a_cycle_never_becomes_ready(bench: Bench, repository: Repository) -> None:
    repository.commit({"a/a.yaml": config_map("a"), "b/b.yaml": config_map("b")})
    bench.put({"a": {"path": "a", "dependsOn": ["b"]}, "b": {"path": "b", "dependsOn": ["a"]}})
    bench.settle()
    for name in ("config-a", "config-b"):
        assert bench.ready(name)[1] == "DependencyNotReady"


def test_a_dependant_waits_for_the_same_revision(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a"), "base/b.yaml": config_map("b")})
    bench.put({"app": {"path": "app", "dependsOn": ["base"]}, "base": {"path": "base"}})
    bench.settle()
    repository.commit({"base/b.yaml": config_map("b", namespace="absent")})
    bench.later(minutes=11)
    assert bench.ready("config-base")[1] == "ReconciliationFailed"
    assert bench.ready("config-app")[2] == "dependency 'team/config-base' is not ready"


def test_suspend_stops_everything_and_resume_catches_up(
    bench: Bench, repository: Repository
) -> None:
    start(bench, repository, {"app/a.yaml": config_map("a")})
    before = bench.ready("config-app")
    bench.put(ONE, suspend=True)
    bench.settle()
    repository.commit({"app/b.yaml": config_map("b")})
    bench.later(hours=1)
    assert bench.compliance() == "Suspended"
    assert bench.ready("config-app") == before
    states = {item["complianceState"] for item in bench.simulation.report("config").statuses}
    assert states == {"Suspended"}
    assert bench.object("ConfigMap", "b") is None
    bench.put(ONE, suspend=False)
    bench.settle()
    assert bench.object("ConfigMap", "b") is not None
    assert bench.compliance() == "Compliant"


def test_drift_is_reverted_at_the_next_run(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/a.yaml": config_map("a")})
    state = bench.simulation.state
    edited = bench.object("ConfigMap", "a") | {"data": {"colour": "red"}}
    state.store.apply(edited, manager="kubectl-edit", now=state.now)
    bench.later(minutes=11)
    assert bench.object("ConfigMap", "a")["data"] == {"colour": "blue"}


def test_an_immutable_change_needs_force(bench: Bench, repository: Repository) -> None:
    start(bench, repository, {"app/web.yaml": deployment(app="web")})
    first = bench.object("Deployment", "web", group="apps")["metadata"]["uid"]
    repository.commit({"app/web.yaml": deployment(app="shop")})
    bench.later(minutes=11)
    assert bench.ready("config-app")[2] == (
        'Deployment/team/web dry-run failed (Invalid): Deployment.apps "web" is invalid: '
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":'
        '"shop"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable'
    )
    bench.put({"app": {"path": "app", "force": True}})
    bench.settle()
    assert bench.compliance() == "Compliant"
    assert bench.object("Deployment", "web", group="apps")["metadata"]["uid"] != first


def test_waiting_ends_with_a_timeout(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/web.yaml": deployment(image="registry.invalid/web:1")})
    bench.put({"app": {"path": "app", "timeoutInSeconds": 120}})
    bench.settle()
    assert bench.compliance() == "Pending"
    bench.later(minutes=3)
    text = "timeout waiting for: [Deployment/team/web status: 'InProgress']"
    assert bench.ready("config-app") == (
        "False",
        "HealthCheckFailed",
        f"health check failed after 2m0s: {text}",
    )
    healthy = bench.simulation.report("config").statuses[1]["statusConditions"][1]
    assert (healthy["type"], healthy["status"], healthy["message"]) == ("Healthy", "False", text)


def test_waiting_ends_early_when_a_deployment_gave_up(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/web.yaml": deployment(image="registry.invalid/web:1")})
    bench.put({"app": {"path": "app", "timeoutInSeconds": 3600}})
    bench.settle()
    bench.later(minutes=11)
    assert bench.ready("config-app")[2] == (
        "health check failed after 11m0s: failed early due to stalled resources: "
        "[Deployment/team/web status: 'Failed']"
    )


def test_without_wait_a_broken_workload_does_not_matter(
    bench: Bench, repository: Repository
) -> None:
    repository.commit({"app/web.yaml": deployment(image="registry.invalid/web:1")})
    bench.put({"app": {"path": "app", "wait": False}})
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_a_failure_is_retried_after_the_retry_interval(
    bench: Bench, repository: Repository
) -> None:
    repository.commit({"app/a.yaml": config_map(namespace="later")})
    bench.put({"app": {"path": "app", "retryIntervalInSeconds": 60}})
    bench.settle()
    assert bench.ready("config-app")[1] == "ReconciliationFailed"
    state = bench.simulation.state
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}
    state.store.apply(namespace, manager="kubectl", now=state.now)
    bench.later(seconds=61)
    assert bench.compliance() == "Compliant"


def test_post_build_variables(bench: Bench, repository: Repository) -> None:
    repository.commit(
        {
            "app/a.yaml": config_map("a", host="${stage}.example.com"),
            "base/v.yaml": config_map("variables", stage="staging"),
        }
    )
    post_build = {"substituteFrom": [{"kind": "ConfigMap", "name": "variables"}]}
    bench.put({"app": {"path": "app", "postBuild": post_build}})
    bench.settle()
    assert bench.ready("config-app") == (
        "False",
        "BuildFailed",
        (
            "post build failed for 'ConfigMap.v1.[noGrp]/a': substitute from 'ConfigMap/variables' "
            'error: configmaps "variables" not found'
        ),
    )
    bench.put(
        {
            "base": {"path": "base"},
            "app": {"path": "app", "postBuild": post_build, "dependsOn": ["base"]},
        }
    )
    bench.settle()
    assert bench.object("ConfigMap", "a")["data"] == {"host": "staging.example.com"}
    inline = {"substitute": {"stage": "production"}} | post_build
    bench.put({"base": {"path": "base"}, "app": {"path": "app", "postBuild": inline}})
    bench.settle()
    assert bench.object("ConfigMap", "a")["data"] == {"host": "production.example.com"}


def test_nothing_outside_of_the_source_is_read(
    bench: Bench, repository: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kustomization.yaml").write_text("resources: [a.yaml]\n", encoding="utf-8")
    (outside / "a.yaml").write_text(config_map("stolen"), encoding="utf-8")
    up = "/".join([".."] * 12)
    inner = f"resources: [{up}{outside}]\n"
    (repository.path / "link").symlink_to(outside)
    files: dict[str, str | None] = {
        "app/kustomization.yaml": "resources: [../inner]\n",
        "inner/kustomization.yaml": inner,
        "linked/kustomization.yaml": "resources: [../link/a.yaml]\n",
    }
    repository.commit(files)
    bench.put({"app": {"path": "app"}, "linked": {"path": "linked"}, "up": {"path": "../../x"}})
    bench.settle()
    assert "is not in or below" in bench.ready("config-app")[2]
    assert bench.ready("config-linked")[1] == "BuildFailed"
    assert bench.ready("config-up")[2].endswith("/x: no such file or directory")
    assert bench.object("ConfigMap", "stolen") is None
