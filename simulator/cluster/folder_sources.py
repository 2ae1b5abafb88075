"""Sources other than Git: Bucket (Azure Blob is one), OCIRepository.

Their content is a local folder that the source map names: `URL/BUCKET`, `URL/CONTAINER`, or an
`oci://` URL with or without its tag. Rules of the messages: flux-behaviour section 2.3.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from .git_source import SourceError
from .objects import Manifest
from .source_controller import Found, read_secret
from .state import ClusterState


def look_at_bucket(state: ClusterState, manifest: Manifest) -> Found:
    """Read a bucket or container. Raises SourceError."""
    spec = manifest["spec"]
    name = str(spec["bucketName"])
    _need_secret(state, manifest)
    address = f"{str(spec['endpoint']).rstrip('/')}/{name}"
    folder = _folder(state, address)
    if folder is None:
        host = urlsplit(address).hostname or ""
        fault = f'Get "{address}/?location=": {_no_host(host)}'
        text = f"failed to confirm existence of '{name}' bucket: {fault}"
        raise SourceError("BucketOperationFailed", text)
    if not folder.is_dir():
        raise SourceError("BucketOperationFailed", f"bucket '{name}' not found")
    digest, files = state.workspace.store_folder(folder, spec.get("ignore") or "")
    revision = f"sha256:{digest}"
    return Found(
        revision=revision,
        fetch=lambda: files,
        file=f"{digest}.tar.gz",
        stored=f"stored artifact: revision '{revision}'",
        progress=f"new upstream revision '{revision}'",
        event=lambda: f"stored artifact with revision '{revision}' from '{name}'",
    )


def look_at_oci(state: ClusterState, manifest: Manifest) -> Found:
    """Read an OCI artifact. Raises SourceError."""
    spec = manifest["spec"]
    url = str(spec["url"])
    parts = urlsplit(url)
    if parts.scheme != "oci" or not parts.hostname or not parts.path.strip("/"):
        text = "URL must be in format 'oci://<domain>/<org>/<repo>'"
        raise SourceError("URLInvalid", f"URL validation failed for '{url}': {text}")
    _need_secret(state, manifest)
    ref = spec.get("ref") or {}
    if ref.get("semver"):
        text = f"no match found for semver: {ref['semver']}"
        text = f"failed to determine the artifact tag for '{url}': {text}"
        raise SourceError("ReadOperationFailed", text)
    tag = str(ref.get("tag") or "latest")
    wanted = str(ref.get("digest") or tag)
    repository = parts.path.strip("/")
    folder = _folder(state, f"{url}:{tag}") or _folder(state, url)
    failed = "failed to determine artifact digest: "
    if folder is None:
        fault = f'Get "https://{parts.netloc}/v2/": {_no_host(parts.hostname)}'
        raise SourceError("OCIArtifactPullFailed", failed + fault)
    digest, files = ("", folder)
    if folder.is_dir():
        digest, files = state.workspace.store_folder(folder, spec.get("ignore") or "")
    if not digest or (ref.get("digest") and ref["digest"] != f"sha256:{digest}"):
        address = f"https://{parts.netloc}/v2/{repository}/manifests/{wanted}"
        fault = f"GET {address}: MANIFEST_UNKNOWN: manifest unknown"
        raise SourceError("OCIArtifactPullFailed", failed + fault)
    revision = f"sha256:{digest}" if ref.get("digest") else f"{tag}@sha256:{digest}"
    return Found(
        revision=revision,
        fetch=lambda: files,
        file=f"sha256:{digest}.tar.gz",
        stored=f"stored artifact for digest '{revision}'",
        progress=f"new revision '{revision}' for '{url}:{tag}'",
        event=lambda: f"stored artifact with revision '{revision}' from '{url}'",
    )


def _folder(state: ClusterState, address: str) -> Path | None:
    """Return the folder that stands for an address; None when it is not mapped."""
    found = state.sources.resolve(address)
    return None if found == address else Path(found)


def _no_host(host: str) -> str:
    return f"dial tcp: lookup {host} on 10.0.0.10:53: no such host"


def _need_secret(state: ClusterState, manifest: Manifest) -> None:
    name = (manifest["spec"].get("secretRef") or {}).get("name")
    namespace = manifest["metadata"]["namespace"]
    if not name or (namespace, name) in state.protected:
        return
    if read_secret(state, namespace, name) is None:
        text = f"failed to get secret '{namespace}/{name}': secrets \"{name}\" not found"
        raise SourceError("AuthenticationFailed", text)
