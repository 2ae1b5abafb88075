"""A source is checked from the wizard: followed live, and the same without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import (
    add_kustomization,
    choose_cluster,
    fill_basics,
    fill_source,
    next_step,
    reload_until,
    submit,
)


def at_review(page: Page, name: str, path: str) -> None:
    """A draft with one kustomization, up to the last step."""
    choose_cluster(page, "flux-demo-aks")
    fill_basics(page, name=name)
    fill_source(page)
    add_kustomization(page, name="infra", path=path)
    next_step(page)


def test_a_check_is_followed_live_and_read_by_the_reviewer(sign_in: SignIn) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    at_review(author, "checked-live", "./infrastructure")
    author.get_by_label("Reason").fill("Kept while the check runs.")
    author.get_by_role("button", name="Check the source").click()
    part = author.locator("#source-check")
    expect(part).to_contain_text("Everything was found, and builds.")
    expect(part).to_contain_text("HelmRelease/cluster-config/nginx")
    expect(author.get_by_label("Reason")).to_have_value("Kept while the check runs.")
    change = submit(author, "The check is good.")
    approver.goto(change)
    expect(approver.locator("#evidence")).to_contain_text("Checked on commit")
    expect(approver.locator("#evidence")).to_contain_text("HelmRelease/cluster-config/redis")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_path_that_is_not_there_is_named_and_blocks_nothing(
    sign_in: SignIn, javascript: bool
) -> None:
    author = sign_in("author", javascript=javascript)
    at_review(author, f"checked-{'with' if javascript else 'without'}", "./absent")
    author.get_by_role("button", name="Check the source").click()
    if not javascript:
        reload_until(author, re.compile("does not build"))
    part = author.locator("#source-check")
    expect(part).to_contain_text("1 kustomization does not build.")
    expect(part).to_contain_text("The source has no folder of this path.")
    change = submit(author, "It is made later.")
    author.goto(change)
    expect(author.get_by_text("The check of the source failed: infra.")).to_be_visible()
    author.get_by_text("Withdraw", exact=True).first.click()
    author.get_by_role("button", name="Withdraw this change").click()
