"""A fleet in the database, as a sync would have left it: for measurements of pages only."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from django.utils import timezone

from access.models import Environment, Role, RoleAssignment, User
from clusters.models import Cluster, Connection
from configurations.models import Compliance, Configuration
from configurations.reading import SEVERITY

STATES = [Compliance.COMPLIANT] * 8 + [Compliance.NON_COMPLIANT, Compliance.PENDING]
PER_CLUSTER = 4


def plant(rows: int) -> User:
    """Plant clusters with four configurations each; returns a viewer of everything."""
    chance = Random(20261124)
    now = timezone.now()
    viewer = User.objects.create_user("bench")
    RoleAssignment.objects.create(user=viewer, role=Role.VIEWER)
    connection = Connection.objects.create(name="Bench")
    environments = [Environment.objects.create(name=name) for name in ("production", "staging")]
    clusters = [_cluster(number, connection, environments) for number in range(rows // PER_CLUSTER)]
    Cluster.objects.bulk_create(clusters, batch_size=500)
    configurations = []
    for number in range(rows):
        cluster = clusters[number // PER_CLUSTER]
        state = chance.choice(STATES)
        arm_id = (
            f"{cluster.arm_id}/providers/microsoft.kubernetesconfiguration/"
            f"fluxconfigurations/config-{number:05}"
        )
        configurations.append(
            Configuration(
                cluster=cluster,
                arm_id=arm_id,
                arm_id_display=arm_id,
                name=f"config-{number:05}",
                namespace=f"team-{number % 40}",
                scope="cluster",
                source_kind="GitRepository",
                source_url=f"https://github.com/example/fleet-{number % 25}",
                reference="main",
                synced_commit=f"main@sha1:{chance.getrandbits(160):040x}",
                compliance=state,
                severity=SEVERITY[state],
                provisioning_state="Succeeded",
                cause="" if state == Compliance.COMPLIANT else "infra: health check timed out",
                kustomization_count=2,
                object_count=6,
                observed_at=now - timedelta(seconds=chance.randrange(20)),
                observed_via="graph",
            )
        )
    Configuration.objects.bulk_create(configurations, batch_size=500)
    return viewer


def _cluster(number: int, connection: Connection, environments: list[Environment]) -> Cluster:
    arm_id = (
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/"
        f"rg-{number % 50}/providers/microsoft.kubernetes/connectedclusters/arc-{number:05}"
    )
    return Cluster(
        connection=connection,
        arm_id=arm_id,
        arm_id_display=arm_id,
        name=f"arc-{number:05}",
        kind=Cluster.Kind.CONNECTED,
        subscription_id="00000000-0000-0000-0000-000000000001",
        resource_group=f"rg-{number % 50}",
        region="westeurope",
        connectivity="Connected",
        environment=environments[number % 2],
        observed_at=timezone.now(),
        observed_via="graph",
    )
