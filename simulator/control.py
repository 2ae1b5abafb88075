"""Everything a test or a demonstration may do that no Azure customer can."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.clock import wire_time_precise
from simulator.faults import Fault
from simulator.http import Document, Principal, Request
from simulator.sources import SourceMap, access
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.cluster import ClusterSimulation
    from simulator.core import Simulator

_LATEST = {
    "fluxconfigurations": "2025-04-01",
    "extensions": "2025-03-01",
    "managedclusters": "2026-08-01",
    "connectedclusters": "2026-05-01",
}


class Control:
    """The operations of the control door, as methods. Unknown ids raise ``KeyError``."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    # -- time

    def time(self) -> str:
        return wire_time_precise(self._sim.clock.now())

    def advance(self, seconds: float) -> str:
        """Move the clock forward; what becomes due happens at the next step or request."""
        self._sim.clock.advance(timedelta(seconds=seconds))
        return self.time()

    def set_time(self, moment: str) -> str:
        self._sim.clock.set(datetime.fromisoformat(moment))
        return self.time()

    def step(self) -> bool:
        return self._sim.step()

    def run_until_idle(self, quiet_seconds: float = 60, limit_seconds: float = 1800) -> None:
        self._sim.run_until_idle(
            quiet=timedelta(seconds=quiet_seconds), limit=timedelta(seconds=limit_seconds)
        )

    # -- faults

    def add_fault(self, **fault: Any) -> str:
        """Arm a fault (see ``simulator.faults.Fault``) and return its id."""
        return self._sim.faults.add(Fault(**fault)).id

    def faults(self) -> list[Document]:
        return self._sim.faults.list()

    def clear_faults(self) -> None:
        self._sim.faults.clear()

    def expire_tokens(self) -> None:
        self._sim.tokens.expire_all()

    def release(self, resource_id: str) -> None:
        """Let a stuck operation on a resource go on."""
        with self._sim.lock:
            self._sim.operations.release(resource_id.lower())

    # -- what others do to the resources

    def edit(
        self,
        resource_id: str,
        properties: Document | None = None,
        *,
        principal: str = "pipeline",
        method: str = "PATCH",
        body: Document | None = None,
    ) -> tuple[int, Any]:
        """Write to a resource as somebody else; return ARM's status and body.

        The write goes the way of every other, but without sign-in, throttling or faults at the
        door. ``principal`` is a person's user name or an application's name.
        """
        if body is None:
            body = {} if method == "DELETE" else {"properties": properties or {}}
        kind = resource_id.rstrip("/").split("/")[-2].lower()
        request = Request(
            method=method,
            path=resource_id,
            query={"api-version": _LATEST.get(kind, "2024-11-30")},
            headers={},
            body=b"" if method == "DELETE" else json.dumps(body).encode(),
            base_url="https://localhost",
            principal=self._principal(principal),
        )
        answer = self._sim.handle(request, out_of_band=True)
        return answer.status, answer.body

    def delete(self, resource_id: str, principal: str = "pipeline") -> tuple[int, Any]:
        return self.edit(resource_id, principal=principal, method="DELETE")

    def delete_cluster(self, resource_id: str) -> None:
        """Remove a cluster and all that hangs below it, at once."""
        with self._sim.lock:
            self._sim.remove_tree(self._resource(resource_id).key)

    def set_properties(self, resource_id: str, properties: Document) -> None:
        """Overwrite properties (read-only ones too) without any operation or journal entry."""
        with self._sim.lock:
            self._sim.store.put(self._resource(resource_id).with_properties(**properties))

    def put_resource(self, document: Document) -> None:
        """Store a resource as given: another cluster, a Flux v1 configuration."""
        with self._sim.lock:
            self._sim.store.put(Resource(document))

    def churn(self, count: int) -> list[str]:
        """Change the compliance of so many configurations of a fleet."""
        with self._sim.lock, self._sim.store.transaction():
            return self._sim.agents.synthetic.churn(count)

    # -- agents

    def set_agent_online(self, cluster_id: str, online: bool) -> None:
        with self._sim.lock:
            self._sim.agents.set_online(self._resource(cluster_id), online)

    def expire_agent(self, cluster_id: str) -> None:
        """Let the certificate of an Arc cluster's identity run out: it was away for too long."""
        with self._sim.lock:
            cluster = self._resource(cluster_id)
            self._sim.agents.set_online(cluster, False)
            expired = {"connectivityStatus": "Expired"}
            now = wire_time_precise(self._sim.clock.now())
            expired["managedIdentityCertificateExpirationTime"] = now
            self._sim.store.put(self._resource(cluster_id).with_properties(**expired))

    # -- what a cluster is like (see ``simulator.cluster.traits``)

    def set_cluster(self, cluster_id: str, **properties: Any) -> Document:
        """Make a cluster differ from a healthy one, and return how it does."""
        simulation = self._simulation(cluster_id)
        for name, value in properties.items():
            simulation.set_trait(name, value)
        return dict(simulation.state.traits)

    def put_secret(self, cluster_id: str, namespace: str, name: str, data: dict[str, str]) -> None:
        """Write a Secret into a cluster, as `kubectl create secret` does; values are plain text."""
        self._simulation(cluster_id).put_secret(namespace=namespace, name=name, data=dict(data))

    def delete_secret(self, cluster_id: str, namespace: str, name: str) -> None:
        self._simulation(cluster_id).put_secret(namespace=namespace, name=name, data=None)

    def _simulation(self, cluster_id: str) -> ClusterSimulation:
        with self._sim.lock:
            cluster = self._resource(cluster_id)
            if self._sim.agents.is_synthetic(cluster):
                raise ValueError("A cluster of a fleet has a mere status behind it.")
            return self._sim.agents.simulation(cluster)

    def set_kubernetes(self, cluster_id: str, **settings: Any) -> Document:
        """Make a cluster's Kubernetes API differ (see ``simulator.arm.credentials.Door``)."""
        with self._sim.lock:
            door = self._sim.router.credentials.door(self._resource(cluster_id))
            unknown = set(settings) - set(asdict(door))
            if unknown:
                raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
            for name, value in settings.items():
                setattr(door, name, value)
            return asdict(door)

    def kubernetes_requests(self) -> list[Document]:
        """What was asked of the clusters' Kubernetes APIs since the journal was cleared."""
        return self._sim.journal.kubernetes()

    # -- sources (until the next start)

    def map_source(self, url: str, path: str) -> None:
        """Take the content of a source from a local folder, as ``--repo`` does."""
        local = Path(path)
        if not local.exists():
            raise ValueError(f"{path} does not exist")
        self._sources.add(url, local)

    def expect(self, url: str, kind: str, value: str = "") -> None:
        """Have a source ask for a credential, as ``--repo-auth`` does."""
        self._sources.expect(url, access(kind, value))

    def open_to_all(self, url: str) -> None:
        """Have a source ask for nothing any more."""
        self._sources.open_to_all(url)

    def add_deploy_key(self, url: str, public_key: str) -> None:
        """Let a public key in, such as the one that Flux made and Azure shows."""
        if not public_key.startswith(("ssh-", "ecdsa-")):
            raise ValueError("A public key begins with its type: ssh-rsa, ssh-ed25519, ecdsa-...")
        self._sources.expect(url, access("ssh", public_key))

    @property
    def _sources(self) -> SourceMap:
        return self._sim.sources

    # -- providers, rights, options

    def set_registration(
        self, namespace: str, state: str = "NotRegistered", subscription_id: str | None = None
    ) -> None:
        """Put a provider into a registration state, in one subscription or all."""
        with self._sim.lock:
            for subscription in self._sim.store.of_type("subscriptions"):
                if subscription_id in (None, subscription.name):
                    self._sim.providers.set_state(subscription.name, namespace, state)

    def set_locations(self, namespace: str, locations: tuple[str, ...] | list[str] = ()) -> None:
        """Offer a provider's types in these regions only; none: wherever it was at first."""
        with self._sim.lock:
            self._sim.providers.set_locations(namespace, list(locations))

    def grant(
        self,
        principal: str,
        scope: str = "",
        actions: tuple[str, ...] | list[str] = (),
        not_actions: tuple[str, ...] | list[str] = (),
    ) -> None:
        """Set what a principal may do at a scope (empty: everywhere)."""
        object_id = self._principal(principal).object_id
        self._sim.permissions.grant(object_id, scope, list(actions), list(not_actions))

    def revoke(self, principal: str, scope: str | None = None) -> None:
        self._sim.permissions.revoke(self._principal(principal).object_id, scope)

    def set_throttle(self, enabled: bool) -> None:
        self._sim.throttle.reset()
        self._sim.throttle.enabled = enabled

    def options(self, **changes: Any) -> Document:
        """Change options (see ``simulator.core.DEFAULT_OPTIONS``) and return them all."""
        self._sim.set_options(changes)
        return dict(self._sim.options)

    # -- what happened

    def journal(self, since: int = 0) -> list[Document]:
        """Return every accepted write after a sequence number, secrets masked."""
        return self._sim.journal.list(since)

    def clear_journal(self) -> None:
        self._sim.journal.clear()

    def requests(self) -> dict[str, int]:
        """Return how many requests of each kind came in."""
        return dict(self._sim.journal.requests)

    def clear_requests(self) -> None:
        self._sim.journal.requests.clear()

    def resource(self, resource_id: str) -> Document:
        """Return a resource as it is stored, without its secrets."""
        return self._resource(resource_id).document

    def resources(self, resource_type: str = "") -> list[Document]:
        found = (
            self._sim.store.of_type(resource_type.lower())
            if resource_type
            else self._sim.store.all()
        )
        return [resource.document for resource in found]

    def _resource(self, resource_id: str) -> Resource:
        found = self._sim.store.get(resource_id)
        if found is None:
            raise KeyError(resource_id)
        return found

    def _principal(self, name: str) -> Principal:
        identity = self._sim.identity
        for application in identity.applications:
            if name in (application.name, application.client_id, application.object_id):
                return Principal(application.object_id, application.client_id, True)
        person = identity.person(name)
        if person is None:
            raise KeyError(name)
        return Principal(person.object_id, person.user_name, False)
