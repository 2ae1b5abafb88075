"""A Bicep file for the cluster's resource group."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces.arm_template import describe
from configurations.faces.models import FLUX_TYPE, Face, Place
from configurations.faces.secrets import Bare, Secret

_CLUSTER_VERSIONS = {
    "managedClusters": "2024-09-01",
    "connectedClusters": "2024-01-01",
    "provisionedClusters": "2022-09-01-preview",
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"true", "false", "null"})
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def face(bare: Bare, place: Place) -> Face:
    version = _CLUSTER_VERSIONS.get(place.cluster_kind, _CLUSTER_VERSIONS["managedClusters"])
    blocks = [
        f"@description({text(describe(it))})\n@secure()\nparam {it.parameter} string\n"
        for it in bare.secrets
    ]
    blocks.append(
        f"resource cluster '{place.provider}/{place.cluster_kind}@{version}' existing = {{\n"
        f"  name: {text(place.cluster_name)}\n}}\n"
    )
    blocks.append(
        f"resource configuration '{FLUX_TYPE}@{place.api_version}' = {{\n"
        f"  name: {text(place.configuration_name)}\n"
        f"  scope: cluster\n"
        f"  properties: {value(bare.properties, 1)}\n}}\n"
    )
    return Face(
        code="bicep",
        label=_("Bicep"),
        language="bicep",
        text="\n".join(blocks),
        file_name=f"{place.file_stem}.bicep",
    )


def value(item: Any, depth: int = 0) -> str:
    """A Bicep expression; two blanks a level."""
    inner = "  " * (depth + 1)
    if isinstance(item, Secret):
        return item.parameter
    if isinstance(item, dict):
        lines = [f"{inner}{_key(key)}: {value(it, depth + 1)}\n" for key, it in item.items()]
        return "{\n" + "".join(lines) + "  " * depth + "}" if lines else "{}"
    if isinstance(item, list):
        lines = [f"{inner}{value(it, depth + 1)}\n" for it in item]
        return "[\n" + "".join(lines) + "  " * depth + "]" if lines else "[]"
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, float):
        return f"json({text(repr(item))})"  # Bicep has no numbers with a fraction
    return str(item) if isinstance(item, int) else text(str(item))


def text(plain: str) -> str:
    """A quoted text: ' and \\ escaped, ${ not an interpolation, nothing invisible."""
    return "'" + re.sub(r"\$\{|.", _escape, plain, flags=re.DOTALL) + "'"


def _escape(found: re.Match[str]) -> str:
    piece = found[0]
    if piece == "${":
        return "\\${"
    if piece in _ESCAPES:
        return _ESCAPES[piece]
    return piece if piece.isprintable() else f"\\u{{{ord(piece):x}}}"


def _key(name: str) -> str:
    return name if _WORD.fullmatch(name) and name not in _RESERVED else text(name)
