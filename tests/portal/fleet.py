"""A small fleet in the database: what the shell and the overview are shown with."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from access.models import Environment, User
from changes.models import Change, ChangeTarget, Review
from clusters.models import Cluster, Connection
from configurations.models import Configuration

_numbers = count(1)
SEVERITY = {"Non-Compliant": 40, "Pending": 30, "Suspended": 20, "Unknown": 10, "Compliant": 0}


def connection(**fields: Any) -> Connection:
    """The one connection, as if it had been read."""
    values: dict[str, Any] = {"cloud": "custom", "sweep_at": timezone.now()} | fields
    found, _ = Connection.objects.get_or_create(name="simulator", defaults=values)
    return found


def cluster(environment: Environment | None, **fields: Any) -> Cluster:
    number = next(_numbers)
    values: dict[str, Any] = {
        "connection": connection(),
        "name": f"cluster-{number:03}",
        "kind": "connectedClusters",
        "subscription_id": "6f1c0d2e",
        "resource_group": "flux-demo-rg",
        "region": "westeurope",
        "connectivity": "Connected",
        "environment": environment,
        "observed_at": timezone.now(),
        "observed_via": "graph",
    } | fields
    arm_id = f"/subscriptions/6f1c/resourceGroups/rg/providers/x/{values['kind']}/{values['name']}"
    return Cluster.objects.create(arm_id=arm_id.lower(), arm_id_display=arm_id, **values)


def configuration(
    on: Cluster, name: str = "cluster-config", compliance: str = "Compliant", **fields: Any
) -> Configuration:
    arm_id = f"{on.arm_id_display}/providers/x/fluxConfigurations/{name}"
    values: dict[str, Any] = {
        "severity": SEVERITY[compliance],
        "observed_at": timezone.now(),
        "compliance_since": timezone.now() - timedelta(minutes=12),
        "synced_commit": "main@sha1:9ad31c0" + "0" * 33,
    } | fields
    return Configuration.objects.create(
        cluster=on,
        arm_id=arm_id.lower(),
        arm_id_display=arm_id,
        name=name,
        compliance=compliance,
        **values,
    )


def change(author: User, target: Configuration, state: str = "in_review", **fields: Any) -> Change:
    now = timezone.now()
    number = next(_numbers)
    values: dict[str, Any] = {
        "kind": "flux_configuration",
        "verb": "update",
        "title": f"Pin {target.name} to v2.{number}.0",
        "reason": "A release.",
        "content": {},
        "digest": f"{number:064x}",
        "created_at": now,
        "submitted_at": now - timedelta(minutes=38),
        "expires_at": now + timedelta(days=7),
        "moved_at": now,
    } | fields
    made = Change.objects.create(author=author, state=state, **values)
    ChangeTarget.objects.create(
        change=made,
        name=target.cluster.name,
        resource_id=target.arm_id,
        cluster_id=target.cluster_id,
        configuration_id=target.pk,
        environment=target.cluster.environment,
    )
    return made


def approve(what: Change, reviewer: User) -> Review:
    return Review.objects.create(
        change=what,
        reviewer=reviewer,
        author=what.author,
        verdict="approve",
        digest=what.digest,
        at=timezone.now(),
    )
