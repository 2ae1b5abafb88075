"""The Flux objects that Azure's agent makes of a configuration, as YAML.

Names: the source is called as the configuration, a Kustomization <configuration>-<its name>; all
of them are in the configuration's namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces import manifests
from configurations.faces.models import Face, Place
from configurations.faces.secrets import Bare
from configurations.specification.models import DEFAULT_SECONDS

SOURCE_VERSION = "source.toolkit.fluxcd.io/v1"
KUSTOMIZE_VERSION = "kustomize.toolkit.fluxcd.io/v1"
_SCP = re.compile(r"(?P<user>[^@/:]+)@(?P<host>[^:/]+):(?P<path>.+)")


def face(bare: Bare, place: Place) -> Face:
    namespace = bare.properties.get("namespace") or "default"
    return Face(
        code="flux",
        label=_("Flux"),
        language="yaml",
        text=manifests.dump_all(_objects(bare, place.configuration_name, namespace)),
        file_name=f"{place.file_stem}.yaml",
        notes=tuple(_notes(bare, place.configuration_name)),
    )


def _objects(bare: Bare, name: str, namespace: str) -> Iterator[dict[str, Any]]:
    if namespace != "default":
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    suspend = {"suspend": True} if bare.properties.get("suspend") is True else {}
    kind = source_kind(bare.kind)
    yield {
        "apiVersion": SOURCE_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**_source(bare, name), **suspend},
    }
    for key, entry in bare.kustomizations.items():
        yield {
            "apiVersion": KUSTOMIZE_VERSION,
            "kind": "Kustomization",
            "metadata": {"name": f"{name}-{key}", "namespace": namespace},
            "spec": {**_kustomization(entry, name, kind), **suspend},
        }


def source_kind(kind: str) -> str:
    """Flux's kind: a blob container is a Bucket of the provider azure."""
    return "Bucket" if kind == "AzureBlob" else kind


def go_duration(seconds: int) -> str:
    """As Kubernetes writes it: 10m0s, 1h0m0s, 45s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


# --- Source ---------------------------------------------------------------------------------
def _source(bare: Bare, name: str) -> dict[str, Any]:
    source = bare.source
    spec: dict[str, Any] = {
        "interval": go_duration(source.get("syncIntervalInSeconds", DEFAULT_SECONDS)),
        "timeout": go_duration(source.get("timeoutInSeconds", DEFAULT_SECONDS)),
    }
    match bare.kind:
        case "Bucket":
            spec |= _bucket(source)
        case "AzureBlob":
            spec |= {
                "provider": "azure",
                "endpoint": source.get("url") or "",
                "bucketName": source.get("containerName") or "",
            }
        case "OCIRepository":
            spec |= _oci(source, name)
        case _:
            spec |= _git(source)
    if source.get("localAuthRef"):
        spec["secretRef"] = {"name": source["localAuthRef"]}
    elif _signs_in(bare):
        spec["secretRef"] = {"name": protected(name)}
    return spec


def protected(name: str) -> str:
    """The Secret in which Azure's agent keeps what a configuration signs in with."""
    return f"{name}-protected-parameters"


def _signs_in(bare: Bare) -> bool:
    if bare.kind == "OCIRepository":
        return False
    fields = {"httpsUser", "httpsCACert", "sshKnownHosts", "accessKey", "managedIdentity"}
    fields |= {"servicePrincipal", "accountKey", "sasToken"}
    return bool(fields & bare.source.keys() or "configurationProtectedSettings" in bare.properties)


def _git(git: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"url": flux_url(git.get("url") or "")}
    if git.get("repositoryRef"):
        spec["ref"] = dict(git["repositoryRef"])
    if git.get("provider"):
        spec["provider"] = git["provider"].lower()
    return spec


def flux_url(url: str) -> str:
    """git@host:path, which Flux does not take, as ssh://git@host/path."""
    found = None if "://" in url else _SCP.fullmatch(url)
    return f"ssh://{found['user']}@{found['host']}/{found['path'].lstrip('/')}" if found else url


def _bucket(bucket: Mapping[str, Any]) -> dict[str, Any]:
    url = bucket.get("url") or ""
    return {
        "provider": "generic",
        "endpoint": url.split("://", 1)[-1].rstrip("/"),
        "bucketName": bucket.get("bucketName") or "",
        "insecure": bucket.get("insecure") is not False,
    }


def _oci(oci: Mapping[str, Any], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"url": oci.get("url") or ""}
    if oci.get("repositoryRef"):
        spec["ref"] = dict(oci["repositoryRef"])
    if oci.get("layerSelector"):
        spec["layerSelector"] = dict(oci["layerSelector"])
    if oci.get("useWorkloadIdentity") is True:
        spec["provider"] = "azure"
    if oci.get("insecure") is True:
        spec["insecure"] = True
    if oci.get("serviceAccountName"):
        spec["serviceAccountName"] = oci["serviceAccountName"]
    if oci.get("tlsConfig"):
        spec["certSecretRef"] = {"name": protected(name)}
    verify = oci.get("verify") or {}
    if verify:
        spec["verify"] = {
            key: verify[wire]
            for wire, key in (("provider", "provider"), ("matchOidcIdentity", "matchOIDCIdentity"))
            if wire in verify
        }
        if verify.get("verificationConfig"):
            spec["verify"]["secretRef"] = {"name": protected(name)}
    return spec


# --- Kustomization --------------------------------------------------------------------------
def _kustomization(entry: Mapping[str, Any], name: str, kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "interval": go_duration(entry.get("syncIntervalInSeconds", DEFAULT_SECONDS)),
        "timeout": go_duration(entry.get("timeoutInSeconds", DEFAULT_SECONDS)),
    }
    if entry.get("retryIntervalInSeconds") is not None:
        spec["retryInterval"] = go_duration(entry["retryIntervalInSeconds"])
    if entry.get("path"):
        spec["path"] = entry["path"]
    spec["prune"] = entry.get("prune") is True
    spec["force"] = entry.get("force") is True
    spec["wait"] = entry.get("wait") is not False
    spec["sourceRef"] = {"kind": kind, "name": name}
    if entry.get("dependsOn"):
        spec["dependsOn"] = [{"name": f"{name}-{it}"} for it in entry["dependsOn"]]
    if entry.get("postBuild"):
        spec["postBuild"] = entry["postBuild"]
    return spec


# --- What Flux's own objects cannot say -----------------------------------------------------
def _notes(bare: Bare, name: str) -> Iterator[str]:
    scope = bare.properties.get("scope") or "cluster"
    if scope == "namespace":
        yield _(
            "Azure also makes the service account flux-applier, with rights in its namespace only."
        )
    else:
        yield _("Azure also makes the service account flux-applier, with rights in the cluster.")
    needs_secret = _signs_in(bare) or bare.secrets or bare.source.get("verify")
    if needs_secret and not bare.source.get("localAuthRef"):
        yield _("The Secret %(name)s has to hold what the source signs in with.") % {
            "name": protected(name)
        }
    url = str(bare.source.get("url") or "")
    if bare.kind == "GitRepository" and flux_url(url) != url:
        yield _("Flux takes ssh:// where Azure also takes git@.")
    if bare.kind == "Bucket" and url.startswith("http://") and not _is_insecure(bare):
        yield _("Flux takes no scheme: without TLS only where insecure is on.")
    if bare.properties.get("waitForReconciliation"):
        yield _("Waiting for the first reconciliation is Azure's and has no field in Flux.")


def _is_insecure(bare: Bare) -> bool:
    return bare.source.get("insecure") is not False
