"""Open pages follow what happens: by the stream, by polling without it, and without Redis."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import (
    another_cluster,
    approve,
    configuration_id,
    made_outside,
    propose_small,
    report,
    wait_until_applied,
)
from tests.house_process import House

# A sweep reads Azure every 15 s, and this machine has more to do.
MOVED_MS = 90_000
CLUSTER = "flux-demo-watched"
NAME = "watched"


@pytest.fixture(scope="module")
def watched(house: House) -> str:
    """A configuration whose reports the tests write themselves; its ARM id."""
    another_cluster(house, CLUSTER)
    return made_outside(house, CLUSTER, NAME)


def stays(page: Page) -> None:
    """Mark the document; `has_stayed` tells whether it was loaded again since."""
    page.evaluate("document.body.dataset.mark = 'stays'")


def has_stayed(page: Page) -> None:
    assert page.evaluate("document.body.dataset.mark") == "stays"


def state_of(page: Page) -> Locator:
    """The compliance of the watched configuration in the open list."""
    link = page.get_by_role("link", name=NAME, exact=True)
    return page.get_by_role("row").filter(has=link).locator(".is-state")


def open_list(page: Page) -> None:
    """The list of configurations, once the watched one is in it."""
    page.goto("/configurations/")
    expect(state_of(page)).to_be_visible(timeout=MOVED_MS)
    stays(page)


def test_list_detail_and_overview_follow_what_azure_reports(
    house: House, sign_in: SignIn, watched: str
) -> None:
    report(house, watched, "Compliant")
    listing, detail, overview = (sign_in(who) for who in ("viewer", "author", "approver"))
    open_list(listing)
    expect(state_of(listing)).to_have_text("Compliant", timeout=MOVED_MS)
    expect(listing.locator("#fg-pill")).to_have_text("Live")
    detail.goto(listing.get_by_role("link", name=NAME, exact=True).get_attribute("href") or "")
    overview.goto("/")
    failing = overview.locator(".fg-counts li").filter(has_text="Non-Compliant")
    before = int(failing.locator(".fg-counts__n").inner_text())
    for page in (detail, overview):
        stays(page)

    report(house, watched, "Non-Compliant")
    expect(state_of(listing)).to_have_text("Non-Compliant", timeout=MOVED_MS)
    expect(detail.locator("main h2").first).to_have_text("Non-Compliant", timeout=MOVED_MS)
    expect(failing.locator(".fg-counts__n")).to_have_text(str(before + 1), timeout=MOVED_MS)
    for page in (listing, detail, overview):
        has_stayed(page)
    report(house, watched, "Compliant")


def test_a_change_moves_by_what_others_do_and_keeps_what_is_typed(sign_in: SignIn) -> None:
    author, approver = sign_in("author"), sign_in("approver")
    waiting = sign_in("approver")
    waiting.goto("/changes/?tab=needs")
    stays(waiting)
    change = propose_small(author, cluster="flux-demo-aks", name="talked-about")
    stays(author)
    title = waiting.get_by_role("link", name="talked-about")
    expect(title).to_be_visible()

    # Somebody types while others act: the words, the focus and the caret stay.
    approver.goto(change)
    stays(approver)
    comment = approver.get_by_role("textbox", name="Comment")
    comment.press_sequentially("Half a sen")
    author.get_by_role("textbox", name="Comment").fill("Prune is on because it is ours.")
    author.get_by_role("button", name="Comment only").click()
    expect(approver.locator("#story")).to_contain_text("Prune is on because it is ours.")
    expect(comment).to_have_value("Half a sen")
    expect(comment).to_be_focused()
    comment.press_sequentially("tence.")
    expect(comment).to_have_value("Half a sentence.")
    has_stayed(approver)

    stays(author)
    approver.get_by_role("button", name="Approve").first.click()
    wait_until_applied(author)
    expect(author.locator("#approvals")).to_contain_text("1 of 1")
    expect(author.locator("#story")).to_contain_text("Half a sentence.")
    expect(title).to_have_count(0)
    for page in (author, waiting):
        has_stayed(page)


def test_without_the_stream_pages_ask_by_themselves(
    house: House, sign_in: SignIn, watched: str
) -> None:
    page = sign_in("viewer")
    page.route("**/live/events*", lambda route: route.abort())
    open_list(page)
    pill = page.locator("#fg-pill")
    expect(pill).to_have_text("Every 10 s")
    report(house, watched, "Non-Compliant")
    expect(state_of(page)).to_have_text("Non-Compliant", timeout=MOVED_MS)

    # Paused is paused, and says so; resumed it catches up.
    pill.click()
    expect(pill).to_have_text("Paused")
    expect(pill).to_have_attribute("aria-pressed", "true")
    watching = sign_in("author")
    open_list(watching)
    report(house, watched, "Compliant")
    expect(state_of(watching)).to_have_text("Compliant", timeout=MOVED_MS)
    expect(state_of(page)).to_have_text("Non-Compliant")
    pill.click()
    expect(state_of(page)).to_have_text("Compliant", timeout=MOVED_MS)
    has_stayed(page)


def test_pages_move_on_after_redis_was_killed(house: House, sign_in: SignIn, watched: str) -> None:
    page = sign_in("viewer")
    open_list(page)
    pids = house.pids("redis")
    assert pids, house.log.read_text()[-3000:]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    report(house, watched, "Non-Compliant")
    expect(state_of(page)).to_have_text("Non-Compliant", timeout=MOVED_MS)
    has_stayed(page)
    report(house, watched, "Compliant")


def test_an_approval_while_redis_is_down_is_applied(house: House, sign_in: SignIn) -> None:
    """The database is the truth: the doorbell may be broken."""
    author, approver = sign_in("author"), sign_in("approver")
    change = propose_small(author, cluster="flux-demo-aks", name="unheard")
    stays(author)
    for pid in house.pids("redis"):
        os.kill(pid, signal.SIGKILL)
    approve(approver, change)
    wait_until_applied(author)
    has_stayed(author)
    stored = house.ask("resource", resource_id=configuration_id(house, "flux-demo-aks", "unheard"))
    assert stored["properties"]["kustomizations"]["infra"]["path"] == "./infrastructure"
