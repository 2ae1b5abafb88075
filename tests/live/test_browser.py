"""What fluxgate.js does in the system's Chromium, against a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.live.conftest import Portal

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM and os.environ.get("CI") != "true", reason="Chromium is not installed."
    ),
]

FLEET = """
from access.models import Environment, RoleAssignment, User
from clusters.models import Cluster
from tests.portal import fleet
Cluster.objects.all().delete()
env, _ = Environment.objects.get_or_create(name="production", tone="production")
RoleAssignment.objects.get_or_create(user=User.objects.get(username="ann"), role="admin")
on = fleet.cluster(env, name="aks-one")
fleet.configuration(on, "apps", "Non-Compliant", cause="Path not found")
fleet.configuration(on, "infra", "Non-Compliant", cause="Chart not found")
"""

REPAIR = """
from configurations.models import Configuration
from live.services import bump
Configuration.objects.filter(name="{name}").update(compliance="{compliance}", cause="{cause}")
bump("configurations")
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def context_of(portal: Portal, chromium: Browser, **options: object) -> BrowserContext:
    portal.python(FLEET)
    context = chromium.new_context(base_url=portal.url, **options)  # type: ignore[arg-type]
    session = {"name": "sessionid", "value": portal.people["ann"][1], "url": portal.url}
    context.add_cookies([session])  # type: ignore[list-item]
    context.set_default_timeout(20_000)
    return context


@pytest.fixture
def overview(portal: Portal, chromium: Browser) -> Iterator[Page]:
    """The overview of a fleet with two problems; errors of its scripts fail the test."""
    context = context_of(portal, chromium)
    opened = context.new_page()
    failures: list[str] = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    opened.goto("/")
    yield opened
    context.close()
    assert failures == []


def number_of(page: Page, word: str) -> Locator:
    return page.locator(".fg-counts li", has_text=word).locator(".fg-counts__n")


def pill(page: Page) -> Locator:
    return page.locator("#fg-pill")


def change(portal: Portal, name: str, compliance: str, cause: str = "") -> None:
    portal.python(REPAIR.format(name=name, compliance=compliance, cause=cause))


def test_a_change_shows_by_itself_and_keeps_where_one_was(portal: Portal, overview: Page) -> None:
    page = overview
    expect(pill(page)).to_have_text("Live")
    expect(number_of(page, "Non-Compliant")).to_have_text("2")
    page.evaluate("window.kept = 'the same document'")
    link = page.get_by_role("link", name="All problems")
    link.focus()
    change(portal, "apps", "Compliant")
    expect(number_of(page, "Non-Compliant")).to_have_text("1")
    assert page.evaluate("window.kept") == "the same document"
    expect(page.get_by_role("link", name="All problems")).to_be_focused()


def test_only_the_row_that_changed_is_tinted(portal: Portal, overview: Page) -> None:
    page = overview
    expect(pill(page)).to_have_text("Live")
    # The tint is taken away after a moment: note every row that ever had it.
    page.evaluate(
        """() => {
          window.tinted = [];
          new MutationObserver((all) => all.map((one) => one.target)
            .filter((row) => row.classList.contains('fg-changed'))
            .forEach((row) => window.tinted.push(row.textContent)))
            .observe(document.body, {subtree: true, attributeFilter: ['class']});
        }"""
    )
    change(portal, "apps", "Non-Compliant", cause="Health check timed out")
    expect(page.get_by_role("link", name="Health check timed out").first).to_be_visible()
    tinted = " ".join(page.evaluate("window.tinted"))
    assert "Health check timed out" in tinted
    assert "Chart not found" not in tinted


def test_rows_do_not_change_places_under_the_pointer(portal: Portal, overview: Page) -> None:
    page = overview
    expect(pill(page)).to_have_text("Live")
    causes = page.locator(".fg-table--problems .fg-name")
    expect(causes).to_have_text(["Path not found", "Chart not found"])
    page.locator(".fg-table--problems tbody tr").nth(1).hover()
    portal.python(
        "from configurations.models import Configuration\nfrom live.services import bump\n"
        "Configuration.objects.filter(name='infra').update(severity=90)\nbump('configurations')"
    )
    expect(page.get_by_role("button", name="The order has changed")).to_be_visible()
    expect(causes).to_have_text(["Path not found", "Chart not found"])
    page.locator("h1").hover()
    expect(causes).to_have_text(["Chart not found", "Path not found"])
    expect(page.locator(".fg-fresh")).to_have_count(0)


def test_text_that_is_being_typed_is_never_swapped_away(portal: Portal, overview: Page) -> None:
    page = overview
    expect(pill(page)).to_have_text("Live")
    page.evaluate(
        """() => { const box = document.createElement('input'); box.id = 'reason';
        document.querySelector('#overview').prepend(box); }"""
    )
    page.locator("#reason").press_sequentially("because")
    change(portal, "apps", "Compliant")
    page.wait_for_timeout(1500)
    expect(page.locator("#reason")).to_have_value("because")
    expect(number_of(page, "Non-Compliant")).to_have_text("2")
    page.locator("#reason").fill("")
    page.locator("#reason").blur()
    expect(number_of(page, "Non-Compliant")).to_have_text("1")


def test_paused_means_that_nothing_moves(portal: Portal, overview: Page) -> None:
    page = overview
    expect(pill(page)).to_have_text("Live")
    pill(page).click()
    expect(pill(page)).to_have_text("Paused")
    expect(page.locator("#fg-say")).to_have_text("This page is paused.")
    change(portal, "apps", "Compliant")
    page.wait_for_timeout(1500)
    expect(number_of(page, "Non-Compliant")).to_have_text("2")
    pill(page).click()
    expect(number_of(page, "Non-Compliant")).to_have_text("1")
    expect(pill(page)).to_have_text("Live")


def test_without_a_stream_the_page_asks_by_itself(portal: Portal, chromium: Browser) -> None:
    context = context_of(portal, chromium)
    page = context.new_page()
    page.route("**/live/events*", lambda route: route.fulfill(status=502, body=""))
    page.goto("/")
    expect(pill(page)).to_have_text("Every 10 s")
    change(portal, "apps", "Compliant")
    expect(number_of(page, "Non-Compliant")).to_have_text("1", timeout=20_000)
    context.close()


def test_a_portal_that_is_gone_is_named(mortal_portal: Portal, chromium: Browser) -> None:
    context = context_of(mortal_portal, chromium)
    page = context.new_page()
    page.goto("/")
    expect(pill(page)).to_have_text("Live")
    mortal_portal.process.kill()
    expect(pill(page)).to_contain_text("Not connected, last seen", timeout=20_000)
    expect(page.locator("#fg-say")).to_contain_text("does not answer")
    expect(number_of(page, "Non-Compliant")).to_have_text("2")
    context.close()


def test_without_javascript_everything_is_there(portal: Portal, chromium: Browser) -> None:
    context = context_of(portal, chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    expect(number_of(page, "Non-Compliant")).to_have_text("2")
    expect(pill(page)).to_be_hidden()
    page.locator(".fg-menu summary").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    context.close()


def test_theme_and_keys(overview: Page) -> None:
    page = overview
    page.locator("#fg-theme").click()
    page.locator("#fg-theme").click()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#find")).to_have_value("?")
    page.locator("h1").click()
    page.locator("#find").blur()
    page.keyboard.press("?")
    expect(page.locator("#fg-keys")).to_be_visible()
    page.get_by_label("Single keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#find")).not_to_be_focused()
