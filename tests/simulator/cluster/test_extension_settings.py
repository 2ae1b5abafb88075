"""Each setting of the extension ends where it has its effect: pods, arguments, behaviour."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.cluster.conftest import Bench, MakeBench, Repository, config_map

CONTROLLERS = (
    "helm-controller",
    "image-automation-controller",
    "image-reflector-controller",
    "kustomize-controller",
    "notification-controller",
    "source-controller",
)
FQDN = "kubernetes.azure.com/set-kube-service-host-fqdn"


def template(bench: Bench, controller: str) -> Any:
    bench.settle()
    found = bench.object("Deployment", controller, namespace="flux-system", group="apps")
    return found and found["spec"]["template"]


def arguments(bench: Bench, controller: str) -> list[str]:
    found: list[str] = template(bench, controller)["spec"]["containers"][0]["args"]
    return found


def test_controllers_run_as_they_are_switched(make_bench: MakeBench) -> None:
    bench = make_bench(settings={"notification-controller.enabled": "false"})
    running = {it for it in CONTROLLERS if template(bench, it)}
    assert running == {"helm-controller", "kustomize-controller", "source-controller"}
    settings = {f"{it}.enabled": "true" for it in CONTROLLERS}
    bench.simulation.update_extension(version="1.24.1", settings=settings)
    assert {it for it in CONTROLLERS if template(bench, it)} == set(CONTROLLERS)


@pytest.mark.parametrize(
    ("key", "value", "argument"),
    [
        ("source-controller.log-level", "error", "--log-level=error"),
        ("fluxconfig-agent.log-level", "error", "--log-level=error"),
        (
            "source-controller.ssh-host-key-args",
            "--ssh-hostkey-algos=rsa-sha2-512",
            "--ssh-hostkey-algos=rsa-sha2-512",
        ),
        ("kustomize-controller.concurrent", "8", "--concurrent=8"),
        ("kustomize-controller.requeue-dependency", "50s", "--requeue-dependency=50s"),
        ("kustomize-controller.override-manager", "lens", "--override-manager=lens"),
        (
            "kustomize-controller.enable-in-memory-build",
            "true",
            "--feature-gates=InMemoryBuild=true",
        ),
        ("helm-controller.detectDrift", "true", "--feature-gates=DetectDrift=true"),
        ("helm-controller.outOfMemoryWatch.enabled", "true", "--oom-watch-memory-threshold=95"),
    ],
)
def test_a_setting_becomes_an_argument(
    make_bench: MakeBench, key: str, value: str, argument: str
) -> None:
    controller = key.partition(".")[0]
    bench = make_bench(settings={key: value})
    assert argument in arguments(bench, controller)
    bench.simulation.update_extension(version="1.24.1", settings={})
    assert argument not in arguments(bench, controller)


def test_the_out_of_memory_watch_takes_its_numbers(make_bench: MakeBench) -> None:
    prefix = "helm-controller.outOfMemoryWatch"
    settings = {f"{prefix}.memoryThreshold": "80", f"{prefix}.interval": "1s"}
    bench = make_bench(settings=settings)
    assert not [it for it in arguments(bench, "helm-controller") if "oom" in it]
    bench = make_bench(name="two", settings=settings | {f"{prefix}.enabled": "true"})
    assert {"--oom-watch-memory-threshold=80", "--oom-watch-interval=1s"} <= set(
        arguments(bench, "helm-controller")
    )


def test_limits_and_requests_are_those_that_are_set(make_bench: MakeBench) -> None:
    key = "source-controller.resources"
    bench = make_bench(settings={f"{key}.limits.memory": "2Gi", f"{key}.requests.cpu": "75m"})
    [container] = template(bench, "source-controller")["spec"]["containers"]
    assert container["resources"] == {
        "limits": {"cpu": "1000m", "memory": "2Gi"},
        "requests": {"cpu": "75m", "memory": "64Mi"},
    }


def test_more_than_a_node_has_keeps_the_controller_from_running(make_bench: MakeBench) -> None:
    bench = make_bench(settings={"source-controller.resources.requests.cpu": "64"})
    from simulator.cluster.workloads import phase

    bench.settle()
    found = bench.object("Deployment", "source-controller", "flux-system", "apps")
    assert phase(bench.simulation.state, found).word == "Pending"


def test_pods_are_annotated_to_reach_the_api_server_by_name(make_bench: MakeBench) -> None:
    bench = make_bench(settings={"setKubeServiceHostFqdn": "true"})
    for controller in ("source-controller", "fluxconfig-agent"):
        assert template(bench, controller)["metadata"]["annotations"] == {FQDN: "true"}
    bench.simulation.update_extension(version="1.24.1", settings={})
    assert "annotations" not in template(bench, "source-controller")["metadata"]


def test_workload_identity_reaches_service_accounts_and_pods(make_bench: MakeBench) -> None:
    settings = {
        "workloadIdentity.enable": "true",
        "workloadIdentity.azureClientId": "11111111-2222-4333-8444-555555555555",
        "workloadIdentity.azureTenantId": "99999999-2222-4333-8444-555555555555",
    }
    bench = make_bench(settings=settings)
    labels = template(bench, "source-controller")["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"
    account = bench.object("ServiceAccount", "source-controller", "flux-system")
    assert account["metadata"]["annotations"] == {
        "azure.workload.identity/client-id": settings["workloadIdentity.azureClientId"],
        "azure.workload.identity/tenant-id": settings["workloadIdentity.azureTenantId"],
    }
    helm = bench.object("ServiceAccount", "helm-controller", "flux-system")
    assert "annotations" not in helm["metadata"]
    bench.simulation.update_extension(version="1.24.1", settings={})
    labels = template(bench, "source-controller")["metadata"]["labels"]
    assert "azure.workload.identity/use" not in labels


def test_tenancy_off_lets_go_of_the_restrictions(make_bench: MakeBench) -> None:
    on, off = make_bench(), make_bench(name="two", settings={"multiTenancy.enforce": "false"})
    wanted = "--no-cross-namespace-refs=true"
    assert wanted in arguments(on, "kustomize-controller")
    assert wanted not in arguments(off, "kustomize-controller")


def test_a_dependency_is_waited_for_as_long_as_told(
    make_bench: MakeBench, repository: Repository
) -> None:
    repository.commit({"app/settings.yaml": config_map()})
    bench = make_bench(settings={"kustomize-controller.requeue-dependency": "5m"})
    bench.put(
        {
            "first": {"path": "./missing"},
            "second": {"path": "./app", "dependsOn": ["first"]},
        }
    )
    bench.settle()
    told = [it["message"] for it in bench.simulation.state.events]
    assert "Dependencies do not meet ready condition, retrying in 5m0s" in told
    state = bench.simulation.state
    assert state.dependency_interval("helm-controller").total_seconds() == 30
