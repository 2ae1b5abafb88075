"""What was written or made elsewhere is taken over: a pasted command, and a live configuration."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import REPOSITORY, SignIn
from tests.browser.steps import (
    approve,
    made_outside,
    next_step,
    reload_until,
    submit,
    wait_until_applied,
    writes_of,
)
from tests.house_process import House

COMMAND = r"""az k8s-configuration flux create -g flux-demo-rg \
-c flux-demo-aks \
-n pasted-config \
--namespace pasted-config \
-t managedClusters \
--scope cluster \
-u https://github.com/Azure/gitops-flux2-kustomize-helm-mt \
--branch main  \
--kustomization name=infra path=./infrastructure prune=true \
--kustomization name=apps path=./apps/staging prune=true dependsOn=\["infra"\]
"""


def test_the_tutorials_command_is_pasted_reviewed_and_applied(
    house: House, sign_in: SignIn
) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    author.goto("/clusters/")
    expect(author.locator("main")).to_contain_text("flux-demo-aks")

    author.goto("/configurations/new")
    author.get_by_role("link", name="Bring in").click()
    author.get_by_label("Text").fill("not a command")
    author.get_by_role("button", name="Read it").click()
    expect(author.get_by_label("Text")).to_have_value("not a command")
    author.get_by_label("Text").fill(COMMAND)
    author.get_by_role("button", name="Read it").click()
    page = author.locator("main")
    for text in ("pasted-config", "flux-demo-aks", "infra", "apps", "All of it was understood"):
        expect(page).to_contain_text(text)
    author.get_by_role("button", name="Make the draft").click()
    expect(page).to_contain_text("Review + submit")
    change = submit(author, "As the tutorial says.")

    # The reviewer reads the same thing in other words, and takes a file home.
    approver.goto(change)
    expect(approver.locator("#faces-0")).to_contain_text("az k8s-configuration flux create")
    approver.locator("#faces-0").get_by_role("link", name="Bicep").click()
    expect(approver.locator("#faces-0")).to_contain_text("scope: cluster")
    with approver.expect_download() as download:
        approver.locator("#faces-0").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "pasted-config.bicep"
    approve(approver, change)
    wait_until_applied(author)
    (write,) = writes_of(house, "pasted-config")
    assert write["method"] == "PUT"
    properties = write["body"]["properties"]
    assert properties["gitRepository"]["url"] == REPOSITORY
    assert properties["kustomizations"] == {
        "infra": {"path": "./infrastructure", "prune": True},
        "apps": {"path": "./apps/staging", "prune": True, "dependsOn": ["infra"]},
    }


def test_what_was_made_elsewhere_is_adopted_and_then_patched(house: House, sign_in: SignIn) -> None:
    made_outside(house, "flux-demo-aks", "taken-over")
    author, approver = sign_in("author"), sign_in("approver")
    author.goto("/configurations/?q=managed:no%20name:taken-over")
    reload_until(author, "not managed")
    author.get_by_role("checkbox", name="Select taken-over on flux-demo-aks").check()
    expect(author.locator("[data-bulk]")).to_contain_text("1 selected")
    author.get_by_role("button", name="Adopt").click()
    author.get_by_label("Reason").fill("It is ours now.")
    author.get_by_role("button", name="Adopt").click()
    expect(author.locator("main")).to_contain_text("adopted as it was")
    expect(author.locator("main")).not_to_contain_text("Not managed by Fluxgate yet")
    detail = author.url
    assert writes_of(house, "taken-over") == []

    author.get_by_role("button", name="Propose change").first.click()
    author.get_by_label("Sync interval (minutes)").fill("5")
    next_step(author)
    next_step(author)
    change = submit(author, "Follow it more closely.")
    approve(approver, change)
    wait_until_applied(author)
    (write,) = writes_of(house, "taken-over")
    assert write["method"] == "PATCH"
    assert write["body"] == {"properties": {"gitRepository": {"syncIntervalInSeconds": 300}}}

    author.goto(f"{detail}faces?face=az")
    expect(author.locator("#faces")).to_contain_text("--interval 5m")
    author.goto("/history/")
    expect(author.locator("main")).to_contain_text(re.compile("adopted taken-over"))
