"""The rule book's shape: how a known failure is recognised, what it means, what to do about it.

Entries are data. Those of the extension and of Azure are in `cluster_symptoms`, those of sources,
kustomizations and Helm releases in `configurations.rulebook`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise

Text = str | Promise


class Page(StrEnum):
    """Where in the portal the remedy is a change."""

    NONE = ""
    EDIT = "edit"  # a change of the configuration
    EXTENSION = "extension"  # version and settings of the extension
    IDENTITY = "identity"  # workload identity of the cluster
    CLUSTER = "cluster"


class Words(str):
    """Words of a command of our own, which are not quoted."""

    __slots__ = ()


@dataclass(frozen=True)
class Symptom:
    """One entry.

    `pattern` is searched in "Reason: message"; its named groups fill the command beside what is
    known of the place. `source` says where the rule comes from.
    """

    code: str
    pattern: re.Pattern[str]
    title: Text
    detail: Text
    steps: tuple[Text, ...]
    command: str
    page: Page
    source: str


def symptom(
    code: str,
    pattern: str,
    title: Text,
    detail: Text,
    *steps: Text,
    command: str = "",
    page: Page = Page.NONE,
    source: str,
) -> Symptom:
    """Make an entry; the pattern knows no case."""
    return Symptom(
        code, re.compile(pattern, re.IGNORECASE | re.DOTALL), title, detail, steps, command, page,
        source,
    )  # fmt: skip


def first_of(entries: Iterable[Symptom], message: str, reason: str = "") -> Symptom | None:
    """The first entry that knows this message; None for an unknown one."""
    text = f"{reason}: {message}"
    return next((entry for entry in entries if entry.pattern.search(text)), None)


def command_of(entry: Symptom, place: Mapping[str, str], message: str, reason: str = "") -> str:
    """The entry's command with real names, quoted for a shell; "" when a name is not known.

    What a message says is somebody else's text: it is quoted like any other.
    """
    found = entry.pattern.search(f"{reason}: {message}")
    names = {**place, **{k: v for k, v in (found.groupdict() if found else {}).items() if v}}
    needed = set(re.findall(r"{(\w+)}", entry.command))
    if not all(names.get(name) for name in needed):
        return ""
    return entry.command.format(**{name: _quoted(names[name]) for name in needed})


def _quoted(value: str) -> str:
    return str(value) if isinstance(value, Words) else shlex.quote(value)
