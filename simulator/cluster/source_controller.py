"""Reconciling sources: GitRepository, and through it the shape that all sources share.

Rules: flux-behaviour section 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from .durations import parse_go
from .git_source import GitAuth, GitReference, SourceError
from .objects import Manifest, ObjectKey, key_of, timestamp
from .resources import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .scheduler import Reconcile, jittered
from .source_access import check_git, secret_of
from .state import ClusterState

_REFERENCE_FIELDS = ("branch", "tag", "semver", "commit", "name")
# What only a change of the object can mend.
_STALLING = ("URLInvalid", "InvalidChartReference", "InvalidProviderConfiguration")
_SERVER = "http://source-controller.flux-system.svc.cluster.local."


@dataclass(frozen=True, slots=True)
class Found:
    """What a source holds now.

    `revision` names it, `fetch` stores it and returns where, `file` is the name of the artifact.
    """

    revision: str
    fetch: Callable[[], Path | None]
    file: str
    stored: str
    progress: str
    event: Callable[[], str]
    reason: str = "Succeeded"


def interval_of(manifest: Manifest) -> timedelta:
    return parse_go((manifest.get("spec") or {}).get("interval") or "10m0s")


def timeout_of(manifest: Manifest, default: str = "60s") -> timedelta:
    return parse_go((manifest.get("spec") or {}).get("timeout") or default)


def artifact_of(manifest: Manifest | None) -> Manifest | None:
    return ((manifest or {}).get("status") or {}).get("artifact")


def artifact_folder(state: ClusterState, source: ObjectKey) -> Path | None:
    """Return where the files of a source's artifact are; None when they are gone."""
    folder = state.folders.get(source)
    return folder if folder is not None and folder.is_dir() else None


def _is_stored(state: ClusterState, key: ObjectKey) -> bool:
    """Tell whether the files of the artifact are there, or it never had any (an index)."""
    return key not in state.folders or state.folders[key].is_dir()


def reconcile_source(
    state: ClusterState,
    key: ObjectKey,
    look: Callable[[ClusterState, Manifest], Found],
    failed: str = "FetchFailed",
) -> Reconcile:
    """Bring one source up to date. `failed` is the negative condition of its failures."""
    manifest = state.store.get(key)
    if manifest is None or manifest["spec"].get("suspend"):
        return None
    status = state.status(key)
    progress = _begin(state, key, manifest)
    if progress:
        status.condition("Reconciling", "True", "Progressing", progress)
        if status.status_of("Ready") != "False":
            # What failed stays failed until it is known to be well again.
            status.condition("Ready", "Unknown", "Progressing", progress)
        status.save()
        yield state.pause(1)
        manifest = state.store.get(key) or manifest
    artifact = artifact_of(manifest)
    try:
        found = look(state, manifest)
        unchanged = artifact is not None and artifact["revision"] == found.revision
        if unchanged and _is_stored(state, key):
            return _confirm(state, key, manifest, found)
        _announce(state, key, found, artifact)
        yield state.pause(1)
        folder = found.fetch()
    except SourceError as failure:
        return _fail(state, key, failure, failed)
    _store(state, key, found, folder)
    return jittered(interval_of(manifest), f"{key}{manifest['metadata']['uid']}")


def _begin(state: ClusterState, key: ObjectKey, manifest: Manifest) -> str:
    generation = manifest["metadata"]["generation"]
    observed = (manifest.get("status") or {}).get("observedGeneration", -1)
    if observed != generation:
        return f"processing object: new generation {observed} -> {generation}"
    if artifact_of(manifest) is None:
        return "building artifact"
    return "" if _is_stored(state, key) else "building artifact: disappeared from storage"


def _confirm(state: ClusterState, key: ObjectKey, manifest: Manifest, found: Found) -> timedelta:
    """Nothing new: what failed before is well again, what was ready stays untouched."""
    status = state.status(key)
    status.drop("FetchFailed", "BuildFailed", "StorageOperationFailed", "ArtifactOutdated")
    status.drop("Reconciling", "Stalled", "SourceVerified")
    status.condition("ArtifactInStorage", "True", found.reason, found.stored)
    status.condition("Ready", "True", found.reason, found.stored).observed().save()
    state.scheduler.succeeded(key)
    return jittered(interval_of(manifest), f"{key}{manifest['metadata']['uid']}")


def _announce(state: ClusterState, key: ObjectKey, found: Found, artifact: Manifest | None) -> None:
    message = f"building artifact: {found.progress}"
    status = state.status(key)
    if artifact is not None:
        status.condition("ArtifactOutdated", "True", "NewRevision", found.progress)
    status.condition("Reconciling", "True", "Progressing", message)
    status.condition("Ready", "Unknown", "Progressing", message).save()


def _fail(state: ClusterState, key: ObjectKey, failure: SourceError, kind: str) -> timedelta | None:
    status = state.status(key)
    progress = status.message("Reconciling") or "reconciliation in progress"
    if failure.reason in ("VerificationError", "InvalidCommitSignature"):
        status.condition("SourceVerified", "False", failure.reason, failure.message)
    else:
        status.condition(kind, "True", failure.reason, failure.message)
    status.condition("Ready", "False", failure.reason, failure.message)
    stalled = failure.reason in _STALLING
    if stalled:
        status.condition("Stalled", "True", failure.reason, failure.message)
        status.drop("Reconciling").observed()
    else:
        status.condition("Reconciling", "True", "ProgressingWithRetry", progress)
    status.save()
    manifest = state.store.get(key)
    if manifest is not None:
        state.event(manifest, failure.reason, failure.message, warning=True)
    return None if stalled else state.scheduler.back_off(key)


def _store(state: ClusterState, key: ObjectKey, found: Found, folder: Path | None) -> None:
    path = f"{key.kind.lower()}/{key.namespace}/{key.name}/{found.file}"
    status = state.status(key)
    status.drop("FetchFailed", "BuildFailed", "StorageOperationFailed", "ArtifactOutdated")
    status.drop("Reconciling", "Stalled", "SourceVerified")
    status.condition("ArtifactInStorage", "True", found.reason, found.stored)
    status.condition("Ready", "True", found.reason, found.stored)
    artifact = {
        "digest": f"sha256:{hashlib.sha256(found.revision.encode()).hexdigest()}",
        "lastUpdateTime": timestamp(state.now),
        "path": path,
        "revision": found.revision,
        "url": f"{_SERVER}/{path}",
    }
    if folder is not None:
        state.folders[key] = folder
    status.fields(artifact=artifact).observed().save()
    state.scheduler.succeeded(key)
    manifest = state.store.get(key)
    if manifest is not None:
        state.event(manifest, "NewArtifact", found.event())
    wake_users(state, key)


def wake_users(state: ClusterState, source: ObjectKey) -> None:
    """Start those that use a source, as controllers do when its revision changes."""
    for group, kind in ((KUSTOMIZE_GROUP, "Kustomization"), (SOURCE_GROUP, "HelmChart")):
        for user in state.store.of_kind(group, kind):
            ref = user["spec"].get("sourceRef") or {}
            namespace = ref.get("namespace") or user["metadata"]["namespace"]
            if (ref.get("kind"), namespace, ref.get("name")) == source[1:]:
                state.wake(key_of(user))
    if source.kind == "OCIRepository":
        for release in state.store.of_kind(HELM_GROUP, "HelmRelease"):
            ref = release["spec"].get("chartRef") or {}
            namespace = ref.get("namespace") or release["metadata"]["namespace"]
            if (ref.get("kind"), namespace, ref.get("name")) == source[1:]:
                state.wake(key_of(release))
    if source.kind == "HelmChart":
        chart = f"{source.namespace}/{source.name}"
        for release in state.store.of_kind(HELM_GROUP, "HelmRelease"):
            if (release.get("status") or {}).get("helmChart") == chart:
                state.wake(key_of(release))


# --- GitRepository ------------------------------------------------------------------------------


def look_at_git(state: ClusterState, manifest: Manifest) -> Found:
    """Ask a Git remote for the commit that is wanted. Raises SourceError."""
    spec = manifest["spec"]
    url = spec["url"]
    given = spec.get("ref") or {}
    reference = GitReference(
        **{field: str(given[field]) for field in _REFERENCE_FIELDS if given.get(field)}
    )
    auth = git_auth(state, manifest)
    seconds = timeout_of(manifest).total_seconds()
    has_artifact = artifact_of(manifest) is not None
    listed = has_artifact and not (reference.commit or reference.semver)
    check_git(state, manifest, auth, listed=listed)
    found = state.git.resolve(url, reference, auth, timeout=seconds, has_artifact=has_artifact)
    if spec.get("verify"):
        # Nobody signs the commits of repositories here; the words are inferred.
        text = "unable to verify Git commit: commit does not have a PGP signature"
        text = f"signature verification of commit '{found.commit}' failed: {text}"
        raise SourceError("InvalidCommitSignature", text)
    ignore = spec.get("ignore") or ""
    stored = f"stored artifact for revision '{found.revision}'"
    return Found(
        revision=found.revision,
        fetch=lambda: state.git.export(url, found, auth, timeout=seconds, ignore=ignore),
        file=f"{found.commit}.tar.gz",
        stored=stored,
        progress=f"new upstream revision '{found.revision}'",
        event=lambda: f"stored artifact for commit '{state.git.subject(url, found.commit)}'",
    )


def git_auth(state: ClusterState, manifest: Manifest) -> GitAuth:
    """Collect what signs a GitRepository in, from the service or from a local secret."""
    spec = manifest["spec"]
    named = (spec.get("secretRef") or {}).get("name")
    if spec.get("provider") == "github" and not named:
        text = "secretRef with github app data must be specified when provider is set to github"
        raise SourceError("InvalidProviderConfiguration", text)
    secret = secret_of(state, manifest)
    if not secret:
        return GitAuth()
    configured = "failed to configure authentication options: invalid"
    if spec["url"].startswith("ssh://"):
        # Azure knows the keys of common hosts, so that what it keeps itself may lack them.
        own = (manifest["metadata"]["namespace"], named) in state.protected
        for field in ("identity",) if own else ("identity", "known_hosts"):
            if not secret.get(field):
                text = f"{configured} 'ssh' auth option: '{field}' is required"
                raise SourceError("AuthenticationFailed", text)
    elif secret.get("password") and not secret.get("username"):
        text = f"{configured} 'http' auth option: 'password' requires 'username' to be set"
        raise SourceError("AuthenticationFailed", text)
    return GitAuth(
        username=secret.get("username", ""),
        password=secret.get("password", ""),
        ca_certificate=secret.get("ca.crt", ""),
        identity=secret.get("identity", ""),
        known_hosts=secret.get("known_hosts", ""),
        app_id=secret.get("githubAppID", ""),
        installation_id=secret.get("githubAppInstallationID", ""),
    )
