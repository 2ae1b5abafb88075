"""The grammar of the filter line, and the query that it asks for.

    state:non-compliant env:production cluster:weu-* ns:payments ref:main commit:9ad31c0
    managed:no text

Words are joined by and; the same key twice means or. A leading hyphen negates. `*` matches any
text; a value with spaces stands in double quotes. A word without a known key is searched in the
names of configuration and cluster, the source's URL and the cause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from configurations.models import Compliance, Configuration
from configurations.reading import FAILED

TOKEN_LIMIT = 20
_TOKEN = re.compile(r'(?P<not>-)?(?:(?P<key>[a-z]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')
_FIELDS = {
    "env": ("cluster__environment__name",),
    "cluster": ("cluster__name",),
    "ns": ("namespace",),
    "ref": ("reference",),
    "name": ("name",),
    "url": ("source_url",),
    "kind": ("source_kind",),
    "region": ("cluster__region",),
}
_FREE = ("name", "cluster__name", "source_url", "cause")
STATES = {
    "compliant": Compliance.COMPLIANT,
    "non-compliant": Compliance.NON_COMPLIANT,
    "noncompliant": Compliance.NON_COMPLIANT,
    "pending": Compliance.PENDING,
    "suspended": Compliance.SUSPENDED,
    "unknown": Compliance.UNKNOWN,
}
KEYS = (*_FIELDS, "state", "commit", "managed")


@dataclass(frozen=True)
class Token:
    """One word of the filter line; `key` "" is free text."""

    key: str
    value: str
    negated: bool = False

    @property
    def label(self) -> str:
        """Sign and key, as shown before the value."""
        return f"{'-' if self.negated else ''}{self.key}{':' if self.key else ''}"

    def __str__(self) -> str:
        needs_quotes = re.search(r"\s", self.value) or not self.value
        value = f'"{self.value}"' if needs_quotes else self.value
        return f"{self.label}{value}"


def parse(text: str) -> list[Token]:
    """The words of a filter line; an unknown key is free text."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text.replace("\0", "")):
        value = found["quoted"] if found["quoted"] is not None else found["plain"]
        key = found["key"] or ""
        if key and key not in KEYS:
            key, value = "", f"{key}:{value}"
        token = Token(key, value[:200].replace('"', ""), negated=bool(found["not"]))
        if token.value and token not in tokens:
            tokens.append(token)
    return tokens[:TOKEN_LIMIT]


def text_of(tokens: Sequence[Token]) -> str:
    """The filter line of these words."""
    return " ".join(map(str, tokens))


def stale_before() -> datetime:
    """What was observed before this moment is stale: older than three sync intervals.

    An unchanged configuration is confirmed by the full sweep, which is the slowest reader.
    """
    return timezone.now() - 3 * timedelta(seconds=settings.SYNC_SWEEP_SECONDS)


def stale_q() -> Q:
    return Q(observed_at__lt=stale_before())


def state_q(state: str) -> Q:
    """Rows that a page shows in this state: a stale one is Unknown, whatever it was."""
    if state == Compliance.UNKNOWN:
        return Q(compliance=state) | stale_q()
    return Q(compliance=state) & ~Q(observed_at__lt=stale_before())


def condition(tokens: Sequence[Token]) -> Q:
    """All words as one condition on Configuration."""
    result = Q()
    for key in dict.fromkeys(token.key for token in tokens):
        wanted = [token for token in tokens if token.key == key and not token.negated]
        if key:
            either = Q()
            for token in wanted:
                either |= _one(token)
            result &= either
        else:
            for token in wanted:
                result &= _one(token)
        for token in tokens:
            if token.key == key and token.negated:
                result &= ~Q(pk__in=Configuration.objects.filter(_one(token)).values("pk"))
    return result


def _one(token: Token) -> Q:
    value = token.value
    if token.key == "state":
        return _state(value.lower())
    if token.key == "managed":
        return _managed(value.lower())
    if token.key == "commit":
        return Q(synced_commit__icontains=value)
    if token.key:
        return _any_of(_FIELDS[token.key], value, whole=True)
    return _any_of(_FREE, value, whole=False)


def _state(value: str) -> Q:
    if value in STATES:
        return state_q(STATES[value])
    match value:
        case "drifted":
            return Q(drifted=True)
        case "stale":
            return stale_q()
        case "failed":
            return Q(provisioning_state__in=FAILED)
        case _:
            return Q(pk__in=[])


def _managed(value: str) -> Q:
    """Whether Fluxgate has an approved state of it."""
    return Q(managed=value == "yes") if value in {"yes", "no"} else Q(pk__in=[])


def _any_of(fields: Sequence[str], value: str, *, whole: bool) -> Q:
    """`value` in one of the fields: as a whole, with * as a wildcard, or as a part."""
    either = Q()
    for field in fields:
        if "*" in value:
            pattern = ".*".join(re.escape(part) for part in value.split("*"))
            either |= Q(**{f"{field}__iregex": f"^{pattern}$" if whole else pattern})
        else:
            either |= Q(**{f"{field}__iexact" if whole else f"{field}__icontains": value})
    return either
