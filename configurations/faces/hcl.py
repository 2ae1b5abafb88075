"""Values and blocks of HashiCorp's configuration language (HCL 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

from configurations.faces.arm_template import describe
from configurations.faces.secrets import Secret

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"true", "false", "null", "for", "in", "if", "else"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


_Pairs = Iterable[tuple[str, Any]]


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
        for is_block, run in groupby(self.items, key=lambda item: isinstance(item, Block)):
            if is_block:
                for item in run:
                    apart = [""] if len(result) > 1 else []
                    result += [*apart, *cast(Block, item).lines(depth + 1)]
            else:
                pairs = [(name, value(it, depth + 1)) for name, it in cast(_Pairs, run)]
                result += [f"{pad}  {line}" for line in aligned(pairs)]
        return [*result, f"{pad}}}"]

    def __str__(self) -> str:
        return "\n".join(self.lines()) + "\n"


def aligned(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """`name = value` lines, as terraform fmt puts them: neighbours of one line in columns."""
    result: list[str] = []
    for is_long, run in groupby(pairs, key=lambda pair: "\n" in pair[1]):
        together = list(run)
        width = 0 if is_long else max(len(name) for name, _code in together)
        result += [f"{name.ljust(width)} = {code}" for name, code in together]
    return result


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
        pairs = [(_key(key), value(it, depth + 1)) for key, it in item.items()]
        lines = [f"{inner}{line}\n" for line in aligned(pairs)]
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
