"""Command lines with the real names filled in; every word is quoted for a POSIX shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from clusters.models import Cluster, Connection, Extension

ROLE = "Fluxgate"
ROLE_FILE = "fluxgate-role.json"


def az(*words: str) -> str:
    """`az` with these words."""
    return shlex.join(("az", *words))


def enable_managed_identity(cluster: Cluster) -> str:
    return az("aks", "update", *_place(cluster), "--enable-managed-identity")


def start(cluster: Cluster) -> str:
    return az("aks", "start", *_place(cluster))


def agents(cluster: Cluster) -> str:
    """How it stands with the agents: what Azure says, and what runs on the cluster."""
    show = az("connectedk8s", "show", *_place(cluster), "--query", "connectivityStatus")
    return f"{show}\nkubectl get pods --namespace azure-arc"


def show_extension(cluster: Cluster, extension: Extension) -> str:
    return az("k8s-extension", "show", *_extension(cluster, extension.name))


def upgrade_extension(cluster: Cluster, extension: Extension, version: str) -> str:
    words = ("--auto-upgrade-minor-version", "false", "--version", version)
    return az("k8s-extension", "update", *_extension(cluster, extension.name), *words)


def register(subscription_id: str, namespace: str) -> str:
    """Ask for it, then watch it."""
    words = ("--namespace", namespace, "--subscription", subscription_id)
    ask = az("provider", "register", *words)
    return f"{ask}\n{az('provider', 'show', *words, '--output', 'table')}"


def show_regions(cluster: Cluster) -> str:
    query = "resourceTypes[?resourceType=='fluxConfigurations'].locations"
    words = ("--namespace", "Microsoft.KubernetesConfiguration", "--query", query)
    return az("provider", "show", *words, "--subscription", cluster.subscription_id)


def delete_flux_v1(cluster: Cluster, names: Sequence[str]) -> str:
    place = ("-g", cluster.resource_group, "-c", cluster.name, "-t", cluster.kind)
    return "\n".join(az("k8s-configuration", "delete", *place, "-n", name) for name in names)


def grant(connection: Connection, scope: str, actions: Sequence[str]) -> str:
    """Define the role from the JSON of `role_definition`, then give it at this scope."""
    role = json.dumps(role_definition(scope, actions), indent=2)
    define = az("role", "definition", "create", "--role-definition", f"@{ROLE_FILE}")
    assign = az("role", "assignment", "create", "--role", ROLE, "--scope", scope)
    file = f"cat > {ROLE_FILE} <<'JSON'\n{role}\nJSON"
    return f"{file}\n{define}\n{assign} --assignee {_who(connection)}"


def role_definition(scope: str, actions: Sequence[str]) -> dict[str, Any]:
    """A custom role that may exactly this, assignable in the scope's subscription."""
    return {
        "Name": ROLE,
        "Description": "What Fluxgate does with Flux on Kubernetes clusters.",
        "Actions": list(actions),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": ["/".join(scope.split("/")[:3])],
    }


def _who(connection: Connection) -> str:
    """The client id; an identity of the host has none here, and the reader knows it."""
    return shlex.quote(connection.client_id) if connection.client_id else '"$CLIENT_ID"'


def _place(cluster: Cluster) -> tuple[str, ...]:
    where = ("-g", cluster.resource_group, "-n", cluster.name)
    return (*where, "--subscription", cluster.subscription_id)


def _extension(cluster: Cluster, name: str) -> tuple[str, ...]:
    place = ("-g", cluster.resource_group, "-c", cluster.name, "-t", cluster.kind, "-n", name)
    return (*place, "--subscription", cluster.subscription_id)


# --- The tools ------------------------------------------------------------------------------
TOOLS: tuple[tuple[str, str, str, str, str], ...] = (
    # name, at least, show, install, update
    ("az", "2.15", "az version", "https://aka.ms/azure-cli", "az upgrade"),
    *(
        (
            f"az {name}",
            "",
            "az extension list --output table",
            f"az extension add --name {name}",
            f"az extension update --name {name}",
        )
        for name in ("k8s-configuration", "k8s-extension")
    ),
    ("kubectl", "", "kubectl version --client", "az aks install-cli", "az aks install-cli"),
)
