"""What people do in these stories, in the words of the pages."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import REPOSITORY
from tests.house_process import House

APPLIED_MS = 60_000
FLUX = "providers/Microsoft.KubernetesConfiguration/fluxConfigurations"


def wait_until_applied(page: Page) -> None:
    """The open page of a change says by itself that all of it has been applied."""
    expect(page.locator("#decision")).to_contain_text("Applied", timeout=APPLIED_MS)


def propose_act(page: Page, configuration: str, act: str) -> str:
    """Suspend, resume or delete from the configuration's page; the address of the change."""
    page.goto(configuration)
    page.get_by_role("link", name=act).first.click()
    page.get_by_label("Reason").fill(f"{act}, for a reason.")
    if act == "Delete":
        page.get_by_role("textbox", name=re.compile("type", re.IGNORECASE)).fill(
            page.locator("main h1 strong, main h1").first.inner_text().split()[-1]
        )
    page.get_by_role("button", name=re.compile("^Propose|^Submit")).click()
    page.wait_for_url(re.compile(r"/changes/\d+/"))
    return page.url


def choose_cluster(page: Page, cluster: str) -> None:
    """From the list of configurations to the wizard's first step."""
    page.goto("/configurations/")
    page.get_by_role("link", name="New configuration").first.click()
    page.get_by_role("button", name=f"Choose {cluster}").click()
    expect(page.get_by_role("heading", name="New configuration")).to_be_visible()


def fill_basics(page: Page, *, name: str, namespace: str | None = None) -> None:
    """Step 1: name, namespace, scope cluster."""
    page.get_by_label("Configuration name").fill(name)
    page.get_by_label("Namespace", exact=False).first.fill(namespace or name)
    page.get_by_role("radio", name="Cluster").check()
    page.get_by_role("button", name=re.compile("^Next")).click()


def fill_source(page: Page, *, url: str = REPOSITORY, branch: str = "main") -> None:
    """Step 2: a public Git repository and a branch."""
    page.get_by_label("Repository URL").fill(url)
    page.get_by_label("Branch").last.fill(branch)
    page.get_by_role("button", name=re.compile("^Next")).click()


def add_kustomization(
    page: Page, *, name: str, path: str, prune: bool = True, depends_on: str | None = None
) -> None:
    """Step 3: one more kustomization."""
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Instance name").fill(name)
    page.get_by_label("Path", exact=False).first.fill(path)
    page.get_by_role("checkbox", name="Prune").set_checked(prune)
    if depends_on:
        page.get_by_role("checkbox", name=depends_on, exact=True).check()
    page.get_by_role("button", name="Save kustomization").click()
    expect(page.get_by_label("Instance name")).to_have_count(0)
    expect(page.get_by_role("rowheader", name=name, exact=True)).to_be_visible()


def next_step(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Next")).click()


def submit(page: Page, reason: str) -> str:
    """Step 4: give the reason and submit; the address of the change."""
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url(re.compile(r"/changes/\d+/"))
    return page.url


def create_tutorial_change(page: Page, *, cluster: str, name: str, reason: str) -> str:
    """The tutorial's configuration through all four steps; the address of the change."""
    choose_cluster(page, cluster)
    fill_basics(page, name=name)
    fill_source(page)
    add_kustomization(page, name="infra", path="./infrastructure")
    add_kustomization(page, name="apps", path="./apps/staging", depends_on="infra")
    next_step(page)
    return submit(page, reason)


def approve(page: Page, change: str, comment: str = "") -> None:
    """Open the change and approve what it shows."""
    page.goto(change)
    if comment:
        page.get_by_label("Comment").first.fill(comment)
    page.get_by_role("button", name=re.compile("^Approve")).first.click()


def propose_small(page: Page, *, cluster: str, name: str) -> str:
    """A configuration with one kustomization, submitted; the address of the change."""
    choose_cluster(page, cluster)
    fill_basics(page, name=name)
    fill_source(page)
    add_kustomization(page, name="infra", path="./infrastructure")
    next_step(page)
    return submit(page, f"{name} is needed.")


def reload_until(page: Page, text: str | re.Pattern[str], *, seconds: float = 60) -> None:
    """Without JavaScript a page moves when its reader asks for it again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            expect(page.locator("main")).to_contain_text(text, timeout=1_000)
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            page.reload()


def writes_of(house: House, name: str) -> list[dict[str, Any]]:
    """What ARM accepted from the portal for a configuration of this name, in order."""
    return [
        entry
        for entry in house.journal()
        if entry["path"].endswith(f"/{name}") and not entry["out_of_band"]
    ]


def configuration_id(house: House, cluster: str, name: str) -> str:
    """The ARM id of a configuration."""
    return f"{cluster_id(house, cluster)}/{FLUX}/{name}"


def cluster_id(house: House, cluster: str) -> str:
    """The ARM id of a cluster of the tutorial."""
    provider = (
        "Microsoft.Kubernetes/connectedClusters"
        if cluster.endswith("arc")
        else "Microsoft.ContainerService/managedClusters"
    )
    subscription = house.simulator["subscription_ids"][0]
    group = f"/subscriptions/{subscription}/resourceGroups/flux-demo-rg"
    return f"{group}/providers/{provider}/{cluster}"


def another_cluster(house: House, name: str) -> str:
    """One more AKS cluster, on which no agent runs; its ARM id."""
    like = house.ask("resources", resource_type="Microsoft.ContainerService/managedClusters")[0]
    made = cluster_id(house, name)
    house.tell("put_resource", document={**like, "id": made, "name": name})
    house.tell("set_agent_online", cluster_id=made, online=False)
    return made


def made_outside(house: House, cluster: str, name: str) -> str:
    """A configuration that nobody proposed here, on a cluster without agent; its ARM id."""
    made = configuration_id(house, cluster, name)
    now = house.ask("time")
    document = {
        "id": made,
        "name": name,
        "type": FLUX.removeprefix("providers/"),
        "systemData": {"createdAt": now, "lastModifiedAt": now},
        "properties": {
            "scope": "cluster",
            "namespace": name,
            "sourceKind": "GitRepository",
            "suspend": False,
            "gitRepository": {"url": REPOSITORY, "repositoryRef": {"branch": "main"}},
            "kustomizations": {"infra": {"name": "infra", "path": "./infrastructure"}},
            "statuses": [],
            "complianceState": "Compliant",
            "statusUpdatedAt": now,
            "provisioningState": "Succeeded",
        },
    }
    house.tell("put_resource", document=document)
    return made


def report(house: House, configuration: str, compliance: str) -> None:
    """Let Azure report this compliance of a configuration that no agent follows."""
    house.tell(
        "set_properties",
        resource_id=configuration,
        properties={"complianceState": compliance, "statusUpdatedAt": house.ask("time")},
    )
