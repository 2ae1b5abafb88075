"""What the controllers of one simulated cluster share."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .artifacts import Workspace
from .conditions import StatusWriter
from .durations import parse_go
from .git_source import GitClient
from .objects import Manifest, ObjectKey, ObjectStore, key_of, timestamp
from .ports import Clock, Federation, SourceMap
from .resources import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .scheduler import Scheduler
from .traits import out_of_memory

_MOST_EVENTS = 200

CONTROLLER_OF_GROUP = {
    SOURCE_GROUP: "source-controller",
    KUSTOMIZE_GROUP: "kustomize-controller",
    HELM_GROUP: "helm-controller",
}


class ClusterState:
    """The objects, the clock, the queue and the settings of the extension."""

    def __init__(
        self,
        *,
        cluster_id: str,
        workspace: Workspace,
        sources: SourceMap,
        clock: Clock,
        pace: float,
    ) -> None:
        self.cluster_id = cluster_id
        self.clock = clock
        self.pace = pace
        self.workspace = workspace
        self.sources = sources
        self.git = GitClient(workspace, sources)
        self.store = ObjectStore(cluster_id)
        self.scheduler = Scheduler()
        self.events: deque[Manifest] = deque(maxlen=_MOST_EVENTS)
        # Secrets of sources by (namespace, configuration name); never part of an object.
        self.protected: dict[tuple[str, str], dict[str, str]] = {}
        # Where the files of each source's artifact are.
        self.folders: dict[ObjectKey, Path] = {}
        # Settings of the extension; None while it is not installed.
        self.settings: dict[str, str] | None = None
        # How this cluster differs from a healthy one: see simulator.cluster.traits.
        self.traits: dict[str, Any] = {}
        # Whether Microsoft Entra ID trusts a service account of this cluster.
        self.federation: Federation = lambda client_id, subject: True
        # The client id of the nodes' own identity; "" where the cluster is no AKS.
        self.kubelet_identity = ""

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def pause(self, seconds: float) -> timedelta:
        """Return how long a step takes here: the pace stretches or removes it."""
        return timedelta(seconds=seconds * self.pace)

    def setting(self, name: str, default: str) -> str:
        return (self.settings or {}).get(name, default)

    def enabled(self, name: str, *, default: bool = True) -> bool:
        return self.setting(name, str(default)).strip().lower() == "true"

    @property
    def enforces_tenancy(self) -> bool:
        return self.enabled("multiTenancy.enforce")

    def controller_runs(self, group: str) -> bool:
        name = CONTROLLER_OF_GROUP.get(group)
        if name == "source-controller" and out_of_memory(self):
            return False
        return self.settings is not None and (name is None or self.enabled(f"{name}.enabled"))

    def status(self, key: ObjectKey) -> StatusWriter:
        return StatusWriter(self.store, key, self.now)

    def wake(self, key: ObjectKey, after: timedelta = timedelta()) -> None:
        self.scheduler.enqueue(key, self.now + after)

    def start_over(self, manifest: Manifest) -> None:
        """Reconcile a changed object anew; one that is now suspended ends what is running."""
        key = key_of(manifest)
        if (manifest.get("spec") or {}).get("suspend"):
            self.scheduler.enqueue(key, self.now)
        else:
            self.scheduler.restart(key, self.now)

    def requeue_dependency(self, controller: str = "kustomize-controller") -> timedelta:
        """Return how long a controller waits for a dependency, less in a faster world."""
        return self.dependency_interval(controller) * min(1.0, self.pace)

    def dependency_interval(self, controller: str = "kustomize-controller") -> timedelta:
        """Return what the controller is told; 30 s where that is nothing, or no duration."""
        try:
            return parse_go(self.setting(f"{controller}.requeue-dependency", "30s"))
        except ValueError:
            return timedelta(seconds=30)

    def event(self, about: Manifest, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event, or count one more of the last kind."""
        metadata = about["metadata"]
        kind = "Warning" if warning else "Normal"
        now = timestamp(self.now)
        for old in list(self.events):
            about_same = old["involvedObject"]["uid"] == metadata["uid"]
            if about_same and (old["reason"], old["message"]) == (reason, message):
                self.events.remove(old)
                self.events.append(old | {"count": old["count"] + 1, "lastTimestamp": now})
                return
        namespace = metadata.get("namespace") or "default"
        number = f"{self.store.version:x}{len(message):x}{len(self.events):x}"
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{metadata['name']}.{number}",
                    "namespace": namespace,
                    "uid": f"{metadata['uid']}-{number}",
                    "creationTimestamp": now,
                },
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": metadata["name"],
                    "namespace": namespace,
                    "uid": metadata["uid"],
                },
                "type": kind,
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "source": {"component": CONTROLLER_OF_GROUP.get(key_of(about).group, "kubelet")},
            }
        )

    def snapshot(self) -> dict[str, Any]:
        return {
            "store": self.store.snapshot(),
            "scheduler": self.scheduler.snapshot(),
            "events": list(self.events),
            "protected": [[*key, value] for key, value in self.protected.items()],
            "folders": [[*key, str(path)] for key, path in self.folders.items()],
            "settings": self.settings,
            "traits": self.traits,
        }

    def restore(self, data: dict[str, Any]) -> None:
        self.store.restore(data["store"])
        self.scheduler.restore(data["scheduler"])
        self.events = deque(data["events"], maxlen=_MOST_EVENTS)
        self.protected = {(row[0], row[1]): row[2] for row in data["protected"]}
        self.folders = {ObjectKey(*row[:4]): Path(row[4]) for row in data["folders"]}
        self.settings = data["settings"]
        self.traits = data.get("traits", {})
