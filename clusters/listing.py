"""The list of clusters: what the address asks for, as rows of one page by keyset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import Environment, User
from access.rights import Act, rights_of
from clusters.models import Cluster
from clusters.prerequisites.failing import FAILURES, failing

PAGE = 50
SEARCH_SHOWN = 20
IN_FLIGHT = ("Creating", "Updating", "Deleting")
OUT_OF_REACH = ("Offline", "Expired")

CONNECTIVITY: dict[str, Q] = {
    "connected": Q(connectivity="Connected"),
    "offline": Q(connectivity__in=OUT_OF_REACH),
    "stopped": Q(power_state="Stopped"),
}
EXTENSION: dict[str, Q] = {
    "none": Q(extension__isnull=True),
    "failed": Q(extension__provisioning_state__in=("Failed", "Canceled")),
    "busy": Q(extension__provisioning_state__in=IN_FLIGHT),
    "ready": Q(extension__provisioning_state="Succeeded"),
}
KINDS = {"aks": "managedClusters", "arc": "connectedClusters", "aksarc": "provisionedClusters"}
NO_ENVIRONMENT = "-"


@dataclass(frozen=True, kw_only=True)
class Query:
    """What the address says; unknown values are left out."""

    q: str = ""
    env: str = ""
    kind: str = ""
    state: str = ""
    extension: str = ""
    failed: str = ""  # a prerequisite (clusters/prerequisites/failing.py)
    connection: str = ""  # id
    after: str = ""  # "ID": the last row of the page before

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Query:
        def known(name: str, choices: Mapping[str, object]) -> str:
            value = values.get(name, "")
            return value if value in choices else ""

        return cls(
            q=values.get("q", "").strip()[:200],
            env=values.get("env", "")[:60],
            kind=known("kind", KINDS),
            state=known("state", CONNECTIVITY),
            extension=known("extension", EXTENSION),
            failed=known("failed", FAILURES),
            connection=_number(values.get("connection", "")),
            after=_number(values.get("after", "")),
        )

    @property
    def is_narrow(self) -> bool:
        values = (self.q, self.env, self.kind, self.state, self.extension, self.failed)
        return any((*values, self.connection))

    def url(self, **changes: str) -> str:
        """The query string with these values instead, from the first page unless `after` is set."""
        other = replace(self, **{"after": "", **changes})
        pairs = [(name, value) for name, value in vars(other).items() if value]
        return f"?{urlencode(pairs)}"

    def tokens(self) -> list[tuple[str, str, str]]:
        """Each narrowing value: its word, itself, and the address without it."""
        words = {
            "q": _("text"),
            "env": _("env"),
            "kind": _("kind"),
            "state": _("connectivity"),
            "extension": _("extension"),
            "failed": _("failed"),
            "connection": _("connection"),
        }
        return [
            (word, getattr(self, name), self.url(**{name: ""}))
            for name, word in words.items()
            if getattr(self, name)
        ]


@dataclass(frozen=True)
class Page:
    rows: Sequence[Cluster]
    next: str
    previous: str


@dataclass(frozen=True)
class Chip:
    """A view with its count."""

    label: str
    url: str
    count: int
    is_current: bool
    icon: str = ""
    tone: str = "none"


def matching(user: User, query: Query) -> QuerySet[Cluster]:
    """Clusters that `user` may see and the query asks for."""
    rows: QuerySet[Cluster] = Cluster.objects.visible_to(user).filter(gone_at=None)
    if query.q:
        rows = rows.filter(_contains(query.q))
    if query.env == NO_ENVIRONMENT:
        rows = rows.filter(environment=None)
    elif query.env:
        rows = rows.filter(environment__name=query.env)
    if query.kind:
        rows = rows.filter(kind=KINDS[query.kind])
    if query.state:
        rows = rows.filter(CONNECTIVITY[query.state])
    if query.extension:
        rows = rows.filter(EXTENSION[query.extension])
    if query.failed:
        rows = rows.filter(failing(query.failed))
    if query.connection:
        rows = rows.filter(connection_id=int(query.connection))
    return rows


def page_of(user: User, query: Query) -> Page:
    """One page in the order of names; two queries, whatever the fleet's size."""
    rows = matching(user, query)
    if query.after:
        last = Cluster.objects.filter(pk=query.after).values_list("name", "pk").first()
        if last is not None:
            rows = rows.filter(Q(name__gt=last[0]) | Q(name=last[0], pk__gt=last[1]))
    rows = rows.select_related("environment", "extension").annotate(held=_held())
    found = list(rows.order_by("name", "id")[: PAGE + 1])
    more = len(found) > PAGE
    found = found[:PAGE]
    return Page(
        rows=found,
        next=query.url(after=str(found[-1].pk)) if more else "",
        previous=query.url() if query.after else "",
    )


def chips_of(user: User, query: Query) -> list[Chip]:
    """Views over what the other filters leave, counted in one query."""
    rest = replace(query, state="", extension="", after="")
    views: list[tuple[str, str, str, str, dict[str, str]]] = [
        ("all", _("All"), "", "none", {}),
        ("offline", _("Offline"), "plug-connected-x", "bad", {"state": "offline"}),
        ("stopped", _("Stopped"), "player-pause", "held", {"state": "stopped"}),
        ("failed", _("Extension failed"), "circle-x-filled", "bad", {"extension": "failed"}),
        ("missing", _("Without Flux"), "puzzle", "none", {"extension": "none"}),
    ]
    counts = {
        name: Count("pk", filter=_condition(values)) if values else Count("pk")
        for name, _label, _icon, _tone, values in views
    }
    found = matching(user, rest).order_by().aggregate(**counts)
    return [
        Chip(
            label=label,
            url=rest.url(**values) if values else rest.url(),
            count=found[name],
            is_current={"state": query.state, "extension": query.extension}
            == {"state": "", "extension": "", **values},
            icon=icon,
            tone=tone,
        )
        for name, label, icon, tone, values in views
    ]


def choices_of(user: User) -> dict[str, Any]:
    """What the selects of the filter offer."""
    scope = rights_of(user).scope(Act.VIEW)
    environments = Environment.objects.all()
    if scope is not None:
        environments = environments.filter(pk__in=scope)
    return {
        "environments": [it.name for it in environments],
        "kinds": [(key, Cluster.Kind(value).label) for key, value in KINDS.items()],
    }


def search(user: User, text: str) -> list[Cluster]:
    """The first clusters whose name, group or region holds the text."""
    rows: QuerySet[Cluster] = Cluster.objects.visible_to(user).filter(gone_at=None)
    if text:
        rows = rows.filter(_contains(text))
    return list(rows.select_related("environment", "extension")[:SEARCH_SHOWN])


def is_stale(cluster: Cluster) -> bool:
    """Seen longer ago than three sweeps: what is shown may be wrong."""
    age = timezone.now() - cluster.observed_at
    return age > timedelta(seconds=3 * settings.SYNC_SWEEP_SECONDS)


def _number(text: str) -> str:
    """An id of the database; "" for what can be none."""
    return text if text.isascii() and text.isdecimal() and len(text) < 19 else ""


def _contains(text: str) -> Q:
    return Q(name__icontains=text) | Q(resource_group__icontains=text) | Q(region__icontains=text)


def _condition(values: Mapping[str, str]) -> Q:
    if "state" in values:
        return CONNECTIVITY[values["state"]]
    return EXTENSION[values["extension"]]


def _held() -> Coalesce:
    """How many configurations a cluster has: a subquery, so that the page alone is counted."""
    configurations = Cluster._meta.get_field("configurations").related_model
    rows = configurations._default_manager.filter(cluster=OuterRef("pk"), gone_at=None)
    counted = rows.order_by().values("cluster").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))
