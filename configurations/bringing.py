"""Bring in: from a text that somebody wrote elsewhere to drafts in the wizard.

What was read is carried from page to page signed and without secrets; the text itself is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from access.models import User
from access.rights import Act
from changes.errors import ChangeRefused
from clusters.models import Cluster
from configurations.faces.bring_in import bring_in
from configurations.faces.cleaning import BringInError, BroughtIn, Ignored
from configurations.models import Configuration, Draft
from configurations.specification import Specification, Violation, violations_of
from configurations.specification.models import SOURCE_BODIES
from configurations.wizard import compose

LIMIT = 50  # configurations of one text
_SALT = "configurations.bring-in"


@dataclass(frozen=True)
class Reading:
    """One configuration of the text, with the cluster that it names where one may propose."""

    number: int
    brought: BroughtIn
    cluster: Cluster | None
    taken: bool  # whether that cluster has a configuration of this name
    violations: Sequence[Violation]

    @property
    def secrets(self) -> list[str]:
        return [it.path for it in self.brought.ignored if it.is_secret]

    @property
    def ignored(self) -> list[Ignored]:
        return [it for it in self.brought.ignored if not it.is_secret]

    @property
    def url(self) -> str:
        """Where the source is."""
        what = self.brought.specification
        body = what.to_wire().get(SOURCE_BODIES.get(what.kind, "")) or {}
        return str(body.get("url") or "")

    @property
    def cluster_name(self) -> str:
        """The cluster's name as the text has it."""
        return self.brought.cluster_id.rstrip("/").rpartition("/")[2]


# --- Read and carry -------------------------------------------------------------------------
def read(text: str) -> list[BroughtIn]:
    """Every configuration in the text; BringInError with words for people."""
    found = bring_in(text)
    if len(found) > LIMIT:
        raise BringInError(
            _("There are %(n)d configurations in it. Bring in at most %(limit)d at once.")
            % {"n": len(found), "limit": LIMIT}
        )
    return found


def packed(found: Iterable[BroughtIn]) -> str:
    """What was read as a signed text for the next page."""
    value = [
        [it.name, it.cluster_id, it.specification.to_wire(),
         [[left.path, left.why, left.is_secret] for left in it.ignored]]
        for it in found
    ]  # fmt: skip
    return signing.dumps(value, salt=_SALT, compress=True)


def unpacked(text: str) -> list[BroughtIn]:
    """What `packed` made; BringInError where it is something else."""
    try:
        value = signing.loads(text, salt=_SALT)
    except signing.BadSignature as error:
        raise BringInError(_("Read the text again: the page was altered on its way.")) from error
    return [
        BroughtIn(name, cluster, Specification.from_wire(wire), tuple(Ignored(*it) for it in left))
        for name, cluster, wire, left in value
    ]


def readings_of(found: Sequence[BroughtIn], user: User) -> list[Reading]:
    """What the page shows of each. Two queries."""
    clusters = _clusters_named(found, user)
    named = [_named(it.cluster_id, clusters) for it in found]
    taken = _taken([it for it in named if it is not None])
    return [
        Reading(
            number=number,
            brought=it,
            cluster=cluster,
            taken=cluster is not None and (cluster.pk, it.name) in taken,
            violations=violations_of(
                it.specification,
                name=it.name,
                api_version=cluster.connection.api_version if cluster else "2025-04-01",
            ),
        )
        for number, (it, cluster) in enumerate(zip(found, named, strict=True))
    ]


def _clusters_named(found: Sequence[BroughtIn], user: User) -> list[Cluster]:
    """The clusters that the texts name: an az line without a subscription, by the end of an id."""
    wanted = Q(pk__in=[])
    for cluster_id in {it.cluster_id.lower() for it in found if it.cluster_id}:
        whole = cluster_id.startswith("/subscriptions/")
        wanted |= Q(arm_id=cluster_id) if whole else Q(arm_id__endswith=cluster_id)
    clusters = Cluster.objects.where_may(user, Act.PROPOSE).filter(wanted, gone_at=None)
    return list(clusters.select_related("connection", "environment").order_by("pk")[:200])


def _named(cluster_id: str, clusters: Sequence[Cluster]) -> Cluster | None:
    """The one cluster that is meant; None where there is none, or more than one."""
    key = cluster_id.lower()
    fits = [it for it in clusters if key and it.arm_id.endswith(key)]
    return fits[0] if len(fits) == 1 else None


def _taken(clusters: Sequence[Cluster]) -> set[tuple[int, str]]:
    rows = Configuration.objects.filter(cluster__in=clusters, gone_at=None)
    return set(rows.values_list("cluster_id", "name"))


# --- Drafts ---------------------------------------------------------------------------------
@transaction.atomic
def drafts_bring_in(
    *, author: User, chosen: Sequence[Reading], cluster: Cluster | None
) -> list[Draft]:
    """A draft for each, on `cluster` or else on the cluster that it names.

    Raises ChangeRefused: `nothing_chosen`, `no_cluster`.
    """
    if not chosen:
        raise ChangeRefused(_("Choose what to bring in."), code="nothing_chosen")
    for it in chosen:
        if cluster is None and it.cluster is None:
            raise ChangeRefused(
                _("Choose a cluster for %(name)s.") % {"name": it.brought.name or _("this one")},
                code="no_cluster",
            )
    return [_draft(author, it, cluster or it.cluster) for it in chosen]


def _draft(author: User, reading: Reading, cluster: Cluster | None) -> Draft:
    wire = reading.brought.specification.to_wire()
    data: dict[str, Any] = compose.data_from(reading.brought.name, wire)
    data["brought_in"] = {"secrets": reading.secrets, "ignored": len(reading.ignored)}
    return Draft.objects.create(
        author=author,
        purpose=Draft.Purpose.CREATE,
        cluster=cluster,
        data=data,
        base=wire,
    )


def chosen_among(readings: Sequence[Reading], numbers: Iterable[str]) -> list[Reading]:
    """The readings with these numbers; others name nothing."""
    wanted: Mapping[str, Reading] = {str(it.number): it for it in readings}
    return [wanted[it] for it in dict.fromkeys(numbers) if it in wanted]
