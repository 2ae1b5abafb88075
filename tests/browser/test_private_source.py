"""A private repository: its key is typed once, never seen again, refused, and replaced."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import SignIn, git
from tests.browser.steps import (
    add_kustomization,
    approve,
    choose_cluster,
    fill_basics,
    next_step,
    submit,
    wait_until_applied,
)
from tests.house_process import House

URL = "https://git.example.org/team/private"
WRONG, RIGHT = "wrong-key-5d1", "right-key-5d1"
COMPLIANT_MS = 90_000
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: private
data: {}
"""


def test_a_wrong_key_is_named_by_flux_and_replaced_without_being_seen(
    house: House, sign_in: SignIn, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Settings")
    house.tell("map_source", url=URL, path=str(tmp_path))
    house.tell("expect", url=URL, kind="https", value=f"flux:{RIGHT}")
    author, approver = sign_in("author"), sign_in("approver")
    choose_cluster(author, "flux-demo-aks")
    fill_basics(author, name="private")
    author.get_by_label("Repository URL").fill(URL)
    author.get_by_label("Repository type").select_option("private")
    author.get_by_label("HTTPS user").fill("flux")
    author.get_by_label("HTTPS key").fill(WRONG)
    next_step(author)
    add_kustomization(author, name="all", path="./")
    next_step(author)
    assert WRONG not in author.content()
    change = submit(author, "A private repository.")

    approver.goto(change)
    expect(approver.locator("main")).to_contain_text("•••• version")
    assert WRONG not in approver.content()
    approve(approver, change)
    wait_until_applied(author)

    author.goto("/configurations/")
    author.get_by_role("link", name="private", exact=True).click()
    expect(author.locator("main h2").first).to_have_text("Non-Compliant", timeout=COMPLIANT_MS)
    expect(author.locator("main")).to_contain_text("authentication required")
    expect(author.locator("main")).to_contain_text("HTTPS key")
    detail = author.url

    author.get_by_role("button", name="Propose change").first.click()
    expect(author.locator("main")).to_contain_text("Set by Ana Moreau")
    author.get_by_label("Replace: HTTPS key").fill(RIGHT)
    next_step(author)
    next_step(author)
    replaced = submit(author, "The right key.")
    approve(approver, replaced)
    wait_until_applied(author)
    author.goto(detail)
    expect(author.locator("main h2").first).to_have_text("Compliant", timeout=COMPLIANT_MS)
    assert not re.search(f"{WRONG}|{RIGHT}", author.content())


def test_every_kind_of_source_is_filled_in_without_javascript(sign_in: SignIn) -> None:
    page = sign_in("author", javascript=False)
    page.goto("/configurations/new")
    page.get_by_role("button", name="Choose flux-demo-aks").click()
    fill_basics(page, name="plain")
    page.get_by_label("Source kind").select_option("AzureBlob")
    page.get_by_role("button", name="Show its fields").first.click()
    page.get_by_label("Blob URL").fill("https://fleet.blob.core.windows.net")
    page.get_by_label("Container name").fill("manifests")
    page.get_by_label("Authentication").select_option("sas")
    page.get_by_role("button", name="Show its fields").last.click()
    expect(page.get_by_label("Container name")).to_have_value("manifests")
    page.get_by_label("SAS token").fill("sv=2026&sig=abc")
    next_step(page)
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_visible()
    assert "sig=abc" not in page.content()
