"""What the overview page shows, asked part by part: a part that is not rendered asks nothing.

Every question is one query, whatever the size of the fleet, and only over what the person may
see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, F, Max, Q, QuerySet
from django.urls import NoReverseMatch, reverse

from access.models import Environment, User
from access.rights import Act, rights_of
from changes.inbox import waiting_for_review_by
from changes.models import Change
from clusters.listing import OUT_OF_REACH
from clusters.models import Cluster, Connection
from clusters.rulebook import Symptom
from configurations import search
from configurations.models import Compliance, Configuration
from configurations.rulebook import advice_for, entry

CAUSES_SHOWN = 6
CONFIGURATIONS_LOOKED_AT = 300  # the worst ones; causes are counted among them
LISTED = 5


@dataclass
class Cause:
    """Configurations that fail for the same reason, told once."""

    text: str
    worst: Configuration
    advice: Symptom | None = None
    since: datetime | None = None
    configurations: int = 0
    clusters: set[str] = field(default_factory=set)
    environments: set[str] = field(default_factory=set)

    def add(self, configuration: Configuration) -> None:
        self.configurations += 1
        self.clusters.add(configuration.cluster.name)
        if configuration.cluster.environment:
            self.environments.add(configuration.cluster.environment.name)
        since = configuration.compliance_since
        if since and (self.since is None or since < self.since):
            self.since = since

    @property
    def title(self) -> str:
        """The cause in plain words where a rule knows it, else as it was reported."""
        return str(self.advice.title) if self.advice else self.text or self.worst.name

    @property
    def where(self) -> str:
        return next(iter(self.clusters)) if len(self.clusters) == 1 else ""


@dataclass(frozen=True)
class Slice:
    """A piece of a compliance bar: SVG attributes in per cent of its width."""

    css: str
    start: str
    width: str


@dataclass
class Counts:
    """Configurations by what a person is told of them; a stale one counts as unknown only."""

    compliant: int = 0
    non_compliant: int = 0
    pending: int = 0
    suspended: int = 0
    unknown: int = 0
    stale: int = 0

    @property
    def total(self) -> int:
        return self.compliant + self.non_compliant + self.pending + self.suspended + self.unknown

    @property
    def slices(self) -> list[Slice]:
        """The bar's pieces, each followed by a thin gap."""
        shown = [
            ("good", self.compliant),
            ("bad", self.non_compliant),
            ("busy", self.pending),
            ("held", self.suspended),
            ("unknown", self.unknown),
        ]
        pieces, start = [], 0.0
        for css, count in shown:
            if count:
                width = 100 * count / self.total
                pieces.append(Slice(css, f"{start:.2f}%", f"{max(width - 0.25, 0.1):.2f}%"))
                start += width
        return pieces


@dataclass
class EnvironmentRow:
    """One environment with its clusters and the compliance of what runs there."""

    environment: Environment | None
    counts: Counts
    clusters: int = 0


class Overview:
    """The fleet as one person may see it, at one moment."""

    def __init__(self, user: User) -> None:
        self.user = user

    # --- configurations ---------------------------------------------------------------------
    @cached_property
    def _configurations(self) -> QuerySet[Configuration]:
        rows: QuerySet[Configuration] = Configuration.objects.visible_to(self.user).filter(
            gone_at=None
        )
        return rows

    @property
    def _stale(self) -> Q:
        """The list's own rule, so that each number is that of the list behind it."""
        return search.stale_q()

    @cached_property
    def _by_environment(self) -> list[dict[str, Any]]:
        """Grouped counts; the fleet's totals are their sums."""
        fresh = Q(observed_at=None) | ~self._stale
        rows = (
            self._configurations.order_by()
            .values(environment_id=F("cluster__environment"))
            .annotate(
                compliant=Count("pk", filter=fresh & Q(compliance=Compliance.COMPLIANT)),
                non_compliant=Count("pk", filter=fresh & Q(compliance=Compliance.NON_COMPLIANT)),
                pending=Count("pk", filter=fresh & Q(compliance=Compliance.PENDING)),
                suspended=Count("pk", filter=fresh & Q(compliance=Compliance.SUSPENDED)),
                unknown=Count("pk", filter=self._stale | Q(compliance=Compliance.UNKNOWN)),
                stale=Count("pk", filter=self._stale),
                drifted=Count("pk", filter=Q(drifted=True)),
                unmanaged=Count("pk", filter=Q(managed=False)),
                observed=Max("observed_at"),
            )
        )
        return [dict(row) for row in rows]

    @cached_property
    def counts(self) -> Counts:
        return _sum(self._by_environment)

    @cached_property
    def drifted(self) -> int:
        return sum(row["drifted"] for row in self._by_environment)

    @cached_property
    def unmanaged(self) -> int:
        """How many were made elsewhere and never adopted."""
        return sum(row["unmanaged"] for row in self._by_environment)

    @cached_property
    def observed_at(self) -> datetime | None:
        """When Azure was last heard of anything here."""
        return max(
            (row["observed"] for row in self._by_environment if row["observed"]), default=None
        )

    @cached_property
    def production_problems(self) -> int:
        production = {row.environment for row in self.environments if _is_production(row)}
        return sum(
            row.counts.non_compliant for row in self.environments if row.environment in production
        )

    @cached_property
    def causes(self) -> list[Cause]:
        """Why configurations do not comply, most urgent first: production, then how many."""
        causes: dict[str, Cause] = {}
        for row in self._problems:
            text = row.cause or row.error_message
            # What was read before the book knew it is looked up by its text.
            known = entry(row.cause_code) or (advice_for(text) if text else None)
            key = known.code if known else text or f"configuration {row.pk}"
            causes.setdefault(key, Cause(text=text, worst=row, advice=known)).add(row)
        return list(causes.values())[:CAUSES_SHOWN]

    @cached_property
    def _problems(self) -> list[Configuration]:
        return list(
            self._configurations.filter(compliance=Compliance.NON_COMPLIANT)
            .select_related("cluster__environment")
            .order_by("-severity", "compliance_since", "pk")[:CONFIGURATIONS_LOOKED_AT]
        )

    # --- clusters ---------------------------------------------------------------------------
    @cached_property
    def _clusters(self) -> list[dict[str, Any]]:
        return list(
            Cluster.objects.visible_to(self.user)
            .filter(gone_at=None)
            .order_by()
            .values("environment_id", "connectivity", "kind")
            .annotate(found=Count("pk"))
        )

    @cached_property
    def cluster_count(self) -> int:
        return sum(row["found"] for row in self._clusters)

    @cached_property
    def connectivity(self) -> list[tuple[str, int, str]]:
        """What Arc says of its agents: value, number of clusters, filter of the list behind it.

        An expired certificate is out of reach as an offline agent is, in the list too.
        """
        found: Counter[str] = Counter()
        for row in self._clusters:
            if row["connectivity"]:
                gone = row["connectivity"] in OUT_OF_REACH
                found["Offline" if gone else row["connectivity"]] += row["found"]
        filters = {"Offline": "?state=offline", "Connected": "?state=connected"}
        rows = [(value, count, filters.get(value, "")) for value, count in found.items()]
        return sorted(rows, key=lambda row: (row[0] != "Offline", row[0] == "Connected", row[0]))

    @cached_property
    def environments(self) -> list[EnvironmentRow]:
        """Environments that hold clusters, and a last row for those in none."""
        rows = {row["environment_id"]: _sum([row]) for row in self._by_environment}
        clusters: Counter[int | None] = Counter()
        for row in self._clusters:
            clusters[row["environment_id"]] += row["found"]
        known = {env.pk: env for env in Environment.objects.filter(pk__in=[*rows, *clusters])}
        shown = [
            EnvironmentRow(env, rows.get(pk, Counts()), clusters[pk]) for pk, env in known.items()
        ]
        shown.sort(key=lambda row: (row.environment.position, row.environment.name))  # type: ignore[union-attr]
        if None in rows or None in clusters:
            shown.append(EnvironmentRow(None, rows.get(None, Counts()), clusters[None]))
        return shown

    # --- what waits for this person -----------------------------------------------------------
    @cached_property
    def reviews(self) -> list[Change]:
        """Changes in review that this person may decide, the one that waits longest first."""
        return list(
            waiting_for_review_by(self.user)
            .select_related("author")
            .annotate(
                approvals=Count(
                    "reviews",
                    filter=Q(reviews__verdict="approve", reviews__digest=F("digest")),
                    distinct=True,
                ),
                target_count=Count("targets", distinct=True),
            )
            .order_by("submitted_at", "pk")[: LISTED + 1]
        )

    @cached_property
    def drifts(self) -> list[Configuration]:
        """Configurations that somebody changed outside and this person may bring back."""
        rows = Configuration.objects.where_may(self.user, Act.PROPOSE)
        return list(
            rows.filter(gone_at=None, drifted=True)
            .select_related("cluster")
            .order_by("-severity", "name", "pk")[:LISTED]
        )

    @cached_property
    def recent(self) -> list[Change]:
        """Changes that are being applied, were applied or failed, the last first."""
        states = [Change.State.APPLYING, Change.State.APPLIED, Change.State.FAILED]
        return list(
            Change.objects.visible_to(self.user)
            .filter(state__in=states)
            .select_related("author")
            .annotate(target_count=Count("targets", distinct=True))
            .order_by("-moved_at", "-pk")[:LISTED]
        )

    # --- connections --------------------------------------------------------------------------
    @cached_property
    def may_administer(self) -> bool:
        return rights_of(self.user).may_anywhere(Act.ADMINISTER)

    @cached_property
    def connections(self) -> list[Connection]:
        return list(Connection.objects.filter(enabled=True).defer("secret_encrypted", "checks"))

    @property
    def connection_problems(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.problem]

    @cached_property
    def stage(self) -> str:
        """How far this portal is: "unconnected", "reading", "no-rights", "empty" or "ready"."""
        if self.cluster_count:
            return "ready"
        if not self.connections:
            return "unconnected"
        if all(connection.sweep_at is None for connection in self.connections):
            return "reading"
        rights = rights_of(self.user)
        return "empty" if rights.scope(Act.VIEW) is None else "no-rights"

    # --- addresses ----------------------------------------------------------------------------
    def listed(self) -> dict[str, str]:
        """Addresses of the list behind each number."""
        return {
            "compliant": _list(q="state:compliant"),
            "non_compliant": _list(q="state:non-compliant"),
            "pending": _list(q="state:pending"),
            "suspended": _list(q="state:suspended"),
            "unknown": _list(q="state:unknown"),
            "drifted": _list(q="state:drifted"),
            "unmanaged": _list(q="managed:no"),
        }


def _list(**query: str) -> str:
    """The list of configurations with a filter."""
    try:
        return f"{reverse('configurations:list')}?{urlencode(query)}"
    except NoReverseMatch:
        return ""


def _sum(rows: Iterable[dict[str, Any]]) -> Counts:
    total = Counts()
    for row in rows:
        for name in ("compliant", "non_compliant", "pending", "suspended", "unknown", "stale"):
            setattr(total, name, getattr(total, name) + row[name])
    return total


def _is_production(row: EnvironmentRow) -> bool:
    return row.environment is not None and row.environment.tone == Environment.Tone.PRODUCTION
