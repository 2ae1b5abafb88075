"""The variables of a kustomization (postBuild) as they are typed, one a line, and in ARM's JSON.

substitute       name=value
substitute_from  ConfigMap name  |  Secret name  |  Secret name optional
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from configurations.specification import texts
from configurations.specification.violations import Violation

KINDS = ("ConfigMap", "Secret")
OPTIONAL = "optional"
Wire = dict[str, Any]


def typed(post_build: object) -> dict[str, str]:
    """The two texts of what Azure holds."""
    given = post_build if isinstance(post_build, Mapping) else {}
    values = given.get("substitute") or {}
    sources = [it for it in given.get("substituteFrom") or [] if isinstance(it, Mapping)]
    return {
        "substitute": "\n".join(f"{name}={value}" for name, value in values.items()),
        "substitute_from": "\n".join(
            " ".join(
                [str(it.get("kind") or ""), str(it.get("name") or "")]
                + ([OPTIONAL] if it.get("optional") else [])
            )
            for it in sources
        ),
    }


def wire(substitute: str, substitute_from: str, base: object) -> Wire | None:
    """ARM's postBuild; what was not altered keeps its form, None where nothing is typed."""
    before = dict(base) if isinstance(base, Mapping) else {}
    known = typed(before)
    if (substitute, substitute_from) == (known["substitute"], known["substitute_from"]):
        return before or None
    result = {key: it for key, it in before.items() if key not in ("substitute", "substituteFrom")}
    if substitute.strip():
        result["substitute"] = dict(_pair(line) for line in _lines(substitute))
    if substitute_from.strip():
        result["substituteFrom"] = [_source(line) for line in _lines(substitute_from)]
    return result or None


def substitute_violation(text: str) -> Violation | None:
    """The first line that is no variable with its value."""
    seen: set[str] = set()
    for line in _lines(text):
        name, value = _pair(line)
        if "=" not in line:
            return _broken("pair", _("Write name=value: “%(line)s”."), line)
        broken = texts.variable(name)
        if broken is not None:
            return broken
        if name in seen:
            return _broken("twice", _("The variable %(line)s is there twice."), name)
        if texts.has_control(value.replace("\t", " ")):
            return _broken("characters", _("Leave out control characters: “%(line)s”."), name)
        seen.add(name)
    return None


def substitute_from_violation(text: str) -> Violation | None:
    """The first line that names no ConfigMap or Secret."""
    for line in _lines(text):
        words = line.split()
        optional = len(words) == 3 and words[2] == OPTIONAL
        if len(words) not in (2, 3) or (len(words) == 3 and not optional):
            message = _("Write ConfigMap name, or Secret name optional: “%(line)s”.")
            return _broken("source", message, line)
        if words[0] not in KINDS:
            return _broken("choice", _("Begin with ConfigMap or Secret: “%(line)s”."), line)
        broken = texts.secret_name(words[1])
        if broken is not None:
            return Violation((), broken.code, broken.message)
    return None


def _broken(code: str, message: str, line: str) -> Violation:
    return Violation((), code, message % {"line": line[:60]})


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def _pair(line: str) -> tuple[str, str]:
    name, _sign, value = line.partition("=")
    return name.strip(), value


def _source(line: str) -> Wire:
    words = line.split()
    result: Wire = {"kind": words[0], "name": words[1] if len(words) > 1 else ""}
    if len(words) > 2:
        result["optional"] = True
    return result
