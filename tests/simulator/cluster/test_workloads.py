"""Pods and deployments: how they come up, and why they do not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from simulator.cluster.workloads import phase

from .conftest import Bench, MakeBench, Repository, config_map, deployment

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def ask(bench: Bench, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Send one request to the cluster's API, without a network."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=bench.simulation.kubernetes_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://cluster") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def cells(bench: Bench, path: str) -> list[dict[str, Any]]:
    """Return the rows of a table as kubectl would get them, by column."""
    body = ask(bench, path, **TABLE).json()
    titles = [column["name"] for column in body["columnDefinitions"]]
    return [dict(zip(titles, row["cells"], strict=True)) for row in body["rows"]]


def apply(bench: Bench, repository: Repository, **files: str) -> None:
    repository.commit({f"app/{name}.yaml": text for name, text in files.items()})
    bench.put({"app": {"path": "app", "wait": False}})
    bench.settle()


FROM_MAP = "envFrom: [{configMapRef: {name: settings}}]"


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        (deployment(), "Running"),
        (deployment(image="registry.invalid/web:1"), "ImagePullBackOff"),
        (deployment(image="Not An Image"), "InvalidImageName"),
        (
            deployment().replace("containers:", "nodeSelector: {gpu: yes}\n      containers:"),
            "Pending",
        ),
        (
            deployment().replace('nginx:1.27"', f'nginx:1.27", {FROM_MAP}'),
            "CreateContainerConfigError",
        ),
    ],
)
def test_the_state_of_pods(bench: Bench, repository: Repository, manifest: str, word: str) -> None:
    apply(bench, repository, web=manifest)
    (pod,) = cells(bench, "/api/v1/namespaces/team/pods")
    ready = 1 if word == "Running" else 0
    assert (pod["Status"], pod["Ready"]) == (word, f"{ready}/1")
    (found,) = cells(bench, "/apis/apps/v1/namespaces/team/deployments")
    assert (found["Ready"], found["Available"]) == (f"{ready}/1", ready)


def test_a_missing_config_map_comes_later(bench: Bench, repository: Repository) -> None:
    apply(bench, repository, web=deployment().replace('nginx:1.27"', f'nginx:1.27", {FROM_MAP}'))
    repository.commit({"app/settings.yaml": config_map()})
    bench.later(minutes=11)
    (pod,) = cells(bench, "/api/v1/namespaces/team/pods")
    assert pod["Status"] == "Running"


def test_pods_take_a_moment(make_bench: MakeBench, repository: Repository) -> None:
    bench = make_bench(pace=1)
    repository.commit({"app/web.yaml": deployment()})
    bench.put({"app": {"path": "app"}})
    seen = []
    for _ in range(40):
        bench.later(seconds=1)
        for pod in cells(bench, "/api/v1/namespaces/team/pods"):
            if pod["Status"] not in seen:
                seen.append(pod["Status"])
    assert seen == ["ContainerCreating", "Running"]
    assert bench.compliance() == "Compliant"


def test_replica_sets_follow_the_template(bench: Bench, repository: Repository) -> None:
    apply(bench, repository, web=deployment())
    (first,) = cells(bench, "/apis/apps/v1/namespaces/team/replicasets")
    repository.commit({"app/web.yaml": deployment(image="nginx:1.28")})
    bench.later(minutes=11)
    (second,) = cells(bench, "/apis/apps/v1/namespaces/team/replicasets")
    assert first["Name"] != second["Name"]
    (pod,) = cells(bench, "/api/v1/namespaces/team/pods")
    assert pod["Name"].startswith(f"{second['Name']}-")


def test_discovery_lists_what_is_served(bench: Bench) -> None:
    groups = {group["name"] for group in ask(bench, "/apis").json()["groups"]}
    assert {"apps", "clusterconfig.azure.com", "source.toolkit.fluxcd.io"} <= groups
    kinds = ask(bench, "/apis/clusterconfig.azure.com/v1alpha1").json()["resources"]
    assert {"fluxconfigs"} <= {kind["name"] for kind in kinds}
    assert ask(bench, "/apis/absent.example.com").status_code == 404
    assert ask(bench, "/api/v1/gadgets").status_code == 404
    assert ask(bench, "/version").json()["gitVersion"].startswith("v1.")
    assert ask(bench, "/api/v1/namespaces", "POST").status_code == 405


def test_a_source_controller_without_enough_memory_is_killed(make_bench: MakeBench) -> None:
    limit = {"source-controller.resources.limits.memory": "256Mi"}
    bench = make_bench(settings=limit)
    bench.simulation.set_trait("source_memory_mi", 600)
    controller = bench.object("Deployment", "source-controller", "flux-system", "apps")
    assert phase(bench.simulation.state, controller).word == "OOMKilled"
    bench.simulation.update_extension(version="1.24.1", settings={})
    controller = bench.object("Deployment", "source-controller", "flux-system", "apps")
    assert phase(bench.simulation.state, controller).word == "Running"
