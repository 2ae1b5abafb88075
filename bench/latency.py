"""From an approval to the write at ARM, and from a status at ARM to the open page.

The whole house runs and people use it in Chromium; the simulator's clock and ours are the same
machine's. The first time runs from the approver's click, the second from the moment at which the
simulator has the new status.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.figures import Figure, percentile
from simulator.sample import materialise
from tests.browser.conftest import ARGUMENTS, CHROMIUM, REPOSITORY, enter_house
from tests.browser.steps import (
    approve,
    create_tutorial_change,
    propose_act,
    wait_until_applied,
)
from tests.house_process import House

NAME = "cluster-config"  # the sample's releases live in the namespace of this name
APPROVALS = 20
STATUS_CHANGES = 30


def measure() -> list[Figure]:
    """Create one configuration as the tutorial does, then measure on it."""
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as folder:
        repository = materialise(Path(folder) / "source")
        options = f"--repo {REPOSITORY}={repository} --pace 0.1"
        with House(Path(folder) / "data", options=options) as house, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            author, approver = _page(browser, house, "author"), _page(browser, house, "approver")
            change = create_tutorial_change(
                author, cluster="flux-demo-arc", name=NAME, reason="Measured."
            )
            approve(approver, change)
            wait_until_applied(author)
            author.goto("/configurations/")
            author.get_by_role("link", name=NAME).first.click()
            expect(author.locator("main h2").first).to_have_text("Compliant", timeout=120_000)
            with house.control() as control:
                pages = _status_to_page(control, author)
                writes = _approval_to_write(control, author, approver)
            browser.close()
    return [
        Figure("approval to ARM write, idle worker: p50", percentile(writes, 0.5), "s"),
        Figure("approval to ARM write, idle worker: p95", percentile(writes, 0.95), "s", 1.0),
        Figure("status in ARM to the open page: p50", percentile(pages, 0.5), "s"),
        Figure("status in ARM to the open page: p95", percentile(pages, 0.95), "s", 3.0),
    ]


def _page(browser: Browser, house: House, name: str) -> Page:
    page = browser.new_context(base_url=house.url).new_page()
    page.set_default_timeout(60_000)
    enter_house(page, house.accounts[name])
    return page


def _approval_to_write(control: httpx.Client, author: Page, approver: Page) -> list[float]:
    """Suspend and resume in turn; each write's time is the simulator's own."""
    found = []
    configuration = author.url
    for number in range(APPROVALS):
        change = propose_act(author, configuration, "Resume" if number % 2 else "Suspend")
        approver.goto(change)
        before = _journal(control)[-1]["sequence"]
        clicked = time.time()
        approver.get_by_role("button", name=re.compile("^Approve")).first.click()
        entry = _next_entry(control, before)
        found.append(datetime.fromisoformat(entry["time"]).timestamp() - clicked)
        wait_until_applied(author)
    return found


def _status_to_page(control: httpx.Client, page: Page) -> list[float]:
    """Report another commit at ARM and wait until the open page shows it, without a reload."""
    found = []
    [resource] = [it["path"] for it in _journal(control) if it["path"].lower().endswith(f"/{NAME}")]
    for _number in range(STATUS_CHANGES):
        commit = secrets.token_hex(20)
        properties = {"sourceSyncedCommitId": f"main@sha1:{commit}"}
        began = time.time()
        answer = control.post(
            "set_properties", json={"resource_id": resource, "properties": properties}
        )
        answer.raise_for_status()
        page.get_by_text(commit[:7]).first.wait_for()
        found.append(time.time() - began)
        time.sleep(secrets.randbelow(2000) / 1000)  # so that it falls anywhere between two reads
    return found


def _journal(control: httpx.Client, since: int = 0) -> list[dict[str, Any]]:
    answer = control.get("journal", params={"since": since})
    entries: list[dict[str, Any]] = answer.raise_for_status().json()["result"]
    return entries


def _next_entry(control: httpx.Client, since: int) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if entries := _journal(control, since):
            return entries[0]
        time.sleep(0.02)
    raise RuntimeError("No write arrived within a minute.")
