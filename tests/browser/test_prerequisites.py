"""A provider is not registered: the page says so, a change registers it, and the page follows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.steps import approve
from tests.house_process import House

# One that no other story of the session needs, so that order is no matter.
PROVIDER = "Microsoft.ContainerService"
READ_MS = 60_000


@pytest.fixture
def unregistered(house: House) -> Iterator[None]:
    house.tell("set_registration", namespace=PROVIDER)
    yield
    house.tell("set_registration", namespace=PROVIDER, state="Registered")


def test_an_unregistered_provider_is_registered_by_a_change_and_the_open_page_follows(
    house: House, sign_in: SignIn, unregistered: None
) -> None:
    admin, approver = sign_in("admin"), sign_in("approver")
    open_prerequisites(admin, "flux-demo-aks")
    admin.get_by_role("button", name="Check now").click()
    check = admin.get_by_role("listitem").filter(has_text=f"{PROVIDER} is registered")
    expect(check).to_contain_text("failed", timeout=READ_MS)
    expect(check).to_contain_text("registrationState = NotRegistered")
    expect(check).to_contain_text(f"az provider register --namespace {PROVIDER}")

    # The cluster's own page, and its filter in the list, say it too.
    approver.goto("/clusters/?failed=provider")
    approver.get_by_role("link", name="flux-demo-aks").click()
    expect(approver.locator("#prerequisites")).to_contain_text("failed")

    watching = admin.context.new_page()
    watching.goto(admin.url)
    watching.evaluate("document.body.dataset.mark = 'stays'")
    check.get_by_role("link", name="Register it by a change").click()
    admin.get_by_label("Reason").fill("Flux on AKS needs it.")
    admin.get_by_role("button", name=re.compile("review", re.IGNORECASE)).click()
    admin.wait_for_url(re.compile(r"/changes/\d+/"))
    approve(approver, admin.url)

    followed = watching.get_by_role("listitem").filter(has_text=f"{PROVIDER} is registered")
    expect(followed).to_contain_text("registrationState = Registered", timeout=READ_MS)
    expect(followed).to_contain_text("ok")
    assert watching.evaluate("document.body.dataset.mark") == "stays"
    posts = [it["path"] for it in house.ask("journal")]
    assert any(path.lower().endswith(f"{PROVIDER}/register".lower()) for path in posts)


def open_prerequisites(page: Page, cluster: str) -> None:
    """From the list, by the cluster's page, as a person goes."""
    page.goto("/clusters/")
    page.get_by_role("link", name=cluster).click()
    page.locator("#prerequisites").get_by_role("link", name="Prerequisites").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prerequisites")
