"""Which clusters of a fleet fail which prerequisite: the rules of checks.py as conditions of SQL.

Two queries say what the readings know; the clusters themselves are counted in one. A test holds
both ways of judging together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from arm.providers import CONFIGURATION
from clusters.models import Cluster, ScopeReading
from clusters.prerequisites.checks import MOVING, OUT_OF_REACH, PROVIDER_OF, regions_in

NEVER = Q(pk__in=())
_AKS = Q(kind=Cluster.Kind.MANAGED)


@dataclass(frozen=True)
class Failure:
    """A prerequisite that clusters are counted by; `code` is what an address says."""

    code: str
    title: Any
    condition: Callable[[], Q]


def _identity() -> Q:
    return _AKS & Q(identity_kind="ServicePrincipal")


def _running() -> Q:
    return _AKS & Q(power_state="Stopped")


def _connected() -> Q:
    return ~_AKS & Q(connectivity__in=OUT_OF_REACH)


def _certificate() -> Q:
    return ~_AKS & Q(certificate_expires_at__lte=timezone.now())


def _extension() -> Q:
    return Q(extension__provisioning_state__in=("Failed", "Canceled"))


def _flux_v1() -> Q:
    return Q(flux_v1_at__isnull=False) & ~Q(flux_v1=[])


def _providers() -> Q:
    by_place: dict[tuple[int, str], list[str]] = defaultdict(list)
    for connection, subscription, found in _subscriptions():
        for namespace, provider in (found.get("providers") or {}).items():
            state = provider.get("state")
            if state and state != "Registered" and state not in MOVING[:1]:
                by_place[connection, namespace].append(subscription)
    return _any(
        Q(connection_id=connection, subscription_id__in=places) & _kinds(namespace)
        for (connection, namespace), places in by_place.items()
    )


def _kinds(namespace: str) -> Q:
    if namespace == CONFIGURATION:
        return Q()
    return Q(kind__in=[kind for kind, needed in PROVIDER_OF.items() if needed == namespace])


def _region() -> Q:
    by_offer: dict[tuple[int, frozenset[str]], list[str]] = defaultdict(list)
    for connection, subscription, found in _subscriptions():
        offered = regions_in((found.get("providers") or {}).get(CONFIGURATION) or {})
        if offered:
            by_offer[connection, frozenset(offered)].append(subscription)
    return _any(
        Q(connection_id=connection, subscription_id__in=places) & ~Q(region__in=offered)
        for (connection, offered), places in by_offer.items()
    )


def _rights() -> Q:
    """As in checks.py: the group's rights count where the subscription's do not do."""
    rows = ScopeReading.objects.filter(
        connection=OuterRef("connection"), subscription_id=OuterRef("subscription_id"), cluster=None
    )
    whole = rows.filter(resource_group="", may_write=True)
    group = rows.filter(may_write=False).exclude(resource_group="")
    return ~Q(Exists(whole)) & Q(
        Exists(group.filter(resource_group=Lower(OuterRef("resource_group"))))
    )


FAILURES = {
    it.code: it
    for it in (
        Failure("identity", _("Service principal instead of a managed identity"), _identity),
        Failure("running", _("Stopped"), _running),
        Failure("connected", _("Arc agents out of reach"), _connected),
        Failure("certificate", _("Certificate of the agents ran out"), _certificate),
        Failure("provider", _("Resource provider not registered"), _providers),
        Failure("rights", _("The portal lacks rights"), _rights),
        Failure("region", _("Flux is not offered in the region"), _region),
        Failure("extension", _("Extension failed"), _extension),
        Failure("flux_v1", _("Flux v1 is on the cluster"), _flux_v1),
    )
}


def failing(code: str) -> Q:
    """The clusters that fail this prerequisite."""
    return FAILURES[code].condition()


def counts_of(clusters: QuerySet[Cluster]) -> list[tuple[Failure, int]]:
    """How many of these fail each prerequisite, most first; those that nobody fails are left out.

    Three queries, however many clusters and subscriptions there are.
    """
    counts = {
        code: Count("pk", filter=failure.condition(), distinct=True)
        for code, failure in FAILURES.items()
    }
    found = clusters.order_by().aggregate(**counts)
    rows = [(failure, found[code]) for code, failure in FAILURES.items() if found[code]]
    return sorted(rows, key=lambda row: -row[1])


def _subscriptions() -> list[tuple[int, str, dict[str, Any]]]:
    rows = ScopeReading.objects.filter(resource_group="", cluster=None)
    return list(rows.values_list("connection_id", "subscription_id", "found"))


def _any(conditions: Any) -> Q:
    """Any of these; none of them is never true."""
    found = NEVER
    for condition in conditions:
        found |= condition
    return found
