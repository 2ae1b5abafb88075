"""Find the cluster for a new configuration."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from access.models import User
from access.rights import Act
from clusters.models import Cluster

SHOWN = 20


def cluster_search(user: User, text: str, chosen: str = "") -> dict[str, Any]:
    """Clusters on which `user` may propose and whose name, group, region or environment holds
    every word of `text`; `chosen` (a key) narrows it to one. Two queries."""
    clusters = Cluster.objects.where_may(user, Act.PROPOSE).filter(gone_at=None)
    if chosen.isdecimal() and len(chosen) < 19:
        clusters = clusters.filter(pk=int(chosen))
    for word in text.split()[:6]:
        clusters = clusters.filter(
            Q(name__icontains=word)
            | Q(resource_group__icontains=word)
            | Q(region__icontains=word)
            | Q(environment__name__icontains=word)
        )
    found = list(
        clusters.select_related("environment", "extension")
        .annotate(held=Count("configurations", filter=Q(configurations__gone_at=None)))
        .order_by("name", "id")[: SHOWN + 1]
    )
    return {"q": text, "clusters": found[:SHOWN], "more": len(found) > SHOWN}
