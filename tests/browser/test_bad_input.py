"""What is wrong is said beside the field or on the page of the change, with what to do."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import (
    APPLIED_MS,
    add_kustomization,
    another_cluster,
    approve,
    choose_cluster,
    cluster_id,
    configuration_id,
    fill_basics,
    fill_source,
    next_step,
    propose_act,
    propose_small,
    wait_until_applied,
    writes_of,
)
from tests.house_process import House

AKS = "flux-demo-aks"


def is_refused(field: Locator, message: str, kept: str) -> None:
    """The field says why, to everybody, and what was typed is still in it."""
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(message)))
    expect(field).to_have_value(kept)


def editor(page: Page, label: str) -> Locator:
    return page.get_by_label(label).first


def test_each_wrong_field_says_why_and_keeps_what_was_typed(sign_in: SignIn) -> None:
    page = sign_in("author")
    choose_cluster(page, AKS)
    draft = page.url

    fill_basics(page, name="Wrong_Name", namespace="-also-wrong")
    is_refused(page.get_by_label("Configuration name"), "lower case letters", "Wrong_Name")
    is_refused(editor(page, "Namespace"), "Begin and end with a letter", "-also-wrong")
    fill_basics(page, name="typed-wrong")

    fill_source(page, url="https://me:secret@example.com/x.git", branch="two words")
    url, branch = page.get_by_label("Repository URL"), page.get_by_label("Branch").last
    expect(url).to_have_attribute("aria-invalid", "true")
    expect(url).to_have_value("https://me:secret@example.com/x.git")
    is_refused(branch, "Git does not take this as a name.", "two words")
    page.get_by_label("Sync interval (minutes)").fill("soon")
    next_step(page)
    is_refused(page.get_by_label("Sync interval (minutes)"), "Enter minutes", "soon")

    # The draft is kept with its mistakes, and resumed where it was left.
    page.get_by_role("button", name="Keep for later").click()
    page.get_by_role("link", name="typed-wrong").click()
    assert page.url == draft
    next_step(page)
    is_refused(page.get_by_label("Sync interval (minutes)"), "Enter minutes", "soon")
    page.get_by_label("Sync interval (minutes)").fill("10")
    fill_source(page)

    page.get_by_role("button", name="Add", exact=True).click()
    editor(page, "Instance name").fill("infra")
    editor(page, "Path").fill("../elsewhere")
    editor(page, "Retry interval (minutes)").fill("0")
    page.get_by_role("button", name="Save kustomization").click()
    is_refused(editor(page, "Path"), "may not leave the source", "../elsewhere")
    is_refused(editor(page, "Retry interval (minutes)"), "at least 1 second", "0")
    expect(editor(page, "Instance name")).to_have_value("infra")
    editor(page, "Path").fill("./infrastructure")
    editor(page, "Retry interval (minutes)").fill("")
    page.get_by_role("button", name="Save kustomization").click()
    expect(page.get_by_label("Instance name")).to_have_count(0)

    add_kustomization(page, name="apps", path="./apps/staging", depends_on="infra")
    page.get_by_role("button", name="Add", exact=True).click()
    editor(page, "Instance name").fill("apps")
    page.get_by_role("button", name="Save kustomization").click()
    is_refused(editor(page, "Instance name"), "There is another one of this name.", "apps")
    page.get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="Edit infra").click()
    page.get_by_role("checkbox", name="apps", exact=True).check()
    page.get_by_role("button", name="Save kustomization").click()
    expect(page.locator("main")).to_contain_text("These wait for each other in a circle")
    expect(page.get_by_role("checkbox", name="apps", exact=True)).to_be_checked()
    page.get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="Remove infra").click()
    expect(page.get_by_role("rowheader", name="infra")).to_have_count(0)
    next_step(page)
    expect(page.locator("main")).to_contain_text("There is no kustomization “infra”.")


def says(page: Page, problem: str, todo: str) -> None:
    """The open page of the change names the problem and the next step, by itself."""
    expect(page.locator("#targets")).to_contain_text(problem, timeout=APPLIED_MS)
    expect(page.locator("#targets")).to_contain_text(todo)


def in_history(page: Page, name: str) -> None:
    page.goto(f"/history/?object={name}")
    expect(page.locator(".fg-events")).to_contain_text(name)


def test_throttled_waits_and_goes_on(house: House, sign_in: SignIn) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    change = propose_small(author, cluster=AKS, name="throttled")
    house.tell(
        "add_fault",
        kind="status",
        method="PUT",
        path="/throttled$",
        status=429,
        retry_after="5",
    )
    approve(approver, change)
    says(author, "Too many requests at once", "it goes on at that time")
    wait_until_applied(author)
    assert [entry["method"] for entry in writes_of(house, "throttled")] == ["PUT"]


def test_a_lost_sign_in_is_named_and_the_write_goes_on_after_it(
    house: House, sign_in: SignIn
) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    change = propose_small(author, cluster=AKS, name="signed-out")
    house.tell("add_fault", kind="expired_token", method="PUT|GET", path="/signed-out$", count=50)
    approve(approver, change)
    says(author, "no longer accepts the sign-in", "Renew its credential")
    house.tell("clear_faults")
    wait_until_applied(author)
    assert [entry["method"] for entry in writes_of(house, "signed-out")] == ["PUT"]


def test_an_unregistered_provider_is_named_and_the_write_tried_again(
    house: House, sign_in: SignIn
) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    change = propose_small(author, cluster=AKS, name="unregistered")
    provider = "Microsoft.KubernetesConfiguration"
    house.tell("set_registration", namespace=provider)
    approve(approver, change)
    says(author, "has not registered the resource provider", "then try again")
    house.tell("set_registration", namespace=provider, state="Registered")
    author.get_by_role("button", name="Try again").click()
    wait_until_applied(author)
    assert [entry["method"] for entry in writes_of(house, "unregistered")] == ["PUT"]


def test_a_base_that_moved_is_said_and_reviewed_again(house: House, sign_in: SignIn) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    approve(approver, propose_small(author, cluster=AKS, name="moving"))
    wait_until_applied(author)
    author.locator("#targets a").first.click()
    change = propose_act(author, author.url, "Suspend")
    house.tell(
        "edit",
        resource_id=configuration_id(house, AKS, "moving"),
        properties={"kustomizations": {"infra": {"syncIntervalInSeconds": 900}}},
    )
    # During the review the page comes to know of it; an approval all the same is stopped.
    approver.goto(change)
    expect(approver.locator("#decision")).to_contain_text(
        "was altered after this was submitted", timeout=APPLIED_MS
    )
    approve(approver, change)
    says(author, "altered the resource after the approval", "against what is there now")
    assert len(writes_of(house, "moving")) == 1

    author.get_by_role("button", name="Review against the new base").click()
    approver.goto(change)
    approve(approver, change)
    wait_until_applied(author)
    assert len(writes_of(house, "moving")) == 2


def test_a_cluster_that_is_gone_is_named(house: House, sign_in: SignIn) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    another_cluster(house, "flux-demo-leaving")
    author.goto("/clusters/")
    expect(author.locator("main")).to_contain_text("flux-demo-leaving", timeout=APPLIED_MS)
    change = propose_small(author, cluster="flux-demo-leaving", name="left-behind")
    house.tell("delete_cluster", resource_id=cluster_id(house, "flux-demo-leaving"))
    approve(approver, change)
    says(author, "The cluster does not exist any more", "Nothing was written")
    assert writes_of(house, "left-behind") == []
    in_history(author, "left-behind")
