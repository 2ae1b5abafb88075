"""Reconciling a Kustomization: source, dependencies, build, apply, prune, health.

Rules: flux-behaviour section 3. Each yield is a state that a reader can see.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from .apply import ApplyError, apply_all, event_lines
from .durations import format_go, parse_go
from .health import describe, health_of
from .kustomize_build import BuildError, build
from .objects import Manifest, ObjectKey, condition, conditions, key_of, timestamp
from .prune import entry, inventory_of, prune
from .resources import KUSTOMIZE_GROUP, SOURCE_GROUP
from .scheduler import Reconcile, jittered
from .source_controller import artifact_folder, artifact_of, interval_of
from .state import ClusterState
from .substitution import SubstitutionError, substitute_objects
from .traits import delete_fault, out_of_memory

_MOST_HISTORY = 5
_SHORTEST_TIMEOUT = timedelta(seconds=30)


class _RunError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class _WaitError(Exception):
    """Nothing can be done now; `again_after` None waits for a change of the object."""

    def __init__(self, again_after: timedelta | None) -> None:
        super().__init__()
        self.again_after = again_after


def reconcile_kustomization(state: ClusterState, key: ObjectKey) -> Reconcile:
    manifest = state.store.get(key)
    if manifest is None or manifest["spec"].get("suspend"):
        return None
    try:
        _need_source(state, key, manifest)
    except _WaitError as waiting:
        return waiting.again_after
    blocked = _unmet_dependency(state, manifest)
    if blocked:
        status = state.status(key).condition("Ready", "False", "DependencyNotReady", blocked)
        status.drop("Reconciling").save()
        seconds = format_go(state.dependency_interval())
        text = f"Dependencies do not meet ready condition, retrying in {seconds}"
        state.event(manifest, "DependencyNotReady", text)
        return state.requeue_dependency()
    run = _Run(state, key, manifest)
    try:
        yield from run.steps()
    except _RunError as failure:
        return run.fail(failure)
    return run.succeed()


def source_of(manifest: Manifest) -> ObjectKey:
    ref = manifest["spec"]["sourceRef"]
    namespace = ref.get("namespace") or manifest["metadata"]["namespace"]
    return ObjectKey(SOURCE_GROUP, ref["kind"], namespace, ref["name"])


def _need_source(state: ClusterState, key: ObjectKey, manifest: Manifest) -> None:
    """Raise _WaitError when the source cannot be used now."""
    source_key = source_of(manifest)
    status = state.status(key)
    if source_key.namespace != key.namespace and state.enforces_tenancy:
        text = f"can't access '{source_key}', cross-namespace references have been blocked"
        status.condition("Ready", "False", "AccessDenied", text)
        status.condition("Stalled", "True", "AccessDenied", text)
        status.drop("Reconciling").observed().save()
        raise _WaitError(None)
    source = state.store.get(source_key)
    again = format_go(state.dependency_interval())
    if source is None:
        text = f'{source_key.kind}.{SOURCE_GROUP} "{source_key.name}" not found'
    elif (artifact := artifact_of(source)) is None:
        text = f"Source artifact not found, retrying in {again}"
    elif out_of_memory(state):
        # Flux tries ten times first (fluxcd/flux2#5343); the address is this cluster's service.
        address = artifact["url"]
        text = f"failed to download artifact, error: GET {address} giving up after 10 attempt(s): "
        text += f'Get "{address}": dial tcp 10.0.113.18:80: connect: connection refused'
    elif artifact_folder(state, source_key) is None:
        text = f"Source is not ready, artifact not found, retrying in {again}"
        state.wake(source_key)
    else:
        return
    status.condition("Ready", "False", "ArtifactFailed", text).drop("Stalled").save()
    raise _WaitError(state.requeue_dependency())


def _unmet_dependency(state: ClusterState, manifest: Manifest) -> str:
    """Return what is said of the first dependency that is not met; else nothing."""
    for ref in manifest["spec"].get("dependsOn") or []:
        namespace = ref.get("namespace") or manifest["metadata"]["namespace"]
        shown = f"dependency '{namespace}/{ref['name']}'"
        found = state.store.get(ObjectKey(KUSTOMIZE_GROUP, "Kustomization", namespace, ref["name"]))
        if found is None:
            plural = f"kustomizations.{KUSTOMIZE_GROUP}"
            return f'{shown} not found: {plural} "{ref["name"]}" not found'
        if not _is_ready(found):
            return f"{shown} is not ready"
        if source_of(found) == source_of(manifest):
            artifact = artifact_of(state.store.get(source_of(manifest))) or {}
            if found["status"].get("lastAppliedRevision") != artifact.get("revision"):
                return f"{shown} revision is not up to date"
    return ""


def _is_ready(manifest: Manifest) -> bool:
    ready = condition(manifest, "Ready")
    observed = (manifest.get("status") or {}).get("observedGeneration")
    return (
        bool(conditions(manifest))
        and observed == manifest["metadata"]["generation"]
        and ready is not None
        and ready["status"] == "True"
    )


class _Run:
    """One reconcile of one Kustomization."""

    def __init__(self, state: ClusterState, key: ObjectKey, manifest: Manifest) -> None:
        self.state = state
        self.key = key
        self.manifest = manifest
        self.spec = manifest["spec"]
        self.source_key = source_of(manifest)
        source = state.store.get(self.source_key)
        self.revision = str((artifact_of(source) or {})["revision"])
        self.began: datetime = state.now
        # Nothing new to apply: such a run takes moments, so that only its start is seen.
        status = manifest.get("status") or {}
        self.routine = _is_ready(manifest) and status.get("lastAppliedRevision") == self.revision

    @property
    def timeout(self) -> timedelta:
        if self.spec.get("timeout"):
            return max(_SHORTEST_TIMEOUT, parse_go(self.spec["timeout"]))
        return max(_SHORTEST_TIMEOUT, interval_of(self.manifest) - _SHORTEST_TIMEOUT)

    def steps(self) -> Reconcile:
        status = self.state.status(self.key).drop("Stalled")
        status.condition("Ready", "Unknown", "Progressing", "Reconciliation in progress").save()
        self._progress("Fetching manifests")
        yield self.state.pause(1)
        objects = self._built()
        self._progress("Detecting drift")
        if not self.routine:
            yield self.state.pause(0.5)
        applied = self._apply(objects)
        if self.spec.get("wait") or self.spec.get("healthChecks"):
            yield from self._check_health(applied)
        else:
            self.state.status(self.key).drop("Healthy").save()
        return None

    def _progress(self, doing: str) -> None:
        text = f"{doing} for revision {self.revision} with a timeout of {format_go(self.timeout)}"
        status = self.state.status(self.key)
        status.condition("Reconciling", "True", "Progressing", text).save()

    def _built(self) -> list[Manifest]:
        folder = artifact_folder(self.state, self.source_key)
        if folder is None:
            text = "Source is not ready, artifact not found, retrying in 30s"
            raise _RunError("ArtifactFailed", text)
        path = str(self.spec.get("path") or "").strip()
        seed = f"{self.manifest['metadata']['uid']}{self.revision}".encode()
        digits = int.from_bytes(hashlib.sha256(seed).digest()[:4])
        root = f"/tmp/kustomization-{digits}"  # noqa: S108 - only the text of a message
        try:
            objects = build(self.state.workspace, folder, path, self.spec, root)
        except BuildError as failure:
            if failure.path_missing:
                raise _RunError("ArtifactFailed", failure.message) from None
            self._attempted()
            raise _RunError("BuildFailed", failure.message) from None
        self._attempted()
        try:
            return substitute_objects(self.state, self.manifest, objects)
        except SubstitutionError as failure:
            raise _RunError("BuildFailed", str(failure)) from None

    def _attempted(self) -> None:
        self.state.status(self.key).fields(lastAttemptedRevision=self.revision).save()
        self._progress("Building manifests")

    def _apply(self, objects: list[Manifest]) -> list[ObjectKey]:
        try:
            done = apply_all(self.state, self.manifest, objects)
        except ApplyError as failure:
            raise _RunError("ReconciliationFailed", str(failure)) from None
        lines = event_lines(done)
        if lines:
            self.state.event(self.manifest, "Progressing", "\n".join(lines))
        before = inventory_of(self.state.store.get(self.key))
        versions = {key_of(item): str(item["apiVersion"]) for item in objects}
        applied = [key for key, _ in done]
        entries = [entry(key, versions[key]) for key in applied]
        self.state.status(self.key).fields(inventory={"entries": entries}).save()
        if self.spec.get("prune"):
            left = [key for key in before if key not in versions and key in self.state.store]
            if left and (fault := delete_fault(self.state)):
                # What could not be deleted stays in the inventory, so that it is tried again.
                kept = [entry(key, "v1") for key in left]
                self.state.status(self.key).fields(inventory={"entries": entries + kept}).save()
                refused = "; ".join(f"{key} delete failed: {fault}" for key in left)
                raise _RunError("PruneFailed", f"delete failed, errors: {refused};")
            gone = prune(self.state, self.manifest, [key for key in before if key not in versions])
            if gone:
                text = "\n".join(f"{key} deleted" for key in gone)
                self.state.event(self.manifest, "Progressing", text)
        return applied

    def _checked(self, applied: list[ObjectKey]) -> list[ObjectKey]:
        if self.spec.get("wait"):
            return applied
        found = []
        for check in self.spec.get("healthChecks") or []:
            group = str(check.get("apiVersion") or "").rpartition("/")[0]
            namespace = check.get("namespace") or ""
            found.append(ObjectKey(group, check["kind"], namespace, check["name"]))
        return found

    def _check_health(self, applied: list[ObjectKey]) -> Reconcile:
        timeout = self.timeout
        text = f"Running health checks for revision {self.revision} "
        text += f"with a timeout of {format_go(timeout)}"
        status = self.state.status(self.key)
        status.condition("Reconciling", "True", "Progressing", text)
        status.condition("Healthy", "Unknown", "Progressing", text).save()
        began = self.state.now
        while True:
            if not self.routine:
                yield self.state.pause(2)
            self.routine = False
            elapsed = self.state.now - began
            states = [(key, health_of(self.state, key)) for key in self._checked(applied)]
            bad = [pair for pair in states if pair[1] != "Current"]
            if not bad:
                break
            failed = [pair for pair in bad if pair[1] == "Failed"]
            if failed:
                raise self._unhealthy(
                    elapsed, f"failed early due to stalled resources: {describe(failed)}"
                )
            if elapsed >= timeout:
                raise self._unhealthy(timeout, f"timeout waiting for: {describe(bad)}")
        text = f"Health check passed in {format_go(elapsed)}"
        self.state.status(self.key).condition("Healthy", "True", "Succeeded", text).save()
        return None

    def _unhealthy(self, after: timedelta, text: str) -> _RunError:
        status = self.state.status(self.key)
        status.condition("Healthy", "False", "HealthCheckFailed", text).save()
        message = f"health check failed after {format_go(after)}: {text}"
        return _RunError("HealthCheckFailed", message)

    def fail(self, failure: _RunError) -> timedelta:
        status = self.state.status(self.key)
        progress = status.message("Reconciling")
        status.condition("Ready", "False", failure.reason, failure.message)
        status.condition("Reconciling", "True", "ProgressingWithRetry", progress)
        status.fields(history=self._history(failure.reason)).save()
        self.state.event(self.manifest, failure.reason, failure.message, warning=True)
        retry = self.spec.get("retryInterval")
        return parse_go(retry) if retry else interval_of(self.manifest)

    def succeed(self) -> timedelta:
        status = self.state.status(self.key).drop("Reconciling", "Stalled")
        text = f"Applied revision: {self.revision}"
        status.condition("Ready", "True", "ReconciliationSucceeded", text)
        status.fields(lastAppliedRevision=self.revision, lastAttemptedRevision=self.revision)
        status.fields(history=self._history("ReconciliationSucceeded"))
        status.observed().save()
        interval = interval_of(self.manifest)
        took = format_go(self.state.now - self.began)
        text = f"Reconciliation finished in {took}, next run in {format_go(interval)}"
        self.state.event(self.manifest, "ReconciliationSucceeded", text)
        return jittered(interval, f"{self.key}{self.manifest['metadata']['uid']}")

    def _history(self, outcome: str) -> list[Manifest]:
        current = self.state.store.get(self.key) or {}
        old = (current.get("status") or {}).get("history") or []
        now = timestamp(self.state.now)
        same = old and (old[0]["lastReconciledStatus"], old[0]["metadata"]["revision"]) == (
            outcome,
            self.revision,
        )
        newest = {
            "firstReconciled": old[0]["firstReconciled"] if same else now,
            "lastReconciled": now,
            "lastReconciledStatus": outcome,
            "metadata": {"revision": self.revision},
            "totalReconciliations": old[0]["totalReconciliations"] + 1 if same else 1,
        }
        return [newest, *(old[1:] if same else old)][:_MOST_HISTORY]
