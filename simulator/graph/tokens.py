"""The words of a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


class QueryError(Exception):
    """The query is not valid; the message says where and why."""


@dataclass(frozen=True)
class Token:
    kind: str  # name, string, number, timespan, symbol or end
    text: str
    value: Any
    position: int


_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PATTERN = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*)
  | (?P<verbatim>@"(?:[^"]|"")*"|@'(?:[^']|'')*')
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<timespan>\d+(?:\.\d+)?(?:ms|[dhms])\b)
  | (?P<number>\d+\.\d+|\d+)
  | (?P<name>(?:project|mv)-[a-z]+|[A-Za-z_$][A-Za-z0-9_]*)
  | (?P<symbol>![A-Za-z]+~?|in~|==|!=|=~|!~|<=|>=|<>|\.\.|[|(),.\[\]=<>+\-*/%:{}])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def tokenise(text: str) -> list[Token]:
    """Split a query into tokens; raises ``QueryError`` at what is none."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise QueryError(f"Unexpected character '{text[position]}' at position {position}.")
        kind, word = str(match.lastgroup), match.group()
        if kind == "name" and word in ("in", "has") and text[match.end() : match.end() + 1] == "~":
            word, kind = word + "~", "symbol"
        if kind != "blank":
            tokens.append(_token(kind, word, position))
        position += len(word)
    tokens.append(Token("end", "end of query", None, len(text)))
    return tokens


def _token(kind: str, word: str, position: int) -> Token:
    match kind:
        case "string":
            plain = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), word[1:-1])
            return Token("string", word, plain, position)
        case "verbatim":
            quote = word[1]
            return Token("string", word, word[2:-1].replace(quote * 2, quote), position)
        case "number":
            return Token("number", word, float(word) if "." in word else int(word), position)
        case "timespan":
            unit = word.lstrip("0123456789.")
            return Token("timespan", word, float(word[: -len(unit)]) * _UNITS[unit], position)
    return Token(kind, word, word, position)
