"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import arm

ROOT = Path(__file__).resolve().parents[2]
APPS = ["portal", "configurations", "clusters", "changes", "access", "audit", "live"]
# The kinds of reviewed writes: the only places from which Azure is altered.
KINDS = {
    "configurations/kind.py",
    "clusters/extension_kind.py",
    "clusters/federated_kind.py",
    "clusters/provider_kind.py",
}


def python_files() -> list[Path]:
    return [path for app in APPS for path in (ROOT / app).rglob("*.py")]


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


def test_only_kinds_of_reviewed_writes_call_a_writing_method_of_arm() -> None:
    callers = {
        str(path.relative_to(ROOT))
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in arm.WRITING_METHODS
    }
    assert callers
    assert callers <= KINDS


@pytest.mark.parametrize("path", templates(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_inline_script_style_or_handler(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "|safe" not in text


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_code_marks_nothing_safe_but_what_it_escaped_itself(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "mark_safe"
    ]
    assert not [call for call in calls if not isinstance(call.args[0], ast.Constant)]


def test_no_state_is_compared_with_translated_text() -> None:
    pattern = re.compile(r"get_\w+_display\(\)\s*(==|!=|in\b)|label\s*==")
    assert not [str(path) for path in python_files() if pattern.search(path.read_text())]
