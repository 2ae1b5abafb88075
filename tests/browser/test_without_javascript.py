"""Everything that the portal is for, with JavaScript switched off in both browsers."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import REPOSITORY, SignIn
from tests.browser.steps import (
    add_kustomization,
    choose_cluster,
    fill_basics,
    fill_source,
    next_step,
    reload_until,
    submit,
    writes_of,
)
from tests.house_process import House

NAME = "plain-pages"


def kustomizations(page: Page) -> list[str]:
    """The names in step 3, in their order."""
    return page.get_by_role("rowheader").locator(".fg-name").all_inner_texts()


def test_a_configuration_is_proposed_reviewed_and_followed(house: House, sign_in: SignIn) -> None:
    author, approver = (sign_in(name, javascript=False) for name in ("author", "approver"))
    reload_until_listed(author, "flux-demo-aks")

    # A name with a mistake: the message is beside it, and the suggestion is one button.
    choose_cluster(author, "flux-demo-aks")
    fill_basics(author, name="Plain_Pages", namespace=NAME)
    field = author.get_by_label("Configuration name")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("Plain_Pages")
    author.get_by_role("button", name=re.compile(NAME)).click()
    expect(field).to_have_value(NAME)
    author.get_by_role("button", name=re.compile("^Next")).click()

    # Another type of reference shows its own field, and the branch is kept.
    author.get_by_label("Repository URL").fill(REPOSITORY)
    author.get_by_label("Branch").last.fill("main")
    author.get_by_label("Reference type").select_option("tag")
    author.get_by_role("button", name="Show its field").first.click()
    expect(author.get_by_label("Tag")).to_be_visible()
    author.get_by_label("Reference type").select_option("branch")
    author.get_by_role("button", name="Show its field").first.click()
    expect(author.get_by_label("Branch").last).to_have_value("main")
    fill_source(author)

    # Add, put in another order, remove.
    add_kustomization(author, name="infra", path="./infrastructure")
    add_kustomization(author, name="apps", path="./apps/staging", depends_on="infra")
    add_kustomization(author, name="extra", path="./apps/production")
    assert kustomizations(author) == ["infra", "apps", "extra"]
    author.get_by_role("button", name="Move extra up").click()
    assert kustomizations(author) == ["infra", "extra", "apps"]
    author.get_by_role("button", name="Remove extra").click()
    assert kustomizations(author) == ["infra", "apps"]

    # Back to the first step and on again: nothing is lost.
    author.get_by_role("button", name="Previous").click()
    expect(author.get_by_label("Repository URL")).to_have_value(REPOSITORY)
    author.get_by_role("button", name="Previous").click()
    expect(author.get_by_label("Configuration name")).to_have_value(NAME)
    for _step in range(2):
        next_step(author)
    assert kustomizations(author) == ["infra", "apps"]
    next_step(author)

    change = submit(author, "It works without scripts.")
    expect(author.locator("main")).to_contain_text("so somebody else reviews it")
    expect(author.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)

    # The approver finds it, reads all of it, and approves.
    approver.goto("/changes/?tab=needs")
    approver.get_by_role("link", name=re.compile(NAME)).click()
    assert approver.url == change
    main = approver.locator("main")
    for text in (
        "It works without scripts.",
        REPOSITORY,
        "./apps/staging",
        "Risk and blast radius",
        "Does not exist yet",
        re.compile(rf"PUT /subscriptions/.+/{NAME}\?api-version=", re.IGNORECASE),
    ):
        expect(main).to_contain_text(text)
    approver.get_by_label("Comment").fill("Read it all.")
    approver.get_by_role("button", name=re.compile("^Approve")).click()
    expect(main).to_contain_text("You approved")
    reload_until(approver, "Applied.")
    assert [entry["method"] for entry in writes_of(house, NAME)] == ["PUT"]

    # Both follow it: the list, its filter, the page and its tabs, the history, the clusters.
    for page in (author, approver):
        reload_until_listed(page, NAME)
        page.get_by_role("searchbox", name="Search configurations").fill(NAME)
        page.keyboard.press("Enter")
        page.get_by_role("link", name=NAME, exact=True).click()
        reload_until(page, re.compile("Compliant"), seconds=90)
        for tab in ("Diff to approved", "Specification", "Changes", "History", "Raw JSON"):
            page.get_by_role("link", name=re.compile(f"^{tab}")).last.click()
            expect(page.locator("main h1")).to_have_text(NAME)
        page.get_by_role("link", name="Clusters").first.click()
        page.get_by_role("link", name="flux-demo-aks").first.click()
        expect(page.locator("main")).to_contain_text(NAME)


def test_filters_and_sign_out(sign_in: SignIn) -> None:
    page = sign_in("author", javascript=False)
    page.goto("/history/")
    page.get_by_label("Who").fill("author")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_label("Who")).to_have_value("author")
    expect(page.locator(".fg-events li").first).to_contain_text("Ana Moreau")
    event = page.locator(".fg-events details").first
    event.locator("summary").click()
    expect(event.locator("dl").first).to_be_visible()

    page.goto("/configurations/")
    page.get_by_role("textbox", name="Add to the filter").fill("state:suspended name:nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("No configuration matches")
    page.get_by_role("link", name="Clear the filter").click()
    assert page.url.endswith("/configurations/")

    page.get_by_label(re.compile("^You:")).click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/configurations/")
    expect(page.get_by_label("Password", exact=True)).to_be_visible()


def reload_until_listed(page: Page, name: str) -> None:
    """The list of clusters or configurations has come to know it."""
    page.goto("/clusters/" if name.startswith("flux-demo") else "/configurations/")
    reload_until(page, name)
