"""Acts against the simulated Azure: `python -m tests.faults.act_azure`.

prepare          people, the connection that the environment names, and one fleet read
approve NAME     propose and approve a configuration of this name on the first cluster
"""

from __future__ import annotations

import sys

import tests.faults.worker  # noqa: F401 (sets Django up)
from access.models import Role, RoleAssignment, User
from changes.models import Change
from changes.services import change_submit
from clusters import sync
from clusters.connections import ensure_connection_from_settings
from clusters.models import Cluster, Shard
from configurations.proposals import KIND, create_target
from tests.factories.changes import approve

PROPERTIES = {
    "scope": "cluster",
    "namespace": "faults",
    "sourceKind": "GitRepository",
    "gitRepository": {
        "url": "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "repositoryRef": {"branch": "main"},
        "syncIntervalInSeconds": 600,
        "timeoutInSeconds": 600,
    },
    "kustomizations": {"infra": {"path": "./infrastructure", "prune": True}},
}


def prepare() -> None:
    for role in (Role.AUTHOR, Role.APPROVER):
        user = User.objects.create(username=str(role.value))
        RoleAssignment.objects.create(user=user, role=role, environment=None)
    connection = ensure_connection_from_settings()
    assert connection is not None
    sync.sweep_begin(connection.pk)
    for shard in Shard.objects.filter(connection=connection):
        sync.shard_read(shard.pk)
    assert Cluster.objects.exists()


def approve_configuration(name: str) -> None:
    author, approver = (User.objects.get(username=name) for name in ("author", "approver"))
    cluster = Cluster.objects.select_related("connection").order_by("arm_id")[0]
    change = change_submit(
        author=author,
        kind=KIND,
        verb=Change.Verb.CREATE,
        title=f"Create {name}",
        reason="A fault test",
        targets=[create_target(cluster, name, PROPERTIES)],
    )
    approve(approver, change)


if __name__ == "__main__":
    {"prepare": lambda: prepare(), "approve": approve_configuration}[sys.argv[1]](*sys.argv[2:])
