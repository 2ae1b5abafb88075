"""The agents behind ARM: one simulated cluster for each real one, or a mere status for a fleet."""

from __future__ import annotations

import hashlib
import logging
import threading
from datetime import datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

from simulator.arm import shapes
from simulator.arm.schema import join_secrets, writable
from simulator.clock import wire_time, wire_time_precise
from simulator.cluster import ClusterSimulation
from simulator.http import Document
from simulator.store import Resource
from simulator.synthetic import SyntheticAgents

if TYPE_CHECKING:
    from simulator.core import Simulator

CONFIGURATION = "microsoft.kubernetesconfiguration/fluxconfigurations"
_EXTENSION = "microsoft.kubernetesconfiguration/extensions"
_IDENTITY = "microsoft.managedidentity/userassignedidentities"
_CREDENTIAL = f"{_IDENTITY}/federatedidentitycredentials"
SYNTHETIC = "synthetic"
_LOST_AFTER = timedelta(minutes=15)


class Agents:
    """Hands accepted changes on to clusters and copies their reports back into the resources.

    ``advance()`` of a cluster runs git and kubectl and may block, so it is called outside of the
    simulator's lock and by one thread at a time.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._clusters: dict[str, ClusterSimulation] = {}
        self._loaded = False
        self._stepping = threading.Lock()
        self._changed: set[str] = set()
        self._busy: set[str] = set()
        self._offline = {
            key: datetime.fromisoformat(record["since"])
            for key, record in simulator.store.records("offline").items()
        }
        self._given_up: set[str] = set()
        self.synthetic = SyntheticAgents(simulator)

    # -- commands

    def install_extension(
        self, cluster: Resource, name: str, version: str, settings: dict[str, str]
    ) -> None:
        if not self.is_synthetic(cluster):
            self.simulation(cluster).install_extension(
                name=name, version=version, settings=settings
            )

    def uninstall_extension(self, cluster: Resource) -> None:
        if not self.is_synthetic(cluster):
            self.simulation(cluster).uninstall_extension()

    def put_configuration(self, cluster: Resource, configuration: Resource) -> None:
        """Hand a configuration with its secrets to the agent, to create or to replace."""
        if self.is_synthetic(cluster):
            self.synthetic.put(cluster, configuration.name)
        else:
            self.simulation(cluster).put_configuration(
                name=configuration.name, properties=_desired(configuration)
            )
            self._changed.add(cluster.key)

    def delete_configuration(self, cluster: Resource, name: str) -> None:
        if not self.is_synthetic(cluster):
            self.simulation(cluster).delete_configuration(name=name)
            self._changed.add(cluster.key)

    @staticmethod
    def is_synthetic(cluster: Resource) -> bool:
        """Tell whether a cluster of a fleet has a mere status behind it."""
        return cluster.private.get("agent") == SYNTHETIC

    def is_online(self, cluster: Resource) -> bool:
        return cluster.key not in self._offline

    def set_online(self, cluster: Resource, online: bool) -> None:
        """Connect or disconnect a cluster's agent. An Arc cluster shows it as connectivity."""
        if online:
            self._offline.pop(cluster.key, None)
            self._sim.store.forget("offline", cluster.key)
        else:
            since = self._sim.clock.now()
            self._offline[cluster.key] = since
            self._sim.store.record("offline", cluster.key, {"since": since.isoformat()})
        if not self.is_synthetic(cluster):
            self.simulation(cluster).online = online
        if online and cluster.key in self._given_up:
            self._given_up.discard(cluster.key)
            self._report_again(cluster)
        if cluster.type.endswith("/connectedclusters"):
            now = wire_time_precise(self._sim.clock.now())
            self._sim.store.put(
                cluster.with_properties(
                    connectivityStatus="Connected" if online else "Offline",
                    lastConnectivityTime=now
                    if online
                    else cluster.properties.get("lastConnectivityTime") or now,
                )
            )

    def forget(self, key: str) -> None:
        self._clusters.pop(key, None)
        self._sim.store.forget("agent", _record_key(key))

    # -- time

    def step(self) -> bool:
        """Let every agent do what is due; tell whether a report changed."""
        with self._stepping:
            self._load()
            moved = self._step_without_clusters()
            for key, simulation in self._due():
                moved = self._advance(key, simulation) or moved
            return moved

    def start_due(self) -> None:
        """Let every agent do what is due on a thread of its own: a slow source holds up no other.

        The threads are daemons, so that none of them holds up the end of the process.
        """
        with self._stepping:
            self._load()
            self._step_without_clusters()
            for key, simulation in self._due():
                if key not in self._busy:
                    self._busy.add(key)
                    arguments = (key, simulation)
                    Thread(target=self._advance_apart, args=arguments, daemon=True).start()

    def _due(self) -> list[tuple[str, ClusterSimulation]]:
        now = self._sim.clock.now()
        return [
            (key, simulation)
            for key, simulation in list(self._clusters.items())
            if (due := simulation.next_due()) is not None and due <= now
        ]

    def _advance(self, key: str, simulation: ClusterSimulation) -> bool:
        names = simulation.advance()
        if self._sim.is_closed:
            return False
        self._changed.add(key)
        self._copy_reports(key, simulation, names)
        return bool(names)

    def _advance_apart(self, key: str, simulation: ClusterSimulation) -> None:
        try:
            self._advance(key, simulation)
        except Exception:
            logging.getLogger(__name__).exception("The simulated cluster %s failed.", key)
        finally:
            self._busy.discard(key)

    def _step_without_clusters(self) -> bool:
        with self._sim.lock, self._sim.store.transaction():
            return self.synthetic.step() or self._give_up_on_lost()

    def _give_up_on_lost(self) -> bool:
        """Call configurations Unknown once their agent has been silent for a while.

        That Azure does so is inferred from the meaning of the state, not documented.
        """
        now = self._sim.clock.now()
        lost = [
            key
            for key, since in self._offline.items()
            if now - since >= _LOST_AFTER and key not in self._given_up
        ]
        for key in lost:
            self._given_up.add(key)
            for configuration in self._sim.store.children(key, CONFIGURATION):
                self._sim.store.put(configuration.with_properties(complianceState="Unknown"))
        return bool(lost)

    def _report_again(self, cluster: Resource) -> None:
        names = {c.name for c in self._sim.store.children(cluster.key, CONFIGURATION)}
        if self.is_synthetic(cluster):
            for name in names:
                self.synthetic.put(cluster, name)
        else:
            self._copy_reports(cluster.key, self.simulation(cluster), names)

    def next_due(self) -> datetime | None:
        self._load()
        times = [simulation.next_due() for simulation in self._clusters.values()]
        times.append(self.synthetic.next_due())
        return min((moment for moment in times if moment is not None), default=None)

    def simulation(self, cluster: Resource) -> ClusterSimulation:
        """Return the cluster behind a resource, making it when it is first needed."""
        simulation = self._clusters.get(cluster.key)
        if simulation is None:
            workspace = self._sim.data_directory / "clusters"
            simulation = ClusterSimulation(
                arm_id=cluster.id,
                name=cluster.name,
                kind=cluster.id.split("/")[-2],
                region=str(cluster.document.get("location", "")),
                workspace=workspace,
                sources=self._sim.sources,
                clock=self._sim.clock,
                pace=self._sim.pace,
            )
            self._clusters[cluster.key] = simulation
            self._restore(cluster, simulation)
            simulation.online = self.is_online(cluster)
            simulation.state.federation = Federation(self._sim, cluster.key)
            kubelet = (cluster.properties.get("identityProfile") or {}).get("kubeletidentity") or {}
            simulation.state.kubelet_identity = str(kubelet.get("clientId") or "")
        return simulation

    def save(self) -> None:
        """Keep what has changed in the clusters since the last time."""
        changed, self._changed = self._changed, set()
        for key in changed:
            if key in self._busy:  # Its state is taken when it is at rest again.
                self._changed.add(key)
                continue
            simulation = self._clusters.get(key)
            if simulation is not None:
                self._sim.store.record("agent", _record_key(key), simulation.snapshot())

    def _copy_reports(self, key: str, simulation: ClusterSimulation, names: set[str]) -> None:
        if not names:
            return
        with self._sim.lock, self._sim.store.transaction():
            for name in names:
                resource = self._sim.store.get(
                    f"{key}/providers/microsoft.kubernetesconfiguration/fluxconfigurations/{name}"
                )
                if resource is None:
                    continue
                try:
                    report = simulation.report(name)
                except KeyError:
                    continue
                self._sim.store.put(
                    resource.with_properties(
                        complianceState=report.compliance_state,
                        statuses=report.statuses,
                        sourceSyncedCommitId=report.source_synced_commit_id,
                        sourceUpdatedAt=_time(report.source_updated_at),
                        statusUpdatedAt=_time(report.status_updated_at),
                        repositoryPublicKey=report.repository_public_key,
                        errorMessage=report.error_message,
                    )
                )

    def _load(self) -> None:
        """After a start, wake the clusters that had something installed."""
        with self._sim.lock:
            if self._loaded:
                return
            self._loaded = True
            for extension in self._sim.store.of_type(_EXTENSION):
                cluster = self._sim.store.get(extension.parent_key)
                if cluster is not None and not self.is_synthetic(cluster):
                    self.simulation(cluster)

    def _restore(self, cluster: Resource, simulation: ClusterSimulation) -> None:
        """Take up the kept state, and give the cluster again whatever is missing in it."""
        kept = self._sim.store.record_of("agent", _record_key(cluster.key))
        known: dict[str, Any] = {}
        if kept is not None:
            known = dict(kept["configurations"])
            simulation.restore(kept)
        flux = self._sim.extensions.flux_of(cluster)
        if flux is None or flux.properties["provisioningState"] != "Succeeded":
            return
        if kept is None:
            settings = join_secrets(flux.properties, flux.secrets)
            flat = {
                **(settings["configurationSettings"] or {}),
                **(settings["configurationProtectedSettings"] or {}),
            }
            simulation.install_extension(
                name=flux.name, version=flux.properties["currentVersion"], settings=flat
            )
        for resource in self._sim.store.children(cluster.key, CONFIGURATION):
            known.pop(resource.name, None)
            wanted = _desired(resource)
            known_as = None if kept is None else kept["configurations"].get(resource.name)
            if wanted != known_as and resource.properties["provisioningState"] == "Succeeded":
                simulation.put_configuration(name=resource.name, properties=wanted)
        for name in known:
            simulation.delete_configuration(name=name)


class Federation:
    """What Microsoft Entra ID knows of the identities that trust a cluster's service accounts."""

    def __init__(self, simulator: Simulator, cluster_key: str) -> None:
        self._sim = simulator
        self._cluster_key = cluster_key

    def __call__(self, client_id: str, subject: str) -> bool:
        cluster = self._sim.store.get(self._cluster_key)
        profile = (cluster.properties.get("oidcIssuerProfile") or {}) if cluster else {}
        issuer = profile.get("issuerURL") or profile.get("issuerUrl")
        for identity in self._sim.store.of_type(_IDENTITY):
            if str(identity.properties["clientId"]).lower() == client_id.lower():
                held = self._sim.store.children(identity.key, _CREDENTIAL)
                pairs = [(it.properties["issuer"], it.properties["subject"]) for it in held]
                return (issuer, subject) in pairs
        return False


def _desired(configuration: Resource) -> Document:
    """Return what the agent fetches: everything but the reported part, secrets included."""
    wanted = writable(shapes.FLUX_CONFIGURATION, configuration.properties)
    return join_secrets(wanted, configuration.secrets)


def _record_key(cluster_key: str) -> str:
    return hashlib.sha256(cluster_key.encode()).hexdigest()


def _time(moment: datetime | None) -> str | None:
    return wire_time(moment) if moment is not None else None
