"""Look at user-assigned identities: asked for on a page, read by a worker, shown live.

`IdentityReading.found` of the list: {"identities": [IDENTITY, ...], "hidden": 0}; of one identity:
{"identity": IDENTITY, "credentials": [{"name", "issuer", "subject", "audiences"}, ...]}, where
IDENTITY is {"id", "name", "resource_group", "subscription_id", "client_id", "principal_id",
"tenant_id", "region"}, all text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from arm import ArmError, ClusterId, Gateway, IdentityId, Priority
from clusters.gateways import gateway_for
from clusters.inventory import cluster_columns
from clusters.models import Cluster, IdentityReading
from clusters.problems import problem_of
from live.services import bump

log = logging.getLogger(__name__)

TAKES_AT_MOST = timedelta(minutes=3)
UNANSWERED = timedelta(seconds=3)  # nobody took it so long: the sweep process does
LISTED_AT_MOST = 500


@transaction.atomic
def identity_reading_ask(*, cluster: Cluster, identity_id: str = "") -> IdentityReading:
    """Have a worker look at the identities that the connection sees, or at one of them."""
    reading, _created = IdentityReading.objects.update_or_create(
        cluster=cluster,
        identity_id=identity_id.lower(),
        defaults={"asked_at": timezone.now(), "begun_at": None},
    )
    bump(f"cluster:{cluster.pk}")
    transaction.on_commit(lambda: _ring(reading.pk))
    return reading


def _ring(reading_id: int) -> None:
    from clusters.tasks import identity_reading

    try:
        identity_reading.apply_async((reading_id,), retry=False)
    except Exception as error:  # the broker is gone: identity_readings_overdue finds it
        log.warning("Could not ring a worker (%s)", type(error).__name__)


def identity_readings_overdue() -> None:
    """Do what nobody took: for the sweep that runs without a broker. NETWORK."""
    waiting = IdentityReading.objects.filter(asked_at__lte=timezone.now() - UNANSWERED).filter(
        Q(read_at=None) | Q(read_at__lt=F("asked_at"))
    )
    for pk in waiting.values_list("pk", flat=True):
        identity_reading_run(pk)


def identity_reading_run(reading_id: int) -> bool:
    """Read what was asked for, if nobody else does; whether it was done here. NETWORK."""
    now = timezone.now()
    free = Q(begun_at=None) | Q(begun_at__lt=now - TAKES_AT_MOST)
    if not IdentityReading.objects.filter(free, pk=reading_id).update(begun_at=now):
        return False
    reading = IdentityReading.objects.select_related("cluster__connection").get(pk=reading_id)
    if not reading.is_running:
        return False
    cluster = reading.cluster
    values: dict[str, Any] = {"problem": "", "problem_code": "", "problem_message": ""}
    facts: dict[str, Any] = {}
    try:
        gateway = gateway_for(cluster.connection, priority=Priority.INTERACTIVE)
        if reading.identity_id:
            values["found"] = _one(gateway, reading.identity_id)
        else:
            facts = _issuer_of(gateway, cluster)
            values["found"] = _list(gateway, cluster)
    except ArmError as error:
        values |= {
            "problem": problem_of(error),
            "problem_code": error.code[:100],
            "problem_message": error.message,
        }
    with transaction.atomic():
        IdentityReading.objects.filter(pk=reading_id).update(read_at=timezone.now(), **values)
        if facts:
            Cluster.objects.filter(pk=cluster.pk).update(**facts)
        bump(f"cluster:{cluster.pk}")
    return True


def _issuer_of(gateway: Gateway, cluster: Cluster) -> dict[str, Any]:
    """The issuer as the cluster has it now: a moment ago somebody may have turned it on."""
    columns = cluster_columns(gateway.get_cluster(cluster.arm_id_display))
    return {name: columns[name] for name in ("oidc_issuer", "workload_identity")}


def _list(gateway: Gateway, cluster: Cluster) -> dict[str, Any]:
    """Of the cluster's own subscription first, then of the connection's others."""
    own = ClusterId.parse(cluster.arm_id_display).subscription_id.lower()
    found = list(_facts(gateway.list_identities(own)))
    for other in (str(it).lower() for it in cluster.connection.subscription_ids):
        if other == own:
            continue
        try:
            found += _facts(gateway.list_identities(other))
        except ArmError as error:  # an identity there can still be named by its id
            log.warning("The identities of %s cannot be listed: %s", other, error.code)
    return {"identities": found[:LISTED_AT_MOST], "hidden": max(0, len(found) - LISTED_AT_MOST)}


def _one(gateway: Gateway, identity_id: str) -> dict[str, Any]:
    [identity] = _facts([gateway.get_identity(identity_id)])
    credentials = [
        {"name": str(it.get("name") or ""), **_trust(it.get("properties") or {})}
        for it in gateway.list_federated_credentials(identity_id)
    ]
    return {"identity": identity, "credentials": credentials}


def _trust(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "issuer": str(properties.get("issuer") or ""),
        "subject": str(properties.get("subject") or ""),
        "audiences": [str(it) for it in properties.get("audiences") or []],
    }


def _facts(resources: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for resource in resources:
        properties = resource.get("properties") or resource
        place = IdentityId.parse(str(resource["id"]))
        yield {
            "id": str(resource["id"]),
            "name": place.name,
            "resource_group": place.resource_group,
            "subscription_id": place.subscription_id,
            "client_id": str(properties.get("clientId") or ""),
            "principal_id": str(properties.get("principalId") or ""),
            "tenant_id": str(properties.get("tenantId") or ""),
            "region": str(resource.get("location") or ""),
        }
