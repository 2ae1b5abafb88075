"""The list: one page of rows by keyset, the chips with their counts, and where else to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlencode

from django.core import signing
from django.core.cache import cache
from django.db.models import Count, DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from access.models import User
from access.rights import rights_of
from configurations import search
from configurations.models import Configuration
from configurations.search import Token

PAGE_SIZES = (50, 15, 100)
COUNTS_SECONDS = 10
# Never observed comes last; NULL has no place in a keyset.
_OBSERVED = Coalesce(
    "observed_at", Value(datetime(2000, 1, 1, tzinfo=UTC), output_field=DateTimeField())
)
LEAN = (
    "name", "namespace", "source_kind", "source_url", "reference", "synced_commit", "compliance",
    "severity", "provisioning_state", "cause", "drifted", "drift_fields", "kustomization_count",
    "object_count", "observed_at", "managed", "cluster__name", "cluster__kind", "cluster__region",
    "cluster__environment__name", "cluster__environment__tone",
)  # fmt: skip


@dataclass(frozen=True)
class Sort:
    """An order: fields with "-" for descending; the last one is the key, so it is total."""

    key: str
    label: str | Promise
    fields: tuple[str, ...]


SORTS = {
    sort.key: sort
    for sort in (
        Sort("severity", _("Compliance"), ("-severity", "name", "id")),
        Sort("name", _("Configuration"), ("name", "id")),
        Sort("cluster", _("Cluster"), ("cluster__name", "name", "id")),
        Sort("observed", _("Observed"), ("-observed_sort", "id")),
    )
}


@dataclass(frozen=True)
class Chip:
    """One of the views over the list; `state` is a value of the state: key, "" for all."""

    state: str
    label: str | Promise
    icon: str
    tone: str
    count: int
    url: str
    is_current: bool


_CHIPS = (
    ("", _("All"), "", ""),
    ("non-compliant", _("Non-Compliant"), "alert-octagon-filled", "bad"),
    ("pending", _("Pending"), "progress", "busy"),
    ("suspended", _("Suspended"), "player-pause-filled", "held"),
    ("unknown", _("Unknown"), "clock-question", "none"),
    ("compliant", _("Compliant"), "circle-check-filled", "good"),
    ("drifted", _("Drifted"), "git-compare", "warn"),
    ("unmanaged", _("Not managed yet"), "link-off", "none"),
)
UNMANAGED = Token("managed", "no")


@dataclass(frozen=True)
class Query:
    """What the address asks for. `at` is the place of the page, "" for the first."""

    tokens: tuple[Token, ...]
    sort: Sort
    per: int
    after: str
    before: str

    @classmethod
    def of(cls, params: Mapping[str, str], added: str = "") -> Query:
        """From the query string; what is malformed is left out."""
        tokens = search.parse(f"{params.get('q', '')} {added}")
        per = params.get("per", "")
        return cls(
            tokens=tuple(tokens),
            sort=SORTS.get(params.get("sort", ""), SORTS["severity"]),
            per=int(per) if per.isdecimal() and int(per) in PAGE_SIZES else PAGE_SIZES[0],
            after=params.get("after", ""),
            before=params.get("before", ""),
        )

    @property
    def text(self) -> str:
        return search.text_of(self.tokens)

    def url(self, **changes: Any) -> str:
        """The query string with another filter, order or place; without a place, page one."""
        params = {"q": self.text, "sort": self.sort.key, "per": str(self.per), **changes}
        usual = {"q": "", "sort": "severity", "per": str(PAGE_SIZES[0])}
        kept = {key: it for key, it in params.items() if it and it != usual.get(key)}
        return "?" + urlencode(kept)

    def without(self, token: Token) -> str:
        return self.url(q=search.text_of([it for it in self.tokens if it != token]))

    def in_state(self, state: str) -> str:
        others = [it for it in self.tokens if it.key != "state" and it != UNMANAGED]
        if state == "unmanaged":
            return self.url(q=search.text_of([*others, UNMANAGED]))
        return self.url(q=search.text_of([*others, Token("state", state)] if state else others))


@dataclass(frozen=True)
class Page:
    rows: Sequence[Configuration]
    first: bool
    next: str  # query strings, "" where there is none
    previous: str


def visible(user: User) -> QuerySet[Configuration]:
    """What is in Azure, as far as this person may see it."""
    rows: QuerySet[Configuration] = Configuration.objects.visible_to(user).filter(gone_at=None)
    return rows


def page_of(user: User, query: Query) -> Page:
    """One page of rows, by keyset: as fast on the last page as on the first. One query."""
    rows: QuerySet[Any] = visible(user).filter(search.condition(query.tokens))
    rows = rows.annotate(observed_sort=_OBSERVED)
    rows = rows.select_related("cluster__environment").only(*LEAN)
    backwards = bool(query.before)
    fields = [_reverse(field) for field in query.sort.fields] if backwards else query.sort.fields
    place = _read_place(query.before or query.after, query.sort)
    if place is not None:
        rows = rows.filter(_beyond(fields, place))
    found = list(rows.order_by(*fields)[: query.per + 1])
    more, found = len(found) > query.per, found[: query.per]
    if backwards:
        found.reverse()
    has_next = more if not backwards else bool(found)
    has_previous = place is not None if not backwards else more
    now_stale = search.stale_before()
    for row in found:
        row.is_stale = row.observed_at is not None and row.observed_at < now_stale
    return Page(
        rows=found,
        first=not has_previous,
        next=query.url(after=_place(found[-1], query.sort)) if has_next and found else "",
        previous=query.url(before=_place(found[0], query.sort)) if has_previous and found else "",
    )


def chips_of(user: User, query: Query, version: int) -> list[Chip]:
    """The views with their counts under the rest of the filter.

    One query, and none while the fleet stands at `version` (of the live scope "configurations")
    and the counts are young enough for what grows stale by itself.
    """
    others = [it for it in query.tokens if it.key != "state" and it != UNMANAGED]
    chosen = [token for token in query.tokens if token.key == "state"]
    if UNMANAGED in query.tokens:
        chosen.append(Token("state", "unmanaged"))
    asked = f"{rights_of(user).fingerprint} {version} {search.text_of(others)}"
    cached = cache.get_or_set(
        f"chips:{sha256(asked.encode()).hexdigest()}",
        lambda: _chip_counts(user, others),
        COUNTS_SECONDS,
    )
    counts = cast("dict[str, int]", cached)
    single = chosen[0] if len(chosen) == 1 and not chosen[0].negated else None
    return [
        Chip(
            state=state,
            label=label,
            icon=icon,
            tone=tone,
            count=counts[f"n{place}"],
            url=query.in_state(state),
            is_current=(not chosen and not state)
            or (single is not None and single.value.lower() == state),
        )
        for place, (state, label, icon, tone) in enumerate(_CHIPS)
    ]


def _chip_counts(user: User, others: Sequence[Token]) -> dict[str, int]:
    counts: dict[str, int] = visible(user).filter(search.condition(others)).aggregate(
        **{f"n{place}": Count("pk", filter=_chip_q(state)) for place, (state, *_) in
           enumerate(_CHIPS)}
    )  # fmt: skip
    return counts


def _chip_q(state: str) -> Q:
    if not state:
        return Q(pk__isnull=False)
    if state == "unmanaged":
        return Q(managed=False)
    return Q(drifted=True) if state == "drifted" else search.state_q(search.STATES[state])


# --- Keyset ---------------------------------------------------------------------------------
def _reverse(field: str) -> str:
    return field.removeprefix("-") if field.startswith("-") else f"-{field}"


def _place(row: Configuration, sort: Sort) -> str:
    """The keyset of a row, signed, so that an address carries nothing else than places."""
    values = []
    for field in sort.fields:
        value: Any = row
        for part in field.removeprefix("-").split("__"):
            value = getattr(value, part)
        values.append(value.isoformat() if hasattr(value, "isoformat") else value)
    return signing.Signer(salt="configurations.list").sign_object([sort.key, *values])


def _read_place(text: str, sort: Sort) -> list[Any] | None:
    if not text:
        return None
    try:
        key, *values = signing.Signer(salt="configurations.list").unsign_object(text)
    except (signing.BadSignature, ValueError):
        return None
    return values if key == sort.key else None


def _beyond(fields: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after this place in the order of `fields`: (a > x) or (a = x and b > y) or …"""
    result, equal = Q(), Q()
    for field, value in zip(fields, values, strict=True):
        name = field.removeprefix("-")
        sign = "lt" if field.startswith("-") else "gt"
        result |= equal & Q(**{f"{name}__{sign}": value})
        equal &= Q(**{name: value})
    return result
