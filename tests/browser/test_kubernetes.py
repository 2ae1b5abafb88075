"""A cluster's own objects on an open page: they appear by themselves, and Flux can be asked."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import REPOSITORY, SignIn, git
from tests.house_process import House

_MOVES_MS = 60_000
_LATE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: latecomer, namespace: nginx}
spec:
  replicas: 1
  selector: {matchLabels: {app: latecomer}}
  template:
    metadata: {labels: {app: latecomer}}
    spec: {containers: [{name: it, image: example/it:1}]}
"""


def test_a_deployment_that_appears_on_the_cluster_appears_on_the_open_page(
    house: House, sign_in: SignIn, repository: Path
) -> None:
    configured = configure(house, "kube-live")
    page = sign_in("author")
    page.goto("/clusters/")
    page.get_by_role("link", name="flux-demo-aks").first.click()
    page.get_by_role("link", name="Kubernetes").click()
    expect(page.locator("#table-namespaces")).to_be_visible(timeout=_MOVES_MS)
    page.get_by_role("link", name="Workloads").click()
    tables = page.locator("#tables")
    expect(tables).to_contain_text("kubectl get deployments -A", timeout=_MOVES_MS)
    expect(tables).not_to_contain_text("latecomer")

    late = repository / "infrastructure" / "nginx" / "late.yaml"
    root = repository / "infrastructure" / "kustomization.yaml"
    before = root.read_text()
    late.write_text(_LATE)
    root.write_text(before + "  - nginx/late.yaml\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A deployment that comes later")
    try:
        # Not by the clock: Flux looks because somebody asks it to.
        other = sign_in("author")
        other.goto("/configurations/")
        other.get_by_role("link", name="kube-live").first.click()
        other.get_by_role("button", name="Sync now").click()
        expect(other.locator("main")).to_contain_text(
            re.compile("Flux was told to sync"), timeout=_MOVES_MS
        )
        expect(tables).to_contain_text("latecomer", timeout=_MOVES_MS)
    finally:
        late.unlink()
        root.write_text(before)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "Take it away again")
        house.tell("delete", resource_id=configured)
    methods = {it["method"] for it in house.ask("kubernetes_requests")}
    assert methods == {"GET", "PATCH"}


def test_the_tables_are_read_without_javascript(house: House, sign_in: SignIn) -> None:
    page = sign_in("viewer", javascript=False)
    page.goto("/clusters/")
    page.get_by_role("link", name="flux-demo-aks").first.click()
    page.get_by_role("link", name="Kubernetes").click()
    for _attempt in range(20):
        if page.locator("#table-namespaces").count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator("#tables")).to_contain_text("kube-system")


def configure(house: House, name: str) -> str:
    """Put a configuration on the AKS cluster, as a pipeline of somebody's would; its id."""
    found = house.ask("resources")
    cluster = next(it["id"] for it in found if it["name"] == "flux-demo-aks")
    body = {
        "properties": {
            "scope": "cluster",
            "namespace": "cluster-config",
            "sourceKind": "GitRepository",
            "gitRepository": {"url": REPOSITORY, "repositoryRef": {"branch": "main"}},
            "kustomizations": {"infra": {"path": "./infrastructure", "prune": True}},
        }
    }
    path = f"{cluster}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/{name}"
    status, answer = house.tell("edit", resource_id=path, method="PUT", body=body)
    assert status in (200, 201), answer
    return path
