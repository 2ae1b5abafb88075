"""Reconciling a HelmRelease: prerequisites, install or upgrade, remediation, drift.

Rules: flux-behaviour section 4.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from . import helm_storage
from .access_rules import account_of, may_act, refusal
from .admission import invalid
from .chart_catalogue import render
from .durations import format_go
from .health import health_of
from .helm_prepare import MANAGER, NotReadyError, PreparedRelease
from .helm_values import schema_fault
from .objects import Manifest, ObjectKey, condition, is_true, key_of, timestamp
from .scheduler import Reconcile, jittered
from .source_controller import interval_of, timeout_of
from .state import ClusterState


class _ActionError(Exception):
    """Helm could not carry out an action."""


def reconcile_release(state: ClusterState, key: ObjectKey) -> Reconcile:
    manifest = state.store.get(key)
    if manifest is None or manifest["spec"].get("suspend"):
        return None
    if _source_is_foreign(state, manifest):
        # helm-controller fails here before it writes any condition; only its log tells.
        return state.scheduler.back_off(key)
    run = _Run(state, key, manifest)
    status = state.status(key)
    if status.get("observedGeneration") != manifest["metadata"]["generation"]:
        status.condition("Reconciling", "True", "Progressing", "Fulfilling prerequisites").save()
        yield state.pause(0.5)
    try:
        run.prepare()
    except NotReadyError as missing:
        status = state.status(key)
        status.condition("Ready", "False", missing.reason, missing.message).save()
        return missing.wait
    wait = yield from run.act()
    return wait


def _source_is_foreign(state: ClusterState, manifest: Manifest) -> bool:
    chart = (manifest["spec"].get("chart") or {}).get("spec") or {}
    namespace = (chart.get("sourceRef") or {}).get("namespace")
    own = manifest["metadata"]["namespace"]
    return state.enforces_tenancy and bool(namespace) and namespace != own


class _Run(PreparedRelease):
    """One reconcile of one release."""

    # --- the action -------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        text = json.dumps(self.values, sort_keys=True, default=str)
        return _sha256(text)

    @property
    def chart_text(self) -> str:
        return f"{self.chart.name}@{self.chart.version}"

    def act(self) -> Reconcile:
        history = self.state.status(self.key).get("history") or []
        last = history[0] if history else None
        wanted = (self.chart.version, self.digest, self.name, self.namespace)
        if last and last["status"] == "deployed" and _identity(last) == wanted:
            return self._in_sync(last)
        if not self._attempts_left():
            return None
        deployed = last if last and last["status"] == "deployed" else None
        action = "upgrade" if any(item["status"] == "deployed" for item in history) else "install"
        yield from self._announce(action)
        number = (history[0]["version"] if history else 0) + 1
        try:
            objects = self._perform(action, number)
            yield from self._wait_for(objects)
        except _ActionError as failure:
            return self._failed(action, number, str(failure), deployed)
        return self._succeeded(action, number)

    def _announce(self, action: str) -> Reconcile:
        text = f"Running '{action}' action with timeout of {format_go(self._timeout)}"
        status = self.state.status(self.key).drop("Stalled")
        status.condition("Ready", "Unknown", "Progressing", text)
        status.condition("Reconciling", "True", "Progressing", text)
        status.fields(
            lastAttemptedRevision=self.chart.version,
            lastAttemptedConfigDigest=self.digest,
            lastAttemptedGeneration=self.manifest["metadata"]["generation"],
            lastAttemptedReleaseAction=action,
            storageNamespace=self.storage,
        ).save()
        yield self.state.pause(1)
        return None

    @property
    def _timeout(self) -> timedelta:
        return timeout_of(self.manifest, "5m0s")

    def _attempts_left(self) -> bool:
        """Tell whether Helm may be tried: a change of what is wanted starts the count anew."""
        status = self.state.status(self.key)
        attempted = (
            status.get("lastAttemptedRevision"),
            status.get("lastAttemptedConfigDigest"),
            status.get("lastAttemptedGeneration"),
        )
        generation = self.manifest["metadata"]["generation"]
        if attempted != (self.chart.version, self.digest, generation):
            none: dict[str, None] = dict.fromkeys(
                ("failures", "installFailures", "upgradeFailures")
            )
            status.fields(**none).drop("Stalled", "Remediated").save()
            return True
        return not is_true(self.state.store.get(self.key), "Stalled")

    def _in_sync(self, last: Manifest) -> timedelta:
        self._check_drift(last)
        status = self.state.status(self.key).drop("Reconciling", "Stalled")
        released = condition(self.state.store.get(self.key), "Released")
        if released:
            status.condition("Ready", "True", released["reason"], released["message"])
        status.observed().save()
        self.state.scheduler.succeeded(self.key)
        return self._interval()

    def _interval(self) -> timedelta:
        seed = f"{self.key}{self.manifest['metadata']['uid']}"
        return jittered(interval_of(self.manifest), seed)

    def _render(self) -> list[Manifest]:
        marks = {
            "meta.helm.sh/release-name": self.name,
            "meta.helm.sh/release-namespace": self.namespace,
        }
        rendered = []
        for item in render(self.chart, self.name, self.namespace, self.values):
            metadata = item["metadata"] | {"annotations": marks}
            metadata["labels"] = metadata["labels"] | self.labels()
            rendered.append(item | {"metadata": metadata})
        return rendered

    def _perform(self, action: str, number: int) -> list[ObjectKey]:
        store = self.state.store
        fault = schema_fault(self.chart, self.values)
        if fault:
            raise _ActionError(fault)
        rendered = self._render()
        self._check_kinds(rendered)
        account = account_of(self.state, self.manifest)
        if account is not None and not may_act(self.state, account, self.namespace):
            first = rendered[0]
            key = key_of(first)
            resource = store.registry.kind(key.group, key.kind)
            assert resource is not None  # noqa: S101 - the catalogue has built-in kinds alone
            denied = refusal(account, "get", resource, key.name, self.namespace)
            text = "Unable to continue with install: could not get information about the resource "
            raise _ActionError(
                f'{text}{key.kind} "{key.name}" in namespace "{self.namespace}": {denied}'
            )
        if not store.has_namespace(self.namespace):
            if not (self.spec.get("install") or {}).get("createNamespace"):
                text = f'create: failed to create: namespaces "{self.namespace}" not found'
                raise _ActionError(text)
            namespace = {"apiVersion": "v1", "kind": "Namespace"}
            labels = {"name": self.namespace}
            metadata = {"metadata": {"name": self.namespace, "labels": labels}}
            store.apply(namespace | metadata, manager=MANAGER, now=self.state.now)
        helm_storage.write(self.state, self, number, rendered)
        return helm_storage.apply(self.state, self.key, rendered)

    def _check_kinds(self, rendered: list[Manifest]) -> None:
        """Refuse what the API server would not take."""
        for manifest in rendered:
            key = key_of(manifest)
            version = str(manifest["apiVersion"])
            if self.state.store.registry.served(version, key.kind) is None:
                raise _ActionError(
                    "unable to build kubernetes objects from release manifest: resource mapping "
                    f'not found for name: "{key.name}" namespace: "{key.namespace}" from "": no '
                    f'matches for kind "{key.kind}" in version "{version}"'
                )
            number = (manifest.get("spec") or {}).get("replicas", 1)
            if key.group == "apps" and not isinstance(number, int):
                raise _ActionError(
                    f'failed to create resource: {key.kind} in version "v1" cannot be handled as a '
                    f"{key.kind}: json: cannot unmarshal string into Go struct field "
                    f"{key.kind}Spec.spec.replicas of type int32"
                )
            fault = invalid(manifest)
            if fault:
                text = f'failed to create resource: {key.kind} "{key.name}" is invalid: {fault}'
                raise _ActionError(text)

    def _wait_for(self, objects: list[ObjectKey]) -> Reconcile:
        """Wait as Helm does until workloads are ready, unless waiting is switched off."""
        action = self.state.status(self.key).get("lastAttemptedReleaseAction")
        if (self.spec.get(str(action)) or {}).get("disableWait"):
            return None
        deadline = self.state.now + self._timeout
        while True:
            yield self.state.pause(2)
            if all(health_of(self.state, key) == "Current" for key in objects):
                return None
            if self.state.now >= deadline:
                raise _ActionError("context deadline exceeded")

    # --- outcomes ---------------------------------------------------------------------------

    def _snapshot(self, number: int, state: str) -> Manifest:
        now = timestamp(self.state.now)
        return {
            "name": self.name,
            "namespace": self.namespace,
            "version": number,
            "status": state,
            "chartName": self.chart.name,
            "chartVersion": self.chart.version,
            "appVersion": self.chart.app_version,
            "configDigest": self.digest,
            "digest": _sha256(f"{self.chart_text}{self.digest}"),
            "firstDeployed": now,
            "lastDeployed": now,
        }

    def _history(self, number: int, outcome: str) -> list[Manifest]:
        newest = self._snapshot(number, outcome)
        old = list(self.state.status(self.key).get("history") or [])
        if outcome == "deployed":
            old = [
                item | {"status": "superseded"} if item["status"] == "deployed" else item
                for item in old
            ]
        first = next((item["firstDeployed"] for item in reversed(old)), newest["firstDeployed"])
        most = int(self.spec.get("maxHistory") or 5)
        return [newest | {"firstDeployed": first}, *old][:most]

    def _succeeded(self, action: str, number: int) -> timedelta:
        reason = f"{action.capitalize()}Succeeded"
        text = f"Helm {action} succeeded for release {self.namespace}/{self.name}.v{number} "
        text += f"with chart {self.chart_text}"
        history = self._history(number, "deployed")
        status = self.state.status(self.key).drop("Reconciling", "Stalled", "Remediated")
        status.condition("Released", "True", reason, text).condition("Ready", "True", reason, text)
        none: dict[str, None] = dict.fromkeys(("failures", "installFailures", "upgradeFailures"))
        status.fields(history=history, **none).observed().save()
        self.state.event(self.manifest, reason, text)
        self.state.scheduler.succeeded(self.key)
        return self._interval()

    def _failed(
        self, action: str, number: int, fault: str, deployed: Manifest | None
    ) -> timedelta | None:
        reason = f"{action.capitalize()}Failed"
        text = f"Helm {action} failed for release {self.namespace}/{self.name} "
        text += f"with chart {self.chart_text}: {fault}"
        history = self._history(number, "failed")
        status = self.state.status(self.key)
        failures = status.get("failures", 0) + 1
        counter = f"{action}Failures"
        status.fields(history=history, failures=failures)
        status.fields(**{counter: status.get(counter, 0) + 1})
        status.condition("Released", "False", reason, text)
        status.condition("Ready", "False", reason, text).save()
        self.state.event(self.manifest, reason, text, warning=True)
        remediation = (self.spec.get(action) or {}).get("remediation") or {}
        retries = int(remediation.get("retries") or 0)
        exhausted = 0 <= retries < failures
        last_too = remediation.get("remediateLastFailure", action == "upgrade" and retries > 0)
        if retries and (not exhausted or last_too):
            self._remediate(action, number, deployed)
        status = self.state.status(self.key)
        if exhausted:
            text = f"Failed to {action} after {failures} attempt(s)"
            status.condition("Stalled", "True", "RetriesExceeded", text).drop("Reconciling")
            status.observed().save()
            return None
        progress = status.message("Reconciling")
        status.condition("Reconciling", "True", "ProgressingWithRetry", progress).save()
        return self.back_off()

    def _remediate(self, action: str, number: int, deployed: Manifest | None) -> None:
        where = f"{self.namespace}/{self.name}"
        status = self.state.status(self.key)
        history = list(status.get("history") or [])
        if action == "install":
            helm_storage.remove_objects(self.state, self.key)
            history[0] = history[0] | {"status": "uninstalled"}
            reason = "UninstallSucceeded"
            text = f"Helm uninstall remediation for release {where}.v{number} "
            text += f"with chart {self.chart_text} succeeded"
        else:
            target = next((item for item in history if item["status"] == "deployed"), deployed)
            if target is None:
                return
            helm_storage.roll_back(self.state, self, target["version"])
            reason = "RollbackSucceeded"
            chart = f"{target['chartName']}@{target['chartVersion']}"
            text = f"Helm rollback to previous release {where}.v{target['version']} "
            text += f"with chart {chart} succeeded"
        status.condition("Remediated", "True", reason, text)
        status.condition("Ready", "False", reason, text).fields(history=history).save()
        self.state.event(self.manifest, reason, text)

    # --- drift ------------------------------------------------------------------------------

    def _check_drift(self, last: Manifest) -> None:
        mode = (self.spec.get("driftDetection") or {}).get("mode")
        if mode is None and self.state.enabled("helm-controller.detectDrift", default=False):
            mode = "enabled"
        if mode not in ("warn", "enabled"):
            return
        lines = helm_storage.drift(self.state, self._render())
        if not lines:
            return
        release = f"{self.namespace}/{self.name}.v{last['version']}"
        found = "\n".join(lines)
        text = f"Cluster state of release {release} has drifted from the desired state:\n{found}"
        self.state.event(self.manifest, "DriftDetected", text, warning=True)
        if mode == "enabled":
            helm_storage.apply(self.state, self.key, self._render())
            text = f"Cluster state of release {release} has been corrected:\n{found}"
            self.state.event(self.manifest, "DriftCorrected", text)


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _identity(item: Manifest) -> tuple[str, str, str, str]:
    return (item["chartVersion"], item["configDigest"], item["name"], item["namespace"])
