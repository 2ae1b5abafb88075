"""Cluster credentials: kubeconfigs for the simulator's Kubernetes door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.arm.errors import method_not_allowed, resource_not_found
from simulator.arm.paths import Target
from simulator.arm.versions import TYPES
from simulator.http import Answer, Document, Request
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

KUBERNETES_DOOR = "/k8s"


class Credentials:
    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def handle(self, request: Request, target: Target) -> Answer:
        """POST ``.../listClusterUserCredential``."""
        if request.method != "POST":
            raise method_not_allowed(request.method, target.path)
        cluster = self._sim.store.get(target.up().path)
        if cluster is None:
            kind = TYPES[target.up().full_type].full_name
            raise resource_not_found(kind, target.names[0], target.resource_group)
        content = json.dumps(self.kubeconfig(cluster, request.base_url)).encode()
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
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token, self.token(cluster))


def door_path(cluster: Resource) -> str:
    """``/k8s/{subscription}/{resource group}/{kind}/{cluster}``, on the same port as ARM."""
    parts = cluster.id.split("/")
    return "/".join((KUBERNETES_DOOR, cluster.subscription, parts[4], parts[7], cluster.name))
