"""The tutorial from end to end, by two people in two browsers, on pages that move by themselves."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import SignIn, git
from tests.browser.steps import (
    approve,
    create_tutorial_change,
    next_step,
    propose_act,
    submit,
    wait_until_applied,
)
from tests.house_process import House

COMPLIANT_MS = 90_000


def test_two_people_bring_the_tutorials_configuration_to_compliance_and_take_it_away(
    house: House, sign_in: SignIn, repository: Path
) -> None:
    author, approver = sign_in("author"), sign_in("approver")

    author.goto("/clusters/")
    for cluster in ("flux-demo-arc", "flux-demo-aks"):
        expect(author.locator("main")).to_contain_text(cluster, timeout=30_000)

    change = create_tutorial_change(
        author, cluster="flux-demo-arc", name="cluster-config", reason="The tutorial's first run."
    )
    # One's own change cannot be approved, and the page says why.
    expect(author.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)

    # The approver sees the very body, what it touches, and why.
    approver.goto(change)
    body = approver.locator("main")
    for text in (
        "microsoft.flux",
        "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "./infrastructure",
        "./apps/staging",
        "The tutorial's first run.",
    ):
        expect(body).to_contain_text(text)
    approve(approver, change)

    # Both pages move without a reload: this one was opened before the approval.
    wait_until_applied(author)
    journal = writes(house)
    assert [(entry["method"], entry["path"].rsplit("/", 2)[-2:]) for entry in journal] == [
        ("PUT", ["extensions", "flux"]),
        ("PUT", ["fluxConfigurations", "cluster-config"]),
    ]

    author.goto("/configurations/")
    author.get_by_role("link", name="cluster-config").first.click()
    expect(author.locator("main h2").first).to_have_text("Compliant", timeout=COMPLIANT_MS)
    objects = author.locator("main")
    for name in ("cluster-config-infra", "cluster-config-apps", "bitnami", "podinfo", "redis"):
        expect(objects).to_contain_text(name)
    detail = author.url

    # The audit page tells the story.
    author.goto("/history/")
    for text in ("submitted", "approved", "accepted"):
        expect(author.locator("main")).to_contain_text(re.compile(text, re.IGNORECASE))

    # The repository breaks: the open page says so, with Flux's own words, and recovers.
    author.goto(detail)
    broken = repository / "apps" / "staging" / "kustomization.yaml"
    whole = broken.read_text()
    broken.write_text(whole + "\n  - missing.yaml\n")
    git(repository, "commit", "-qam", "Break staging")
    with house.control() as control:
        control.post("advance", json={"seconds": 660})
    expect(author.locator("main h2").first).to_have_text("Non-Compliant", timeout=COMPLIANT_MS)
    expect(author.locator("main")).to_contain_text("kustomize build failed")
    broken.write_text(whole)
    git(repository, "commit", "-qam", "Mend staging")
    with house.control() as control:
        control.post("advance", json={"seconds": 660})
    expect(author.locator("main h2").first).to_have_text("Compliant", timeout=COMPLIANT_MS)

    # Edit a kustomization: change, review, apply.
    author.get_by_role("button", name="Propose change").first.click()
    author.goto(author.url.replace("source", "kustomizations"))
    author.get_by_role("button", name="Edit infra").click()
    author.get_by_label("Sync interval (minutes)").fill("5")
    author.get_by_role("button", name="Save kustomization").click()
    next_step(author)
    edited = submit(author, "Follow infra more closely.")
    approver.goto(edited)
    expect(approver.locator("main")).to_contain_text("300")
    approve(approver, edited)
    wait_until_applied(author)
    last = writes(house)[-1]
    assert last["body"]["properties"]["kustomizations"]["infra"]["syncIntervalInSeconds"] == 300

    # Suspend and resume.
    for act, state in (("Suspend", "Suspended"), ("Resume", "Compliant")):
        approve(approver, propose_act(author, detail, act))
        wait_until_applied(author)
        author.goto(detail)
        expect(author.locator("main h2").first).to_have_text(state, timeout=COMPLIANT_MS)

    # Delete, with the warning that prune removes what was deployed.
    author.goto(detail)
    author.get_by_role("link", name="Delete").first.click()
    expect(author.locator("main")).to_contain_text("what it deployed is deleted")
    expect(author.locator("main")).to_contain_text("apps")
    approve(approver, propose_act(author, detail, "Delete"))
    wait_until_applied(author)
    assert writes(house)[-1]["method"] == "DELETE"
    author.goto("/configurations/")
    expect(author.get_by_role("link", name="cluster-config")).to_have_count(0)


def writes(house: House) -> list[dict[str, object]]:
    """Everything that ARM accepted, in order."""
    with house.control() as control:
        found: list[dict[str, object]] = control.get("journal").json()["result"]
    return found
