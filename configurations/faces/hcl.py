"""Values and blocks of HashiCorp's configuration language (HCL 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from configurations.faces.arm_template import describe
from configurations.faces.secrets import Secret

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"true", "false", "null", "for", "in", "if", "else"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass
class Block:
    """`resource "a" "b" { … }`: its items are (name, value) pairs and blocks, in order."""

    name: str
    labels: Sequence[str] = ()
    items: list[tuple[str, Any] | Block] = field(default_factory=list)

    def put(self, name: str, item: Any) -> None:
        self.items.append((name, item))

    def block(self, name: str) -> Block:
        self.items.append(block := Block(name))
        return block

    def lines(self, depth: int = 0) -> list[str]:
        pad = "  " * depth
        head = " ".join([self.name, *(text(it) for it in self.labels)])
        result = [f"{pad}{head} {{"]
        for position, item in enumerate(self.items):
            if isinstance(item, Block):
                if position:
                    result.append("")
                result += item.lines(depth + 1)
            else:
                name, plain = item
                width = _width(self.items, position)
                result.append(f"{pad}  {name.ljust(width)} = {value(plain, depth + 1)}")
        return [*result, f"{pad}}}"]

    def __str__(self) -> str:
        return "\n".join(self.lines()) + "\n"


def _width(items: Sequence[tuple[str, Any] | Block], position: int) -> int:
    """How wide the names are in the run of one-line attributes around `position`."""

    def is_plain(place: int) -> bool:
        item = items[place]
        return isinstance(item, tuple) and not (isinstance(item[1], dict) and item[1])

    if not is_plain(position):
        return 0
    first, last = position, position
    while first > 0 and is_plain(first - 1):
        first -= 1
    while last + 1 < len(items) and is_plain(last + 1):
        last += 1
    return max(len(it[0]) for it in items[first : last + 1] if isinstance(it, tuple))


@dataclass(frozen=True)
class Expression:
    """HCL that stands as it is."""

    code: str


def variable(secret: Secret) -> Block:
    """The declaration of what stands for a secret."""
    result = Block("variable", [secret.variable])
    result.put("description", describe(secret))
    result.put("type", Expression("string"))
    result.put("sensitive", True)
    return result


def value(item: Any, depth: int = 0) -> str:
    """An HCL expression; lists of plain values stay on one line."""
    inner = "  " * (depth + 1)
    if isinstance(item, Expression):
        return item.code
    if isinstance(item, Secret):
        return f"var.{item.variable}"
    if isinstance(item, dict):
        lines = [f"{inner}{_key(key)} = {value(it, depth + 1)}\n" for key, it in item.items()]
        return "{\n" + "".join(lines) + "  " * depth + "}" if lines else "{}"
    if isinstance(item, list):
        if not any(isinstance(it, (dict, list)) for it in item):
            return "[" + ", ".join(value(it) for it in item) + "]"
        lines = [f"{inner}{value(it, depth + 1)},\n" for it in item]
        return "[\n" + "".join(lines) + "  " * depth + "]"
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "true" if item else "false"
    return str(item) if isinstance(item, (int, float)) else text(str(item))


def text(plain: str) -> str:
    """A quoted text: no interpolation, no directive, nothing invisible."""
    return '"' + re.sub(r"\$+\{|%+\{|.", _escape, plain, flags=re.DOTALL) + '"'


def _escape(found: re.Match[str]) -> str:
    piece = found[0]
    if len(piece) > 1:
        # $${ stands for ${. A sign before it is written as its code: "$$${" reads two ways.
        return f"\\u{ord(piece[0]):04x}" * (len(piece) - 2) + piece[0] * 2 + "{"
    if piece in _ESCAPES:
        return _ESCAPES[piece]
    if piece.isprintable():
        return piece
    code = ord(piece)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _key(name: str) -> str:
    return name if _WORD.fullmatch(name) and name not in _RESERVED else text(name)
