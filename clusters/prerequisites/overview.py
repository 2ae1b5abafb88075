"""What the page of a connection shows: each subscription, and clusters by failed check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from arm.checks import REQUIRED_ACTIONS, REQUIRED_PROVIDERS
from clusters.models import Connection, ScopeReading
from clusters.prerequisites import commands
from clusters.prerequisites.checks import LOOKS, Check, Look, State, is_old, provider_check
from clusters.prerequisites.failing import counts_of

SHOWN = 200  # subscriptions, and groups that lack rights


@dataclass(frozen=True)
class Place:
    """A subscription, or a resource group that was asked for its rights."""

    reading: ScopeReading
    clusters: int
    providers: Sequence[Check]
    rights: Look
    missing: Sequence[str]  # of what the portal must be able to do
    command: str
    refused: str  # why the rights are unknown

    @property
    def order(self) -> tuple[int, str]:
        looks = [self.rights, *(it.look for it in self.providers)]
        ranks = [place for place, state in enumerate(State) if LOOKS[state] in looks]
        return min(ranks, default=len(State)), self.reading.scope


def of_connection(connection: Connection) -> dict[str, Any]:
    """Seven queries, however many subscriptions and clusters there are."""
    clusters = connection.clusters.filter(gone_at=None)
    counted = clusters.order_by().values_list("subscription_id").annotate(n=Count("pk"))
    held = {str(subscription).lower(): n for subscription, n in counted}
    rows = list(ScopeReading.objects.filter(connection=connection, cluster=None))
    whole = {row.subscription_id: row for row in rows if not row.resource_group}
    groups = [
        row
        for row in rows
        if row.resource_group
        and row.may_write is not True
        and not getattr(whole.get(row.subscription_id), "may_write", False)
    ]
    places = [_place(connection, row, held) for row in whole.values()]
    return {
        "places": sorted(places, key=lambda it: it.order)[:SHOWN],
        "places_hidden": max(0, len(places) - SHOWN),
        "groups": [_place(connection, row, {}) for row in groups[:SHOWN]],
        "asked_at": max(
            (it.asked_at for it in rows if it.is_running and it.asked_at), default=None
        ),
        "read_at": min((it.read_at for it in rows if it.read_at), default=None),
        "failures": counts_of(clusters),
        "cluster_count": sum(held.values()),
    }


def _place(connection: Connection, row: ScopeReading, held: dict[str, int]) -> Place:
    rights: dict[str, Any] = row.found.get("rights") or {}
    missing = [it for it in rights.get("missing", ()) if it in REQUIRED_ACTIONS]
    state = State.UNKNOWN
    if "missing" in rights and not is_old(row.read_at):
        state = State.FAILED if missing else State.OK
    refused = f"{rights['code']}: {rights.get('message', '')}" if rights.get("code") else ""
    if row.problem:
        refused = f"{row.problem_code}: {row.problem_message}"
    providers = [
        provider_check(connection.pk, row.subscription_id, row, namespace)
        for namespace in REQUIRED_PROVIDERS
    ]
    return Place(
        reading=row,
        clusters=held.get(row.subscription_id, 0),
        providers=[] if row.resource_group else providers,
        rights=LOOKS[state],
        missing=missing,
        command=commands.grant(connection, row.scope, REQUIRED_ACTIONS) if missing else "",
        refused=refused,
    )
