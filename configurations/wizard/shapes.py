"""How a value of ARM's JSON is typed, and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import Enum
from typing import Any

from configurations.specification.texts import minutes_text, parse_minutes


class Shape(Enum):
    """The form in which a field is typed; secrets are stored apart and only marked here."""

    TEXT = "text"
    MINUTES = "minutes"
    FLAG = "flag"
    BASE64_TEXT = "base64"  # typed in the clear, base64 in ARM
    PAIRS = "pairs"  # name=value a line; an object in ARM
    IDENTITIES = "identities"  # issuer and subject a line
    HIDDEN = "hidden"  # as typed
    HIDDEN_BASE64 = "hidden-base64"  # one line, base64 in ARM
    HIDDEN_PEM = "hidden-pem"  # several lines, base64 in ARM

    @property
    def is_secret(self) -> bool:
        return self in {Shape.HIDDEN, Shape.HIDDEN_BASE64, Shape.HIDDEN_PEM}

    @property
    def is_long(self) -> bool:
        return self in {Shape.BASE64_TEXT, Shape.PAIRS, Shape.IDENTITIES, Shape.HIDDEN_PEM}


def typed(shape: Shape, value: Any) -> Any:
    """ARM's value as it is typed; "" (or false) for one that is not there or not of its type."""
    match shape:
        case Shape.FLAG:
            return value is True
        case Shape.MINUTES:
            return minutes_text(value) if isinstance(value, int) else ""
        case Shape.BASE64_TEXT:
            return _decoded(value) if isinstance(value, str) else ""
        case Shape.PAIRS:
            pairs = value if isinstance(value, Mapping) else {}
            return "\n".join(f"{name}={it}" for name, it in pairs.items())
        case Shape.IDENTITIES:
            entries = [it for it in value or [] if isinstance(it, Mapping)]
            return "\n".join(f"{it.get('issuer', '')} {it.get('subject', '')}" for it in entries)
        case Shape.TEXT:
            return value if isinstance(value, str) else ""
        case _:
            return value if isinstance(value, Mapping) else ""


def wire(shape: Shape, text: Any) -> Any:
    """What is typed as ARM's value; None for nothing. Never fails: rules judge the result."""
    if text in ("", None, False):
        return None
    match shape:
        case Shape.MINUTES:
            return parse_minutes(str(text))
        case Shape.BASE64_TEXT:
            return encoded(str(text))
        case Shape.PAIRS:
            lines = [line.partition("=") for line in str(text).splitlines() if line.strip()]
            return {name.strip(): value.strip() for name, _sign, value in lines} or None
        case Shape.IDENTITIES:
            words = [line.split(None, 1) for line in str(text).splitlines() if line.strip()]
            return [
                {"issuer": it[0], "subject": it[1].strip() if len(it) > 1 else ""} for it in words
            ] or None
        case _:
            return text


def secret_value(shape: Shape, text: str) -> str:
    """What ARM gets of a secret. What is base64 of text already stays as it is."""
    match shape:
        case Shape.HIDDEN_BASE64:
            return encoded(text)
        case Shape.HIDDEN_PEM:
            plain = text.replace("\r\n", "\n").strip()
            if "-----BEGIN" not in plain and _is_base64(plain):
                return "".join(plain.split())
            return encoded(plain + "\n")  # OpenSSH takes no key without its last line end
        case _:
            return text


def encoded(text: str) -> str:
    return base64.b64encode(text.replace("\r\n", "\n").encode()).decode()


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return False
