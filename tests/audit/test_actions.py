"""Every act that the code records has words, an icon and a tone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from audit.actions import ACTIONS, GROUPS, sentence, under
from audit.models import AuditEvent

APPS = ("access", "changes", "clusters", "configurations")
ACT = re.compile(
    r"(change|operation|connection|cluster|extension|configuration|environment|person|signin)"
    r"\.(?!html$|json$|csv$|yaml$|sh$|py$|bicep$|tf$|zip$)[a-z_]+"
)


def recorded() -> Iterator[tuple[str, str]]:
    """Texts of the code that are names of acts, and where."""
    for app in APPS:
        for path in Path(settings.BASE_DIR, app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
                if is_text and ACT.fullmatch(node.value):
                    yield node.value, f"{app}/{path.name}:{node.lineno}"


def test_what_the_code_records_has_words() -> None:
    found = list(recorded())
    assert {name for name, _where in found} >= {"person.created", "signin.failed"}
    assert [(name, where) for name, where in found if name not in ACTIONS] == []


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_each_action_makes_a_sentence(name: str) -> None:
    event = AuditEvent(action=name, actor_name="Ana {0}", object_name="{thing} %s", detail={})
    text = sentence(event)
    assert "Ana {0}" in text or "{thing} %s" in text
    assert under(event) == ""
    assert ACTIONS[name].group in GROUPS


def test_its_icons_are_in_the_sprite() -> None:
    sprite = Path(settings.BASE_DIR, "static/vendor/tabler/icons.svg").read_text()
    icons = {action.icon for action in ACTIONS.values()} | {g.icon for g in GROUPS.values()}
    assert [icon for icon in sorted(icons) if f'id="{icon}"' not in sprite] == []


def test_the_second_line_prefers_words_of_the_act_over_its_reason() -> None:
    event = AuditEvent(action="person.role_given", detail={"role": "author", "where": "staging"})
    assert under(event) == "author: staging"
    event = AuditEvent(action="change.rejected", reason="Not on a Friday", detail={})
    assert under(event) == "Not on a Friday"
