"""What people do in these stories, in the words of the pages."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import REPOSITORY

APPLIED_MS = 60_000


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
