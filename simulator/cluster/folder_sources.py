"""Sources other than Git: Bucket (Azure Blob is one), OCIRepository.

Their content is a local folder that the source map names: `URL/BUCKET`, `URL/CONTAINER`, or an
`oci://` URL with or without its tag. Rules of the messages: flux-behaviour section 2.3; those of
layers and signatures are in the source of source-controller (ocirepository_controller.go).
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from .git_source import SourceError
from .objects import Manifest
from .semver_range import RangeError, best_match
from .source_access import check_bucket, check_oci, secret_of
from .source_controller import Found
from .state import ClusterState

_DIGEST_FAILED = "failed to determine artifact digest: "
# What `flux push artifact` gives its one layer.
_FLUX_LAYER = "application/vnd.cncf.flux.content.v1.tar+gzip"


def look_at_bucket(state: ClusterState, manifest: Manifest) -> Found:
    """Read a bucket or container. Raises SourceError."""
    spec = manifest["spec"]
    name = str(spec["bucketName"])
    secret = _bucket_secret(state, manifest)
    address = f"{str(spec['endpoint']).rstrip('/')}/{name}"
    folder = _folder(state, address)
    if folder is None:
        host = urlsplit(address).hostname or ""
        fault = f'Get "{address}/?location=": {_no_host(host)}'
        text = f"failed to confirm existence of '{name}' bucket: {fault}"
        raise SourceError("BucketOperationFailed", text)
    check_bucket(state, manifest, address, secret)
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


def _bucket_secret(state: ClusterState, manifest: Manifest) -> dict[str, str]:
    """Return the keys of a bucket; raise SourceError when the Secret has not both of S3's."""
    secret = secret_of(state, manifest)
    named = (manifest["spec"].get("secretRef") or {}).get("name")
    azure = manifest["spec"].get("provider") == "azure"
    if named and not azure and not (secret.get("accesskey") and secret.get("secretkey")):
        text = f"invalid '{named}' secret data: required fields 'accesskey' and 'secretkey'"
        raise SourceError("AuthenticationFailed", text)
    return secret


def look_at_oci(state: ClusterState, manifest: Manifest) -> Found:
    """Read an OCI artifact. Raises SourceError."""
    spec = manifest["spec"]
    url = str(spec["url"])
    parts = urlsplit(url)
    if parts.scheme != "oci" or not parts.hostname or not parts.path.strip("/"):
        text = "URL must be in format 'oci://<domain>/<org>/<repo>'"
        raise SourceError("URLInvalid", f"URL validation failed for '{url}': {text}")
    secret = secret_of(state, manifest)
    ref = spec.get("ref") or {}
    tags = state.sources.tags(url)
    tag = _by_range(state, url, str(ref["semver"])) if ref.get("semver") else ""
    tag = tag or str(ref.get("tag") or "latest")
    wanted = str(ref.get("digest") or tag)
    folder = tags.get(tag.lower()) or _folder(state, url)
    if folder is None and not tags:
        fault = f'Get "https://{parts.netloc}/v2/": {_no_host(parts.hostname)}'
        raise SourceError("OCIArtifactPullFailed", _DIGEST_FAILED + fault)
    check_oci(state, manifest, wanted, secret)
    digest, files = _pulled(state, manifest, [folder] if folder else list(tags.values()))
    if files is None or (folder is None and not ref.get("digest")):
        address = f"https://{parts.netloc}/v2/{parts.path.strip('/')}/manifests/{wanted}"
        fault = f"GET {address}: MANIFEST_UNKNOWN: manifest unknown"
        raise SourceError("OCIArtifactPullFailed", _DIGEST_FAILED + fault)
    _check_content(state, manifest, f"{url}@sha256:{digest}")
    revision = f"sha256:{digest}" if ref.get("digest") else f"{tag}@sha256:{digest}"
    return Found(
        revision=revision,
        fetch=lambda: files,
        file=f"sha256:{digest}.tar.gz",
        stored=f"stored artifact for digest '{revision}'",
        progress=f"new revision '{revision}' for '{url}:{tag}'",
        event=lambda: f"stored artifact with revision '{revision}' from '{url}'",
    )


def _by_range(state: ClusterState, url: str, semver: str) -> str:
    """Return the tag that a range chooses. Raises SourceError."""
    failed = f"failed to determine the artifact tag for '{url}': "
    try:
        tag = best_match(semver, state.sources.tags(url))
    except RangeError as error:
        text = f"{failed}semver '{semver}' parse error: {error}"
        raise SourceError("ReadOperationFailed", text) from None
    if tag is None:
        text = f"{failed}no match found for semver: {semver}"
        raise SourceError("ReadOperationFailed", text)
    return tag


def _pulled(
    state: ClusterState, manifest: Manifest, folders: list[Path]
) -> tuple[str, Path | None]:
    """Store the first folder that is there and has the digest that is asked for, if one is."""
    wanted = (manifest["spec"].get("ref") or {}).get("digest")
    for folder in folders:
        if folder.is_dir():
            ignore = manifest["spec"].get("ignore") or ""
            digest, files = state.workspace.store_folder(folder, ignore)
            if not wanted or wanted == f"sha256:{digest}":
                return digest, files
    return "", None


def _check_content(state: ClusterState, manifest: Manifest, shown: str) -> None:
    """Look for the layer that is selected and the signature that is asked for."""
    spec = manifest["spec"]
    asked = {item.kind: item.value for item in state.sources.access(str(spec["url"]))}
    selected = (spec.get("layerSelector") or {}).get("mediaType")
    if selected and selected != asked.get("layer", _FLUX_LAYER):
        text = f"failed to find layer with media type '{selected}' in artifact"
        raise SourceError("OCILayerOperationFailed", text)
    verify = (spec.get("verify") or {}).get("provider")
    if verify and asked.get("signed") != verify:
        text = f"failed to verify the signature using provider '{verify}': no matching signatures "
        raise SourceError("VerificationError", f"{text}were found for '{shown}'")


def _folder(state: ClusterState, address: str) -> Path | None:
    """Return the folder that stands for an address; None when it is not mapped."""
    found = state.sources.resolve(address)
    return None if found == address else Path(found)


def _no_host(host: str) -> str:
    return f"dial tcp: lookup {host} on 10.0.0.10:53: no such host"
