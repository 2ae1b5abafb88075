"""Flux v1 on a cluster: found by a worker once a day, and what stands against it.

A cluster that still has Flux v1 configurations (sourceControlConfigurations) takes no
microsoft.flux (the tutorial). Nothing creates them any more, so a slow look at each cluster is
enough; a write looks once more (clusters/extension_kind.py).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from arm import ArmError, Gateway, NotFound, Permanent, Priority
from changes.errors import ChangeRefused
from clusters.gateways import gateway_for
from clusters.models import Cluster
from live.services import bump

log = logging.getLogger(__name__)

EVERY = timedelta(hours=24)
AGAIN = timedelta(minutes=15)  # after a look that failed
AT_ONCE = 20  # clusters in one round


def names_on(gateway: Gateway, cluster: Cluster) -> list[str]:
    """Names of the Flux v1 configurations there. NETWORK; a provider without them has none."""
    try:
        found = gateway.list_flux_v1(cluster.arm_id_display)
    except (NotFound, Permanent) as error:
        log.info("Flux v1 on %s cannot be asked for (%s)", cluster.name, error.code)
        return []
    return sorted(str(it.get("name") or "") for it in found)


def flux_v1_look(*, late_by: timedelta = timedelta(0), at_most: int = AT_ONCE) -> int:
    """Look at the clusters that were not looked at for a day; how many were. NETWORK."""
    now = timezone.now()
    due = Q(flux_v1_due_at=None) | Q(flux_v1_due_at__lte=now - late_by)
    rows = Cluster.objects.filter(due, gone_at=None, connection__enabled=True)
    looked = 0
    for cluster in rows.select_related("connection").order_by("flux_v1_due_at", "pk")[:at_most]:
        # Whoever moves it on has claimed it; a crash or a failed look costs the short pause.
        claim = Cluster.objects.filter(pk=cluster.pk, flux_v1_due_at=cluster.flux_v1_due_at)
        if claim.update(flux_v1_due_at=now + AGAIN):
            _look_at(cluster)
            looked += 1
    return looked


def flux_v1_overdue() -> None:
    """For the sweep that runs without a broker: what nobody did for an hour. NETWORK."""
    flux_v1_look(late_by=timedelta(hours=1), at_most=2)


def _look_at(cluster: Cluster) -> None:
    try:
        names = names_on(gateway_for(cluster.connection, priority=Priority.POLL), cluster)
    except ArmError as error:
        log.warning("Flux v1 on %s was not looked for: %s", cluster.name, error.code)
        return
    now = timezone.now()
    with transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(
            flux_v1=names, flux_v1_at=now, flux_v1_due_at=now + EVERY
        )
        if names != cluster.flux_v1:
            bump("clusters", f"cluster:{cluster.pk}")


def explain_flux_v1(cluster: Cluster) -> str:
    """Why nothing of Flux v2 goes there, for people; "" where no Flux v1 was seen."""
    if not cluster.flux_v1:
        return ""
    return _(
        "Flux v1 is on %(cluster)s (%(names)s): Azure installs no microsoft.flux beside it. Delete "
        "these configurations first, and migrate what they apply."
    ) % {"cluster": cluster.name, "names": ", ".join(cluster.flux_v1[:5])}


def refuse_flux_v1(cluster: Cluster) -> None:
    """Raise ChangeRefused (`flux_v1`) where Flux v1 was seen."""
    reason = explain_flux_v1(cluster)
    if reason:
        raise ChangeRefused(reason, code="flux_v1")
