"""The types of a setting's value. ARM carries every one as text.

Each has `canonical` (the spelling that is sent) and `problem` (why a text is no such value; ""
where it is one). Ranges that Azure does not document are wide bounds of ours against slips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(Ki|Mi|Gi|Ti|k|M|G|T)?", re.ASCII)
_CPU = re.compile(r"(\d{1,9})m|(\d{1,6}(?:\.\d{1,3})?)", re.ASCII)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


class Value(Protocol):
    def canonical(self, text: str) -> str:
        """The spelling that is sent."""

    def problem(self, text: str) -> str:
        """Why the text is no such value, for people; "" where it is one."""


@dataclass(frozen=True)
class Choice:
    """One of a few words, in whatever case it was typed."""

    words: tuple[str, ...]

    def canonical(self, text: str) -> str:
        return next((word for word in self.words if word == text.lower()), text)

    def problem(self, text: str) -> str:
        if self.canonical(text) in self.words:
            return ""
        return _("Use one of: %(words)s.") % {"words": ", ".join(self.words)}


SWITCH = Choice(("true", "false"))


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def canonical(self, text: str) -> str:
        return str(int(text)) if self._is_number(text) else text

    def problem(self, text: str) -> str:
        if self._is_number(text) and self.least <= int(text) <= self.most:
            return ""
        return _("Use a whole number from %(least)s to %(most)s.") % {
            "least": self.least,
            "most": self.most,
        }

    @staticmethod
    def _is_number(text: str) -> bool:
        return re.fullmatch(r"\d{1,9}", text, re.ASCII) is not None


@dataclass(frozen=True)
class _Measured:
    """A quantity with a unit, between two texts of its own kind."""

    least: str
    most: str

    def canonical(self, text: str) -> str:
        return text

    def amount(self, text: str) -> Decimal | None:
        raise NotImplementedError

    def wrong_form(self) -> str:
        raise NotImplementedError

    def problem(self, text: str) -> str:
        found, least, most = (self.amount(it) for it in (text, self.least, self.most))
        if found is None:
            return self.wrong_form()
        if least is not None and most is not None and not least <= found <= most:
            return _("Use a value from %(least)s to %(most)s.") % {
                "least": self.least,
                "most": self.most,
            }
        return ""


@dataclass(frozen=True)
class Memory(_Measured):
    """A Kubernetes quantity of bytes: 512Mi, 2Gi."""

    least: str = "16Mi"
    most: str = "64Gi"

    def amount(self, text: str) -> Decimal | None:
        match = _MEMORY.fullmatch(text)
        if match is None:
            return None
        unit = match[2] or ""
        return Decimal(match[1]) * (_BINARY.get(unit) or _DECIMAL[unit])

    def wrong_form(self) -> str:
        return _("Write memory as 512Mi or 2Gi.")


@dataclass(frozen=True)
class Cpu(_Measured):
    """A Kubernetes quantity of processor time: 500m, 2."""

    least: str = "5m"
    most: str = "64"

    def amount(self, text: str) -> Decimal | None:
        match = _CPU.fullmatch(text)
        if match is None:
            return None
        return Decimal(match[1]) / 1000 if match[1] else Decimal(match[2])

    def wrong_form(self) -> str:
        return _("Write CPU as 500m or 2.")


@dataclass(frozen=True)
class Duration(_Measured):
    """A Go duration: 700ms, 50s, 1m30s."""

    def amount(self, text: str) -> Decimal | None:
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        return sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))

    def wrong_form(self) -> str:
        return _("Write a duration as 700ms, 50s or 1m30s.")


@dataclass(frozen=True)
class Pattern:
    """A text of one form; `wanted` says which, for people."""

    expression: str
    wanted: str | Promise

    def canonical(self, text: str) -> str:
        return text

    def problem(self, text: str) -> str:
        return "" if re.fullmatch(self.expression, text, re.ASCII) else str(self.wanted)


def words_of(value: Value) -> Sequence[str]:
    """The words of a choice; none for a value that is typed."""
    return value.words if isinstance(value, Choice) else ()
