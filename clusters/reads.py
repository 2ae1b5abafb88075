"""Reading a fleet from Azure: whole or what changed, through Resource Graph or cluster by cluster.

NETWORK: nothing here touches the database. Failures are `arm.ArmError`; what was read until then
is lost on purpose, because an incomplete list must never pass for a complete one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arm import Forbidden, Gateway, NotFound, Permanent, queries
from arm.errors import ProviderNotRegistered
from clusters.extension import is_flux

log = logging.getLogger(__name__)

GRAPH, LIST = "graph", "list"
Rows = list[dict[str, Any]]


@dataclass
class FleetRows:
    """Resources in ARM's shape. `complete`: nothing of what was asked for is missing."""

    via: str
    clusters: Rows = field(default_factory=list)
    extensions: Rows = field(default_factory=list)
    configurations: Rows = field(default_factory=list)
    complete: bool = True


def read_whole(gateway: Gateway, subscriptions: Sequence[str], *, reads: str) -> FleetRows:
    """Every cluster, microsoft.flux extension and configuration in these subscriptions.

    Where Resource Graph refuses (a policy, a right), the clusters are listed one by one instead.
    """
    if reads == GRAPH:
        try:
            return _whole_by_graph(gateway, subscriptions)
        except (Permanent, NotFound) as error:
            log.warning("Resource Graph refused (%s); listing cluster by cluster", error.code)
    return _whole_by_list(gateway, subscriptions)


def read_changes(
    gateway: Gateway,
    subscriptions: Sequence[str],
    *,
    reads: str,
    since: datetime,
    clusters_too: bool,
) -> FleetRows:
    """Configurations whose agent reported after `since`, and clusters where they are few.

    By list there is no question for what changed: the clusters alone are read then, and the
    configurations wait for the next sweep or for the watch that follows a write.
    """
    if reads == LIST:
        found = [it for one in subscriptions for it in gateway.list_clusters(one)]
        return FleetRows(LIST, clusters=found)
    rows = FleetRows(GRAPH)
    if clusters_too:
        _graph_clusters(gateway, subscriptions, rows)
    changed = _ask(gateway, queries.configurations_changed_since(since), subscriptions, rows)
    rows.configurations = [queries.normalise_configuration(row) for row in changed]
    return rows


def _whole_by_graph(gateway: Gateway, subscriptions: Sequence[str]) -> FleetRows:
    rows = FleetRows(GRAPH)
    _graph_clusters(gateway, subscriptions, rows)
    found = _ask(gateway, queries.configurations(), subscriptions, rows)
    rows.configurations = [queries.normalise_configuration(row) for row in found]
    return rows


def _graph_clusters(gateway: Gateway, subscriptions: Sequence[str], rows: FleetRows) -> None:
    rows.clusters = list(_ask(gateway, queries.clusters(), subscriptions, rows))
    found = _ask(gateway, queries.extensions(), subscriptions, rows)
    rows.extensions = [
        it for it in (queries.normalise_extension(row) for row in found) if is_flux(it)
    ]


def _ask(
    gateway: Gateway, query: str, subscriptions: Sequence[str], rows: FleetRows
) -> Iterator[dict[str, Any]]:
    count, total = 0, 0
    for page in gateway.query_graph(query, subscriptions=subscriptions):
        yield from page.rows
        count, total = count + len(page.rows), page.total
        rows.complete &= not page.truncated
    rows.complete &= count >= total


def _whole_by_list(gateway: Gateway, subscriptions: Sequence[str]) -> FleetRows:
    rows = FleetRows(LIST)
    for subscription_id in subscriptions:
        for cluster in gateway.list_clusters(subscription_id):
            try:
                extensions = gateway.list_extensions(cluster["id"])
                configurations = gateway.list_configurations(cluster["id"])
            except NotFound:
                continue  # deleted since the list was made
            except ProviderNotRegistered:
                extensions, configurations = [], []  # so there can be none
            except Forbidden as error:
                log.warning("%s may not be read: %s", cluster["id"], error.code)
                rows.complete = False
                extensions, configurations = [], []
            rows.clusters.append(cluster)
            rows.extensions.extend(it for it in extensions if is_flux(it))
            rows.configurations.extend(configurations)
    return rows
