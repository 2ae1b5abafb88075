"""Two people in the system's Chromium, against the whole house as `script/run` starts it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from simulator.sample import materialise
from tests.house_process import Account, House

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Workers, Git and kubectl share this machine with the browser: be patient, a failure is rare.
expect.set_options(timeout=30_000)
REPOSITORY = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here as browser tests; skip them without Chromium, but never in CI."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM and os.environ.get("CI") != "true":
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed."))


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Git repository that the tutorial's URL leads to; tests commit to it."""
    return materialise(tmp_path_factory.mktemp("source") / "tutorial")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[House]:
    """The running house, shared by the tests of a session; each makes configurations of its own."""
    data = tmp_path_factory.mktemp("house") / "data"
    with House(data, options=f"--repo {REPOSITORY}={repository} --pace 0.3") as house:
        install_flux(house, "flux-demo-aks")
        yield house


def install_flux(house: House, cluster: str) -> None:
    """Give a cluster the extension, so that changes on it do not wait for each other."""
    found = house.ask("resources")
    cluster_id = next(it["id"] for it in found if it["name"] == cluster)
    extension = f"{cluster_id}/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    body = {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}}
    status, answer = house.tell("edit", resource_id=extension, method="PUT", body=body)
    assert status == 201, answer


@pytest.fixture(autouse=True)
def orderly_azure(house: House) -> Iterator[None]:
    """Every test begins with an empty journal, and leaves no fault behind."""
    house.tell("clear_journal")
    yield
    house.tell("clear_faults")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser process; each person gets a context, so cookies are apart."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(house: House, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[SignIn]:
    """`sign_in("author", javascript=False)` gives a page of that person, signed in."""
    contexts: list[BrowserContext] = []

    def enter(name: str, *, javascript: bool = True, width: int = 1440, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=house.url,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 1000},
            locale="en-GB",
            timezone_id="UTC",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        enter_house(page, house.accounts[name])
        return page

    yield enter
    failed = getattr(request.node, "failed", False)
    for number, context in enumerate(contexts):
        if failed and context.pages:
            folder = Path(os.environ.get("FLUXGATE_TEST_RESULTS", "test-results"))
            folder.mkdir(exist_ok=True)
            context.pages[-1].screenshot(
                path=folder / f"{request.node.name}-{number}.png", full_page=True
            )
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Remember a failure, so that the fixture above can keep a picture of it."""
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report


def enter_house(page: Page, account: Account) -> None:
    """Sign in with name and password."""
    page.goto("/sign-in/")
    page.get_by_label("Name").fill(account.name)
    page.get_by_label("Password", exact=True).fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)


def git(repository: Path, *arguments: str) -> str:
    """Run git in the source repository, as its owner would."""
    done = subprocess.run(
        ["git", "-c", "user.name=Owner", "-c", "user.email=owner@example.com", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
