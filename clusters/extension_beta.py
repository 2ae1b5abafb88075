"""Who is concerned when the beta interfaces of Flux go away (from version 1.23.0 on)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from clusters.models import Cluster

NAMED_AT_MOST = 20
# Kinds that people write into their repositories, and whose beta interfaces are gone from 1.23.0.
_WRITTEN = ("HelmRelease", "HelmRepository", "HelmChart", "Kustomization", "GitRepository",
            "OCIRepository", "Bucket")  # fmt: skip


@dataclass(frozen=True)
class Concerned:
    """A configuration whose source holds Flux objects, whose interface versions want a look."""

    pk: int
    name: str
    objects: str  # "3 HelmRelease, 2 HelmRepository"


def concerned_by_beta(cluster: Cluster) -> list[Concerned]:
    """Configurations whose own source brings Flux objects, with what Azure reports of them.

    Azure reports kinds, not interface versions: these are where to look, not what is wrong.
    """
    rows = (
        cluster.configurations.filter(
            gone_at=None, statuses__kind__in=_WRITTEN, statuses__applied_by__gt=""
        )
        .values("pk", "name", "statuses__kind")
        .annotate(found=Count("statuses"))
        .order_by("name", "statuses__kind")
    )
    counts: dict[tuple[int, str], list[str]] = {}
    for row in rows:
        text = f"{row['found']} {row['statuses__kind']}"
        counts.setdefault((row["pk"], row["name"]), []).append(text)
    found = [Concerned(pk, name, ", ".join(kinds)) for (pk, name), kinds in counts.items()]
    return found[:NAMED_AT_MOST]
