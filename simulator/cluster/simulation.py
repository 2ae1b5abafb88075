"""One simulated cluster: the extension, the agent, Flux's controllers and their clock."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import deque
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from . import extension, traits
from .agent import apply_configuration, config_key, remove_configuration
from .artifacts import Workspace
from .conditions import REQUESTED_AT
from .folder_sources import look_at_bucket, look_at_oci
from .health import is_static
from .helm_release import reconcile_release
from .helm_source import look_at_chart, look_at_index
from .kubernetes_api import kubernetes_app
from .kustomization import reconcile_kustomization
from .objects import ObjectKey
from .ports import Clock, SourceMap
from .report import ConfigurationReport, make_report, record_sync
from .resources import AZURE_GROUP, HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .scheduler import Reconcile
from .source_controller import look_at_git, reconcile_source
from .state import ClusterState

# The agent asks Azure for its configurations every so often; the pace stretches it.
_AGENT_SECONDS = 4.0
_INSTALL_SECONDS = 6.0
_EXTENSION = ObjectKey(AZURE_GROUP, "Extension", "", "microsoft.flux")

Command = tuple[str, dict[str, Any]]


class ClusterSimulation:
    """A cluster with the Flux extension, moved on by `advance()`.

    Commands of Azure come in at any time and from any thread; they are carried out as soon as
    no `advance()` is under way and the cluster is online. Clusters that are given the same
    `workspace` share clones and builds.
    """

    def __init__(
        self,
        *,
        arm_id: str,
        name: str,
        kind: str,
        region: str,
        workspace: Path,
        sources: SourceMap,
        clock: Clock,
        pace: float,
    ) -> None:
        self.arm_id = arm_id
        self.name = name
        self.kind = kind
        self.region = region
        self.online = True
        self.state = ClusterState(
            cluster_id=arm_id,
            workspace=Workspace.at(workspace),
            sources=sources,
            clock=clock,
            pace=pace,
        )
        self._busy = threading.Lock()
        self._inbox: deque[Command] = deque()
        self._configurations: dict[str, dict[str, Any]] = {}
        self._reports: dict[str, ConfigurationReport] = {}
        self._reported_version = -1
        self._app = kubernetes_app(self.state, self.request_reconcile)
        extension.prepare_cluster(self.state, kind)

    # --- what Azure asks for ----------------------------------------------------------------

    def install_extension(self, *, name: str, version: str, settings: dict[str, str]) -> None:
        self._send("install", version=version, settings=settings)

    def update_extension(self, *, version: str, settings: dict[str, str]) -> None:
        self._send("install", version=version, settings=settings)

    def uninstall_extension(self) -> None:
        self._send("uninstall")

    def set_trait(self, name: str, value: Any) -> None:
        """Make the cluster differ from a healthy one, see `traits`; takes effect at once."""
        self._send("trait", name=name, value=traits.check(name, value))

    def put_secret(self, *, namespace: str, name: str, data: dict[str, str] | None) -> None:
        """Write a Secret as an operator with kubectl does; None removes it."""
        self._send("secret", namespace=namespace, name=name, data=data)

    def put_configuration(self, *, name: str, properties: dict[str, Any]) -> None:
        """Create or replace a configuration; `properties` are the wire ones with their secrets."""
        self._reports.setdefault(name, ConfigurationReport())
        self._send("put", name=name, properties=properties)

    def delete_configuration(self, *, name: str) -> None:
        self._reports.pop(name, None)
        self._send("delete", name=name)

    def request_reconcile(self, key: ObjectKey, token: str) -> None:
        """Have an object reconciled now, as its `reconcile.fluxcd.io/requestedAt` asks for."""
        self._send("reconcile", key=list(key), token=token)

    # --- time -------------------------------------------------------------------------------

    def advance(self) -> set[str]:
        """Do all that is due now, one step of each reconcile; return whose report changed."""
        if not self.online:
            return set()
        with self._busy:
            self._obey()
            self.state.scheduler.run_due(self.state.now, self._reconcile)
            self._obey()
            return self._push_reports()

    def next_due(self) -> datetime | None:
        """Return when `advance()` has something to do; None when nothing is planned."""
        if not self.online:
            return None
        return self.state.now if self._inbox else self.state.scheduler.next_due()

    def report(self, name: str) -> ConfigurationReport:
        """Return what the agent reported last. Raises KeyError for an unknown configuration."""
        return self._reports[name]

    def kubernetes_app(self) -> Starlette:
        """Return an ASGI app: the read-only Kubernetes API of this cluster."""
        return self._app

    # --- surviving a restart ----------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return all that is needed to go on later, as JSON."""
        with self._busy:
            return {
                "online": self.online,
                "state": self.state.snapshot(),
                "inbox": [list(command) for command in self._inbox],
                "configurations": self._configurations,
                "reports": {name: _to_json(report) for name, report in self._reports.items()},
            }

    def restore(self, data: dict[str, Any]) -> None:
        with self._busy:
            self.online = data["online"]
            self.state.restore(data["state"])
            self._inbox = deque((verb, details) for verb, details in data["inbox"])
            self._configurations = data["configurations"]
            self._reports = {name: _from_json(item) for name, item in data["reports"].items()}

    # --- inside -----------------------------------------------------------------------------

    def _send(self, verb: str, **details: Any) -> None:
        self._inbox.append((verb, details))
        if self.online and self._busy.acquire(blocking=False):
            try:
                self._obey()
            finally:
                self._busy.release()

    def _obey(self) -> None:
        while self._inbox:
            verb, details = self._inbox.popleft()
            match verb:
                case "install":
                    self._install(**details)
                case "uninstall":
                    extension.uninstall(self.state)
                case "put":
                    self._put(**details)
                case "delete":
                    self._delete(**details)
                case "trait":
                    self.state.traits[details["name"]] = details["value"]
                    extension.wake_everything(self.state)
                case "secret":
                    self._put_secret(**details)
                case "reconcile":
                    self._request(ObjectKey(*details["key"]), details["token"])

    def _install(self, version: str, settings: dict[str, str]) -> None:
        extension.install(self.state, version, settings)
        for name, properties in self._configurations.items():
            self.state.wake(config_key(name, properties), self.state.pause(_INSTALL_SECONDS))

    def _put(self, name: str, properties: dict[str, Any]) -> None:
        old = self._configurations.get(name)
        if old is not None and config_key(name, old) != config_key(name, properties):
            self._delete(name)
        self._configurations[name] = properties
        key = config_key(name, properties)
        self.state.scheduler.restart(key, self.state.now + self.state.pause(_AGENT_SECONDS))

    def _put_secret(self, namespace: str, name: str, data: dict[str, str] | None) -> None:
        state = self.state
        if data is None:
            state.store.delete(ObjectKey("", "Secret", namespace, name))
        else:
            extension.ensure_namespace(state, namespace, "kubectl-create")
            metadata = {"name": name, "namespace": namespace}
            secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
            encoded = {field: b64encode(text.encode()).decode() for field, text in data.items()}
            state.store.apply(secret | {"data": encoded}, manager="kubectl-create", now=state.now)
        extension.wake_everything(state)

    def _request(self, key: ObjectKey, token: str) -> None:
        manifest = self.state.store.get(key)
        if manifest is None:
            return
        metadata = manifest["metadata"]
        annotations = (metadata.get("annotations") or {}) | {REQUESTED_AT: token}
        asked = manifest | {"metadata": metadata | {"annotations": annotations}}
        self.state.store.apply(asked, manager="kubectl-annotate", now=self.state.now)
        self.state.wake(key)

    def _delete(self, name: str) -> None:
        properties = self._configurations.pop(name, None)
        if properties is not None:
            self.state.scheduler.forget(config_key(name, properties))
            remove_configuration(self.state, name, properties)

    def _reconcile(self, key: ObjectKey) -> Reconcile | None:
        state = self.state
        if not state.controller_runs(key.group):
            return None
        match key.group, key.kind:
            case _, "FluxConfig":
                return self._agent(key)
            case _ if key not in state.store:
                return None
            case group, "GitRepository" if group == SOURCE_GROUP:
                return reconcile_source(state, key, look_at_git)
            case group, "HelmRepository" if group == SOURCE_GROUP:
                if is_static(state.store.get(key) or {}):
                    return None
                return reconcile_source(state, key, look_at_index)
            case group, "Bucket" if group == SOURCE_GROUP:
                return reconcile_source(state, key, look_at_bucket)
            case group, "OCIRepository" if group == SOURCE_GROUP:
                return reconcile_source(state, key, look_at_oci)
            case group, "HelmChart" if group == SOURCE_GROUP:
                return reconcile_source(state, key, look_at_chart, "BuildFailed")
            case group, "Kustomization" if group == KUSTOMIZE_GROUP:
                return reconcile_kustomization(state, key)
            case group, "HelmRelease" if group == HELM_GROUP:
                return reconcile_release(state, key)
        return None

    def _agent(self, key: ObjectKey) -> Reconcile:
        properties = self._configurations.get(key.name)
        if properties is not None:
            apply_configuration(self.state, key.name, properties)
        yield from ()
        return None

    def _push_reports(self) -> set[str]:
        """Report what changed since the last time, with the time of the report."""
        changed: set[str] = set()
        if self.state.store.version == self._reported_version:
            return changed
        self._reported_version = self.state.store.version
        for name, properties in list(self._configurations.items()):
            old = self._reports.get(name)
            if old is None:
                continue
            new = make_report(self.state, name, properties)
            if not new.statuses and not old.statuses:
                continue
            if replace(new, status_updated_at=old.status_updated_at) != old:
                self._reports[name] = replace(new, status_updated_at=self.state.now)
                record_sync(self.state, name, properties, new)
                changed.add(name)
        return changed


def _to_json(report: ConfigurationReport) -> dict[str, Any]:
    data = asdict(report)
    for name in ("source_updated_at", "status_updated_at"):
        data[name] = data[name] and data[name].isoformat()
    return data


def _from_json(data: dict[str, Any]) -> ConfigurationReport:
    times = {
        name: data[name] and datetime.fromisoformat(data[name])
        for name in ("source_updated_at", "status_updated_at")
    }
    return ConfigurationReport(**(data | times))
