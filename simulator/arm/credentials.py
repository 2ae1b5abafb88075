"""Cluster credentials: kubeconfigs for the simulator's Kubernetes door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.arm.errors import method_not_allowed, resource_not_found
from simulator.arm.paths import Target
from simulator.arm.versions import TYPES
from simulator.http import Answer, Document, Request
from simulator.identity.tokens import TokenError
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

KUBERNETES_DOOR = "/k8s"
# The server application of AKS in every Entra tenant: who a token for the API server is for.
AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"


@dataclass
class Door:
    """How a cluster's Kubernetes API differs from an open one, until the next start.

    - ``entra``: the cluster signs people in through Entra ID: its kubeconfig holds an exec stanza
      (kubelogin) in place of a token, and the door takes tokens for the AKS server application.
    - ``unreachable``: connections are cut before an answer.
    - ``expired``: every credential is refused.
    - ``forbid``: verbs with resources that are refused: "list pods", "patch kustomizations".
    """

    entra: bool = False
    unreachable: bool = False
    expired: bool = False
    forbid: list[str] = field(default_factory=list)


class Credentials:
    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._doors: dict[str, Door] = {}

    def door(self, cluster: Resource) -> Door:
        """How this cluster's Kubernetes API behaves; change it to make it behave otherwise."""
        return self._doors.setdefault(cluster.key, Door())

    def handle(self, request: Request, target: Target) -> Answer:
        """POST ``.../listClusterUserCredential``."""
        if request.method != "POST":
            raise method_not_allowed(request.method, target.path)
        cluster = self._sim.store.get(target.up().path)
        if cluster is None:
            kind = TYPES[target.up().full_type].full_name
            raise resource_not_found(kind, target.names[0], target.resource_group)
        config = self.kubeconfig(cluster, request.base_url)
        if self.door(cluster).entra:
            config["users"][0]["user"] = {"exec": _kubelogin(self._sim.identity.tenant_id)}
        content = json.dumps(config).encode()
        value = base64.b64encode(content).decode()
        return Answer(200, {"kubeconfigs": [{"name": "clusterUser", "value": value}]})

    def kubeconfig(self, cluster: Resource, base_url: str) -> Document:
        """Return a kubeconfig (JSON is YAML too) with the CA and a token for one cluster."""
        user = f"clusterUser_{cluster.resource_group}_{cluster.name}"
        where: Document = {"server": base_url + door_path(cluster)}
        if self._sim.ca_file is not None:
            authority = Path(self._sim.ca_file).read_bytes()
            where["certificate-authority-data"] = base64.b64encode(authority).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster.name, "cluster": where}],
            "users": [{"name": user, "user": {"token": self.token(cluster)}}],
            "contexts": [
                {"name": cluster.name, "context": {"cluster": cluster.name, "user": user}}
            ],
            "current-context": cluster.name,
        }

    def token(self, cluster: Resource) -> str:
        """Return the token that the Kubernetes door takes for a cluster."""
        key = self._sim.identity.cluster_key.encode()
        return hmac.new(key, cluster.key.encode(), hashlib.sha256).hexdigest()

    def accepts(self, cluster: Resource, authorization: str) -> bool:
        """The cluster's own token, or one of Entra ID's that is for the AKS server application."""
        scheme, _, token = authorization.partition(" ")
        door = self.door(cluster)
        if scheme.lower() != "bearer" or door.expired:
            return False
        if hmac.compare_digest(token.encode(), self.token(cluster).encode()):
            return True
        try:
            claims = self._sim.tokens.check(authorization)
        except TokenError:
            return False
        return door.entra and claims["aud"] == AKS_SERVER_APPLICATION


def door_path(cluster: Resource) -> str:
    """``/k8s/{subscription}/{resource group}/{kind}/{cluster}``, on the same port as ARM."""
    parts = cluster.id.split("/")
    return "/".join((KUBERNETES_DOOR, cluster.subscription, parts[4], parts[7], cluster.name))


def _kubelogin(tenant_id: str) -> Document:
    """The exec stanza that AKS gives for a cluster with Entra ID."""
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": [
            "get-token",
            "--environment",
            "AzurePublicCloud",
            "--server-id",
            AKS_SERVER_APPLICATION,
            "--client-id",
            "80faf920-1908-4b52-b5ef-a8e7bedfc67a",
            "--tenant-id",
            tenant_id,
            "--login",
            "devicecode",
        ],
        "env": None,
        "provideClusterInfo": False,
    }
