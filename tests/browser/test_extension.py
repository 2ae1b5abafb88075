"""Workload identity step by step, and Flux with its configuration taken off a cluster."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import approve, cluster_id, create_tutorial_change, wait_until_applied
from tests.house_process import House

READ_MS = 30_000


def open_cluster(page: Page, name: str) -> None:
    page.goto("/clusters/")
    page.get_by_role("link", name=name).first.click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_workload_identity_is_set_up_by_two_people_and_taken_back(
    house: House, sign_in: SignIn
) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    open_cluster(author, "flux-demo-aks")
    author.get_by_role("link", name="Set it up").click()
    expect(author.locator("#issuer")).to_contain_text("ready")

    # The portal asks Azure in a worker; the page follows without a reload.
    author.get_by_role("button", name="Read the identities").click()
    author.get_by_role("button", name="Choose flux-demo-identity").click(timeout=READ_MS)
    needs = author.locator("#credentials")
    expect(needs).to_contain_text("flux-flux-demo-aks-source-controller is created")
    expect(author.locator("#commands")).to_contain_text("az identity federated-credential create")
    expect(author.locator("#roles")).to_contain_text("AcrPull")
    page_of_identity = author.url
    author.get_by_label("Reason").first.fill("Charts come from our registry.")
    author.get_by_role("button", name="Submit for review").click()
    author.wait_for_url(re.compile(r"/changes/\d+/"))
    change = author.url

    approver.goto(change)
    main = approver.locator("main")
    expect(main).to_contain_text("can sign in as flux-demo-identity, with every role that it has")
    expect(main).to_contain_text("system:serviceaccount:flux-system:source-controller")
    approve(approver, change)
    wait_until_applied(author)
    writes = [entry["path"].rsplit("/", 1)[1] for entry in house.journal()]
    assert writes[-3:] == [
        "flux-flux-demo-aks-source-controller",
        "flux-flux-demo-aks-kustomize-controller",
        "flux",
    ]

    author.goto(page_of_identity)
    expect(author.locator("#credentials")).to_contain_text("is there already: nothing to do")
    expect(author.locator("#commands")).to_contain_text("Nothing is left to do")
    author.get_by_role("heading", name="End it").click()
    author.get_by_label("Reason").last.fill("Another identity takes over.")
    author.get_by_role("button", name="Submit the end for review").click()
    author.wait_for_url(re.compile(r"/changes/\d+/"))
    approve(approver, author.url)
    wait_until_applied(author)
    author.goto(page_of_identity)
    expect(author.locator("#credentials")).to_contain_text("It has 0 of 20", timeout=READ_MS)


def test_flux_and_its_configuration_leave_a_cluster_in_one_change(
    house: House, sign_in: SignIn
) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    change = create_tutorial_change(
        author, cluster="flux-demo-arc", name="to-go", reason="It will be taken away again."
    )
    approve(approver, change)
    author.goto(change)
    wait_until_applied(author)

    open_cluster(author, "flux-demo-arc")
    author.get_by_role("link", name="Settings and version").click()
    author.get_by_role("link", name="Delete extension").click()
    expect(author.locator("main")).to_contain_text("Configurations stand in the way")
    author.get_by_role("link", name="Delete all of it in one change").click()
    main = author.locator("main")
    expect(main).to_contain_text("Prune is on for")
    expect(main).to_contain_text("Last: the microsoft.flux extension")

    # Another cluster's name changes nothing, and what was typed stays.
    author.get_by_label("Type the cluster's name").fill("flux-demo-aks")
    author.get_by_label("Reason").fill("The cluster gets another owner.")
    author.get_by_role("button", name="Submit for review").click()
    expect(author.get_by_label("Reason")).to_have_value("The cluster gets another owner.")
    author.get_by_label("Type the cluster's name").fill("flux-demo-arc")
    author.get_by_role("button", name="Submit for review").click()
    author.wait_for_url(re.compile(r"/changes/\d+/"))
    change = author.url

    approver.goto(change)
    main = approver.locator("main")
    expect(main).to_contain_text("Flux leaves flux-demo-arc")
    expect(main).to_contain_text("what they deployed is deleted from the cluster")
    approve(approver, change)
    wait_until_applied(author)
    deletes = [it["path"].rsplit("/", 1)[1] for it in house.journal() if it["method"] == "DELETE"]
    assert deletes[-1] == "flux"
    assert "to-go" in deletes[:-1]
    open_cluster(author, "flux-demo-arc")
    expect(author.locator("#extension")).to_contain_text("Flux is not installed here")
    left = house.ask("resources", resource_type="Microsoft.KubernetesConfiguration/extensions")
    cluster = cluster_id(house, "flux-demo-arc").lower()
    assert not [it for it in left if it["id"].lower().startswith(cluster)]
