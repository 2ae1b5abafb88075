"""The rule book: each entry is produced by a simulated cluster and read as the portal reads it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clusters.models import Connection
from clusters.rulebook import Page, Symptom, command_of, symptom
from configurations.rulebook import RULES, advice_for, entry
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import _sample_identity, azure, connection, simulator
from tests.configurations.symptom_table import parts, table
from tests.configurations.symptoms import SCENARIOS, House

__all__ = ["_sample_identity", "azure", "connection", "simulator"]


@pytest.fixture
def house(
    connection: Connection, simulator: InProcessSimulator, azure: Any, tmp_path: Path
) -> House:
    return House(connection, simulator, azure, tmp_path)


def test_every_entry_has_a_scenario() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    assert set(SCENARIOS) == set(codes)


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(SCENARIOS))
def test_an_entry_is_produced_and_named(code: str, house: House) -> None:
    found = SCENARIOS[code](house)
    assert found is not None, house.told()
    assert found.entry.code == code, house.told()
    assert bool(found.command) is bool(found.entry.command), found.entry.command
    assert "{" not in found.command
    subprocess.run(["sh", "-n", "-c", found.command], check=True)  # it is a line of a shell
    assert not found.waits_for_itself


def test_the_documentation_has_every_symptom() -> None:
    assert parts()[1] == table(), "python -m tests.configurations.symptom_table"


# --- What all entries keep to -------------------------------------------------------------------
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_an_entry_is_whole(rule: Symptom) -> None:
    assert all(str(text).endswith(".") for text in (rule.title, rule.detail, *rule.steps))
    assert rule.steps
    assert rule.source
    assert entry(rule.code) is rule


def test_an_unknown_message_has_no_entry() -> None:
    assert advice_for("something that nobody has seen before") is None


def test_what_a_message_says_cannot_leave_its_quotes() -> None:
    rule = symptom("x", r"secret '(?P<secret>[^']+)'", "", "", command="show {secret} {name}",
                   page=Page.NONE, source="x")  # fmt: skip
    evil = "a; rm -rf / #$(x)"
    line = command_of(rule, {"name": "it's"}, f"secret '{evil}'")
    assert shlex.split(line) == ["show", evil, "it's"]
    assert command_of(rule, {}, f"secret '{evil}'") == ""  # a name is not known
