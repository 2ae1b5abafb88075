"""The promises that other floors, and the lint tests over them, build on."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import arm
from arm import WRITING_METHODS, Gateway
from arm.base import GatewayBase

OPERATIONS = {
    name: member
    for name, member in inspect.getmembers(Gateway, inspect.isfunction)
    if not name.startswith("_")
}


def test_every_writing_method_exists_and_wants_a_request_id() -> None:
    for name in WRITING_METHODS:
        parameter = inspect.signature(OPERATIONS[name]).parameters["client_request_id"]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is inspect.Parameter.empty


def test_exactly_the_methods_that_write_are_named() -> None:
    """Whatever goes through ``_write`` alters Azure, and nothing else sends a body or deletes."""
    writing = {
        name for name, member in OPERATIONS.items() if "self._write(" in inspect.getsource(member)
    }
    assert writing == WRITING_METHODS
    calls_with_writing = [
        name
        for name, member in inspect.getmembers(GatewayBase, inspect.isfunction)
        if "writing=True" in inspect.getsource(member)
    ]
    assert calls_with_writing == ["_write"]


def test_the_public_names_are_there() -> None:
    for name in arm.__all__:
        assert getattr(arm, name) is not None


def test_arm_stands_on_nothing_of_ours_and_no_django() -> None:
    forbidden = {"django", "portal", "configurations", "clusters", "changes", "access", "audit"}
    for path in Path(arm.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            assert not {name.split(".")[0] for name in names} & forbidden, path
