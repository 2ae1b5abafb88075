"""What Azure says of clusters and their extension, written to our rows: many at a time.

Rows are compared before they are written, so that a read which brings nothing new costs two
queries, no event and no tick.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from arm import ClusterId, ExtensionId, InvalidId
from audit.services import record
from clusters.environments import Rules
from clusters.extension import extension_columns, is_flux
from clusters.models import Cluster, Connection, Extension
from live.services import bump

log = logging.getLogger(__name__)

Resource = Mapping[str, Any]
_Item = TypeVar("_Item")

CHUNK = 400  # rows in one transaction: brief locks, few queries
EVENTS_EACH = 20  # more of one kind in a chunk become one event
MSI = "msi"  # servicePrincipalProfile.clientId of a cluster with a managed identity


# --- From ARM's JSON to columns -------------------------------------------------------------
def cluster_columns(resource: Resource) -> dict[str, Any]:
    """The columns of clusters.Cluster (azure-contract 1.6); raises InvalidId."""
    found = ClusterId.parse(str(resource["id"]))
    properties = _mapping(resource.get("properties"))
    return {
        "kind": found.cluster_type,
        "subscription_id": found.subscription_id.lower(),
        "resource_group": found.resource_group,
        "region": str(resource.get("location") or "").lower().replace(" ", ""),
        "tags": {str(key): str(value) for key, value in _mapping(resource.get("tags")).items()},
        "identity_kind": _identity_kind(resource, properties),
        "connectivity": str(properties.get("connectivityStatus") or ""),
        "power_state": str(_mapping(properties.get("powerState")).get("code") or ""),
        "last_connectivity_at": _moment(properties.get("lastConnectivityTime")),
        "certificate_expires_at": _moment(
            properties.get("managedIdentityCertificateExpirationTime")
        ),
        "kubernetes_version": str(
            properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or ""
        ),
        "agent_version": str(properties.get("agentVersion") or ""),
        "distribution": str(properties.get("distribution") or ""),
        "node_count": _node_count(properties),
        "provisioning_state": str(properties.get("provisioningState") or ""),
        "oidc_issuer": _issuer(_mapping(properties.get("oidcIssuerProfile"))),
        "workload_identity": _workload_identity(properties),
    }


def _identity_kind(resource: Resource, properties: Resource) -> str:
    """A cluster with a service principal takes no extension (azure-contract 5.1, no. 6)."""
    principal = str(_mapping(properties.get("servicePrincipalProfile")).get("clientId") or "")
    if principal and principal.lower() != MSI:
        return "ServicePrincipal"
    return str(_mapping(resource.get("identity")).get("type") or "")


def _node_count(properties: Resource) -> int | None:
    total = properties.get("totalNodeCount")
    if isinstance(total, int):
        return total
    pools = properties.get("agentPoolProfiles")
    if not isinstance(pools, list):
        return None
    return sum(int(_mapping(pool).get("count") or 0) for pool in pools)


def _issuer(profile: Resource) -> str:
    """AKS writes issuerURL, Arc issuerUrl."""
    return str(profile.get("issuerURL") or profile.get("issuerUrl") or "")[:300]


def _workload_identity(properties: Resource) -> bool:
    security = _mapping(properties.get("securityProfile"))
    return bool(_mapping(security.get("workloadIdentity")).get("enabled"))


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# --- Clusters -------------------------------------------------------------------------------
def clusters_write(
    *, connection: Connection, resources: Iterable[Resource], via: str, sweep_id: int | None
) -> int:
    """Make or refresh the rows of these clusters; returns how many changed or are new.

    `sweep_id` marks them as seen by that sweep; None (a delta) leaves the mark.
    """
    by_id: dict[str, Resource] = {}
    for resource in resources:
        try:
            by_id[ClusterId.parse(str(resource["id"])).key] = resource
        except InvalidId:
            log.warning("Not the id of a cluster: %s", resource["id"])
    rules = Rules.current()
    return sum(
        _clusters_chunk(connection, dict(chunk), via, sweep_id, rules)
        for chunk in _chunks(by_id.items())
    )


@transaction.atomic
def _clusters_chunk(
    connection: Connection,
    by_id: Mapping[str, Resource],
    via: str,
    sweep_id: int | None,
    rules: Rules,
) -> int:
    now = timezone.now()
    rows = Cluster.objects.select_for_update(of=("self",)).filter(arm_id__in=list(by_id))
    known = {row.arm_id: row for row in rows.select_related("connection", "environment")}
    fresh: list[Cluster] = []
    changed: list[Cluster] = []
    told: list[Cluster] = []
    moved: list[tuple[Cluster, Any]] = []
    for arm_id, resource in by_id.items():
        columns = cluster_columns(resource)
        cluster = known.get(arm_id)
        if cluster is None:
            fresh.append(_new_cluster(connection, resource, columns, rules, now, via, sweep_id))
        elif cluster.connection_id == connection.pk or not cluster.connection.enabled:
            columns |= {"connection_id": connection.pk, "gone_at": None}
            before = cluster.environment
            if not cluster.environment_by_hand:
                columns["environment_id"] = rules.environment_id(columns["tags"])
            # An agent that says "still here" is no news to a page.
            heartbeat = {"last_connectivity_at": columns.pop("last_connectivity_at")}
            news = _assign(cluster, columns)
            if _assign(cluster, heartbeat) or news:
                changed.append(cluster)
            if news:
                told.append(cluster)
            if before is not None and before.pk != cluster.environment_id:
                moved.append((cluster, before))
    Cluster.objects.bulk_create(fresh)
    if changed:
        Cluster.objects.bulk_update(changed, _CLUSTER_COLUMNS)
    seen = Cluster.objects.filter(arm_id__in=list(by_id), connection=connection)
    seen.update(observed_at=now, observed_via=via, sweep_id=_mark(sweep_id))
    _record_many("cluster.seen", connection, fresh)
    for cluster, before in moved:
        record_environment(cluster, before=str(before), actor=None, why="tags")
    if fresh or told:
        ids = [f"cluster:{cluster.pk}" for cluster in (*fresh, *told)]
        bump("clusters", *(["configurations"] if moved else []), *ids)
    return len(fresh) + len(told)


_CLUSTER_COLUMNS = [
    "connection",
    "subscription_id",
    "resource_group",
    "region",
    "tags",
    "identity_kind",
    "connectivity",
    "power_state",
    "last_connectivity_at",
    "certificate_expires_at",
    "kubernetes_version",
    "agent_version",
    "distribution",
    "node_count",
    "provisioning_state",
    "oidc_issuer",
    "workload_identity",
    "environment",
    "gone_at",
]


_EXTENSION_COLUMNS = [
    "arm_id",
    "name",
    "version",
    "release_train",
    "auto_upgrade",
    "provisioning_state",
    "settings",
    "error_code",
    "error_message",
    "observed",
]


def _new_cluster(
    connection: Connection,
    resource: Resource,
    columns: dict[str, Any],
    rules: Rules,
    now: datetime,
    via: str,
    sweep_id: int | None,
) -> Cluster:
    found = ClusterId.parse(str(resource["id"]))
    return Cluster(
        connection=connection,
        arm_id=found.key,
        arm_id_display=str(found),
        name=found.name,
        environment_id=rules.environment_id(columns["tags"]),
        observed_at=now,
        observed_via=via,
        sweep_id=sweep_id or 0,
        **columns,
    )


def _assign(row: Any, columns: Mapping[str, Any]) -> bool:
    """Set the columns; whether one of them differs."""
    differs = False
    for name, value in columns.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            differs = True
    return differs


# --- The extension --------------------------------------------------------------------------
def extensions_write(
    *, connection: Connection, resources: Iterable[Resource], via: str, sweep_id: int | None
) -> int:
    """Make or refresh the rows of microsoft.flux instances; others are left out."""
    by_cluster: dict[str, Resource] = {}
    for resource in resources:
        if is_flux(resource):
            try:
                by_cluster[ExtensionId.parse(str(resource["id"])).cluster.key] = resource
            except InvalidId:
                log.warning("Not the id of an extension: %s", resource["id"])
    return sum(
        _extensions_chunk(connection, dict(chunk), via, sweep_id)
        for chunk in _chunks(by_cluster.items())
    )


@transaction.atomic
def _extensions_chunk(
    connection: Connection, by_cluster: Mapping[str, Resource], via: str, sweep_id: int | None
) -> int:
    now = timezone.now()
    clusters = Cluster.objects.filter(connection=connection, arm_id__in=list(by_cluster))
    known = {
        row.cluster_id: row
        for row in Extension.objects.select_for_update(of=("self",)).filter(cluster__in=clusters)
    }
    fresh: list[Extension] = []
    changed: list[Extension] = []
    for cluster in clusters:
        columns = extension_columns(by_cluster[cluster.arm_id])
        extension = known.get(cluster.pk)
        if extension is None:
            extension = Extension(
                cluster=cluster,
                observed_at=now,
                observed_via=via,
                sweep_id=sweep_id or 0,
                **columns,
            )
            fresh.append(extension)
        elif _assign(extension, columns):
            extension.cluster = cluster
            changed.append(extension)
    Extension.objects.bulk_create(fresh)
    if changed:
        Extension.objects.bulk_update(changed, _EXTENSION_COLUMNS)
    Extension.objects.filter(cluster__in=clusters).update(
        observed_at=now, observed_via=via, sweep_id=_mark(sweep_id)
    )
    _record_many("extension.seen", connection, fresh)
    if fresh or changed:
        bump("clusters", *(f"cluster:{row.cluster_id}" for row in (*fresh, *changed)))
    return len(fresh) + len(changed)


# --- What a whole sweep did not see ---------------------------------------------------------
def unseen_clusters(connection: Connection, sweep_id: int) -> tuple[int, int]:
    """Of how many known clusters how many were not seen by this sweep."""
    known = Cluster.objects.filter(connection=connection, gone_at=None)
    return known.count(), known.exclude(sweep_id=sweep_id).count()


@transaction.atomic
def gone_write(*, connection: Connection, sweep_id: int) -> int:
    """Mark as gone what a sweep that saw everything did not see; returns how many clusters."""
    now = timezone.now()
    gone = list(
        Cluster.objects.select_for_update(of=("self",))
        .filter(connection=connection, gone_at=None)
        .exclude(sweep_id=sweep_id)
    )
    Cluster.objects.filter(pk__in=[row.pk for row in gone]).update(gone_at=now)
    lost = list(
        Extension.objects.filter(cluster__connection=connection)
        .exclude(sweep_id=sweep_id)
        .select_related("cluster")
    )
    # The row of an install that runs is ours; Azure shows it when it has taken shape.
    lost = [row for row in lost if row.observed_via != "write" or _is_old(row, now)]
    Extension.objects.filter(pk__in=[row.pk for row in lost]).delete()
    _record_many("cluster.gone", connection, gone)
    _record_many("extension.gone", connection, lost)
    if gone or lost:
        ids = [f"cluster:{row.pk}" for row in gone] + [f"cluster:{row.cluster_id}" for row in lost]
        bump("clusters", "configurations", *ids)
    return len(gone)


def _is_old(row: Extension, now: datetime) -> bool:
    return (now - row.observed_at).total_seconds() > 600


# --- Events ---------------------------------------------------------------------------------
def record_environment(cluster: Cluster, *, before: str, actor: Any, why: str) -> None:
    """A cluster belongs to another environment now; `why`: tags, rules or hand."""
    after = cluster.environment
    record(
        action="cluster.environment_changed",
        actor=actor,
        object_type="cluster",
        object_id=cluster.pk,
        object_name=cluster.name,
        environment_id=cluster.environment_id,
        cluster_id=cluster.pk,
        before=before,
        after=str(after) if after else "",
        why=why,
    )


def _record_many(
    action: str, connection: Connection, rows: Sequence[Cluster] | Sequence[Extension]
) -> None:
    if len(rows) > EVENTS_EACH:
        record(
            action=action,
            actor=None,
            object_type="connection",
            object_id=connection.pk,
            object_name=f"{len(rows)} on {connection}",
            names=[str(row) for row in rows],
        )
        return
    for row in rows:
        cluster = row if isinstance(row, Cluster) else row.cluster
        record(
            action=action,
            actor=None,
            object_type="cluster",
            object_id=cluster.pk,
            object_name=str(row),
            environment_id=cluster.environment_id,
            cluster_id=cluster.pk,
        )


def _mark(sweep_id: int | None) -> Greatest:
    """A slow reader of an older sweep never takes back a newer mark."""
    return Greatest(F("sweep_id"), sweep_id or 0)


def _chunks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    left = iter(items)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
