"""YAML that Kubernetes reads back as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# Only what no YAML reader takes for a number, a date, a truth value or nothing stays bare:
# readers differ (1e3 is a text for PyYAML and a number for Kubernetes).
_PLAIN = re.compile(
    r"(?:\d+h)?(?:\d+m)?\d+s|"  # a duration
    r"(?!(?:true|false|null|yes|no|on|off|y|n|~)$)(?!\.+(?:\d|inf|nan))"
    r"[a-z_./][a-z0-9_./@:-]*(?<!:)",
    re.IGNORECASE,
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # lists are indented below their key


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump_all(objects: Iterable[Mapping[str, Any]]) -> str:
    """The objects as YAML documents."""
    return yaml.dump_all(
        [dict(it) for it in objects],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        explicit_start=True,
        width=1_000_000,
    )
