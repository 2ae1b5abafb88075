"""No page has a fault that axe finds, in light and dark, wide and narrow; none scrolls sideways.

axe-core is kept under vendor/ with its licence, and VENDORED.json says which version it is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import another_cluster, choose_cluster, made_outside
from tests.house_process import House

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe-core" / "axe.min.js"
PAGES = [
    "/",
    "/configurations/",
    "/configurations/?q=state%3Asuspended+name%3Anothing",
    "/configurations/new",
    "/configurations/bring-in",
    "/configurations/adopt",
    "/configurations/drafts/",
    "/clusters/",
    "/clusters/1/",
    "/clusters/1/workload-identity/",
    "/clusters/openshift/",
    "/changes/",
    "/history/",
    "/account/",
    "/people/",
    "/people/add/",
    "/clusters/environments/",
    "/clusters/connections/",
    "/clusters/connections/1/",
]
LOOKS = {
    "light": {"color_scheme": "light", "width": 1440},
    "dark": {"color_scheme": "dark", "width": 1440},
    "narrow": {"color_scheme": "light", "width": 390},
}
TABS = ("", "diff", "specification", "faces", "changes", "history", "raw")


def test_axe_is_the_recorded_one() -> None:
    recorded = json.loads((VENDOR / "VENDORED.json").read_text())["files"]
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (VENDOR / "axe-core").iterdir()
    }
    assert found == recorded


@pytest.fixture(scope="module")
def shown(house: House) -> str:
    """The name of a configuration that is there to be shown."""
    another_cluster(house, "flux-demo-shown")
    made_outside(house, "flux-demo-shown", "shown")
    return "shown"


def addresses(page: Page, shown: str) -> list[str]:
    """The main pages, those of one configuration, and the first step of the wizard."""
    page.goto("/configurations/")
    link = page.get_by_role("link", name=shown, exact=True)
    expect(link).to_be_visible(timeout=90_000)
    detail = link.get_attribute("href") or ""
    choose_cluster(page, "flux-demo-shown")
    step = page.url
    return [
        *PAGES,
        *(detail + tab for tab in TABS),
        *(step.replace("basics", name) for name in ("basics", "source", "kustomizations")),
        f"{detail}suspend",
        f"{detail}delete",
    ]


def faults_of(page: Page) -> list[str]:
    """What axe finds on the open page, each with the element."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(sign_in: SignIn, shown: str, look: str) -> None:
    page = sign_in("admin", bypass_csp=True, reduced_motion="reduce", **LOOKS[look])
    found: dict[str, list[str]] = {}
    for address in addresses(page, shown):
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, address
        if faults := faults_of(page):
            found[address] = faults
    assert found == {}


@pytest.mark.parametrize("width", [390, 320])
def test_no_page_scrolls_sideways(sign_in: SignIn, shown: str, width: int) -> None:
    page = sign_in("admin", width=width)
    too_wide: dict[str, int] = {}
    for address in addresses(page, shown):
        page.goto(address)
        needed = page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            too_wide[address] = needed
    assert too_wide == {}
