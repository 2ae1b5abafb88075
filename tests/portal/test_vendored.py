"""Vendored files are those that were recorded, every icon in use is in the sprite, and the
scripts stay within their budget."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from portal.templatetags import look

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "static" / "vendor"
RECORD = json.loads((VENDOR / "VENDORED.json").read_text())
SCRIPT_BUDGET = 60_000  # bytes, compressed


def test_every_file_is_recorded_and_unchanged() -> None:
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDORED.json"
    }
    assert found == RECORD["files"]


@pytest.mark.parametrize("library", ["tabler", "htmx", "inter", "jetbrains-mono"])
def test_each_library_brings_its_licence(library: str) -> None:
    assert (VENDOR / library / "LICENSE").read_text().strip()


def symbols() -> set[str]:
    return set(re.findall(r'<symbol id="([a-z0-9-]+)"', (VENDOR / "tabler/icons.svg").read_text()))


def test_every_icon_of_a_template_is_in_the_sprite() -> None:
    used = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r"""\{% icon ["']([a-z0-9-]+)["']""", path.read_text())
    }
    assert used
    assert used - symbols() == set(), "Run script/vendor --icons."


def test_every_icon_of_a_state_is_in_the_sprite() -> None:
    tables = [look.COMPLIANCE, look.PROVISIONING, look.CHANGE, look.OPERATION, look.CONNECTIVITY]
    used = {state.icon for table in tables for state in table.values()}
    assert used | {look.STALE.icon, look.DRIFTED.icon} <= symbols()


def test_scripts_stay_within_the_budget() -> None:
    scripts = list((ROOT / "static").rglob("*.js"))
    assert len(scripts) >= 2
    assert sum(len(gzip.compress(path.read_bytes())) for path in scripts) <= SCRIPT_BUDGET


def test_no_template_needs_an_exception_from_the_content_security_policy() -> None:
    """No inline script, style attribute or event handler anywhere."""
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=[\"']|javascript:|hx-on", re.IGNORECASE
    )
    for path in (ROOT / "templates").rglob("*.html"):
        found = inline.search(path.read_text())
        assert found is None, f"{path.relative_to(ROOT)}: {found[0]}"
