"""The agent of Azure in a cluster: turns a configuration into Flux objects.

Rule: flux-behaviour section 6.1: a configuration `c` becomes a FluxConfig and a source named `c`
and one Kustomization `c-<k>` for each kustomization, all in the configuration's namespace.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .access_rules import APPLIER, RBAC_GROUP
from .durations import format_go
from .extension import ensure_namespace
from .objects import Manifest, ObjectKey, key_of
from .prune import delete_object
from .resources import AZURE_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from .state import CONTROLLER_OF_GROUP, ClusterState

_MANAGER = "fluxconfig-controller"
_LABELS = "clusterconfig.azure.com"
Properties = dict[str, Any]

# Wire body of each source kind, and the kind that Flux has for it.
_SOURCES = {
    "GitRepository": ("gitRepository", "GitRepository"),
    "Bucket": ("bucket", "Bucket"),
    "AzureBlob": ("azureBlob", "Bucket"),
    "OCIRepository": ("ociRepository", "OCIRepository"),
}


def namespace_of(properties: Properties) -> str:
    return str(properties.get("namespace") or "default")


def config_key(name: str, properties: Properties) -> ObjectKey:
    return ObjectKey(AZURE_GROUP, "FluxConfig", namespace_of(properties), name)


def source_key(name: str, properties: Properties) -> ObjectKey:
    kind = _SOURCES[properties.get("sourceKind") or "GitRepository"][1]
    return ObjectKey(SOURCE_GROUP, kind, namespace_of(properties), name)


def kustomization_keys(name: str, properties: Properties) -> list[ObjectKey]:
    """Return the Kustomizations of a configuration in the order of their dependencies."""
    given = {key: value for key, value in (properties.get("kustomizations") or {}).items() if value}
    ordered: list[str] = []

    def place(inner: str, above: frozenset[str]) -> None:
        if inner in ordered or inner in above or inner not in given:
            return
        for other in given[inner].get("dependsOn") or []:
            place(other, above | {inner})
        ordered.append(inner)

    for inner in sorted(given):
        place(inner, frozenset())
    ordered += [inner for inner in sorted(given) if inner not in ordered]
    namespace = namespace_of(properties)
    return [
        ObjectKey(KUSTOMIZE_GROUP, "Kustomization", namespace, f"{name}-{inner}")
        for inner in ordered
    ]


def apply_configuration(state: ClusterState, name: str, properties: Properties) -> None:
    """Make the Flux objects of a configuration be as its properties say."""
    namespace = namespace_of(properties)
    ensure_namespace(state, namespace, _MANAGER)
    _apply(state, _config(name, properties))
    for manifest in _applier(name, properties):
        _apply(state, manifest)
    secret = _protected(state, name, properties)
    secret_changed = _keep_secret(state, (namespace, f"{name}-protected-parameters"), secret)
    kustomizations = [
        _kustomization(name, inner, body, properties)
        for inner, body in (properties.get("kustomizations") or {}).items()
        if body is not None
    ]
    wanted = [_source(name, properties, bool(secret)), *kustomizations]
    _remove_others(state, name, namespace, {key_of(manifest) for manifest in wanted})
    for manifest in wanted:
        _apply(state, manifest)
    if secret_changed:
        # That the agent has the source looked at at once is inferred.
        state.wake(source_key(name, properties))
    now = state.now.isoformat()
    status: Manifest = {"provisioningState": "Succeeded", "lastConfigUpdateTime": now}
    status["dataplaneStatus"] = {"isSyncedWithAzure": True, "lastSyncedTime": now}
    state.store.set_status(config_key(name, properties), status)


def _keep_secret(state: ClusterState, key: tuple[str, str], secret: dict[str, str]) -> bool:
    """Keep the secret of a source, or forget it when none is given; tell whether it changed."""
    before = state.protected.get(key, {})
    if secret:
        state.protected[key] = secret
    else:
        state.protected.pop(key, None)
    return before != secret


def remove_configuration(state: ClusterState, name: str, properties: Properties) -> None:
    """Remove a configuration: what prunes takes its objects along, then the source goes."""
    namespace = namespace_of(properties)
    _remove_others(state, name, namespace, set())
    delete_object(state, config_key(name, properties))
    state.store.delete(ObjectKey("", "Secret", namespace, f"{name}-protected-parameters"))
    state.protected.pop((namespace, f"{name}-protected-parameters"), None)
    for binding in ("ClusterRoleBinding", "RoleBinding"):
        inner = namespace if binding == "RoleBinding" else ""
        state.store.delete(ObjectKey(RBAC_GROUP, binding, inner, _binding_name(name, namespace)))


def public_key(state: ClusterState, name: str, properties: Properties) -> str:
    """Return the public half of a key pair that was made for a configuration, else nothing."""
    key = (namespace_of(properties), f"{name}-protected-parameters")
    return state.protected.get(key, {}).get("identity.pub", "")


def _apply(state: ClusterState, manifest: Manifest) -> None:
    action = state.store.apply(manifest, manager=_MANAGER, now=state.now)
    key = key_of(manifest)
    if action != "unchanged" and key.group in CONTROLLER_OF_GROUP:
        state.start_over(manifest)


def _labels(name: str, namespace: str) -> dict[str, str]:
    return {
        f"{_LABELS}/is-managed": "true",
        f"{_LABELS}/name": name,
        f"{_LABELS}/namespace": namespace,
    }


def _remove_others(state: ClusterState, name: str, namespace: str, kept: set[ObjectKey]) -> None:
    """Delete Flux objects that a configuration had and has no longer, Kustomizations first."""
    mark = _labels(name, namespace).items()
    for group in (KUSTOMIZE_GROUP, SOURCE_GROUP):
        for manifest in state.store.all():
            key = key_of(manifest)
            labels = manifest["metadata"].get("labels") or {}
            if key.group == group and mark <= labels.items() and key not in kept:
                delete_object(state, key)


def _config(name: str, properties: Properties) -> Manifest:
    namespace = namespace_of(properties)
    kind = properties.get("sourceKind") or "GitRepository"
    field = _SOURCES[kind][0]
    body = properties.get(field) or {}
    shown: Manifest = {"url": body.get("url", "")}
    if body.get("repositoryRef"):
        shown["ref"] = _filled(body["repositoryRef"])
    spec: Manifest = {
        "scope": properties.get("scope") or "cluster",
        "sourceKind": kind,
        "suspend": bool(properties.get("suspend")),
        "protectedParametersSecretRef": {"name": f"{name}-protected-parameters"},
        field: shown | _times(body),
        "kustomizations": [
            {"name": inner, "path": item.get("path") or ""}
            | {field: bool(item.get(field)) for field in ("prune", "force")}
            | _times(item)
            for inner, item in (properties.get("kustomizations") or {}).items()
            if item is not None
        ],
    }
    return {
        "apiVersion": f"{AZURE_GROUP}/v1alpha1",
        "kind": "FluxConfig",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _binding_name(name: str, namespace: str) -> str:
    return f"{APPLIER}-{namespace}-{name}"


def _applier(name: str, properties: Properties) -> list[Manifest]:
    """Return the service account that Flux acts as, with rights after the scope."""
    namespace = namespace_of(properties)
    in_namespace = properties.get("scope") == "namespace"
    kind = "RoleBinding" if in_namespace else "ClusterRoleBinding"
    metadata = {"name": _binding_name(name, namespace)}
    if in_namespace:
        metadata["namespace"] = namespace
    role = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": APPLIER, "namespace": namespace},
        },
        {
            "apiVersion": f"{RBAC_GROUP}/v1",
            "kind": kind,
            "metadata": metadata,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": APPLIER, "namespace": namespace}],
        },
    ]


def _duration(seconds: object, default: int = 600) -> str:
    return format_go(timedelta(seconds=int(str(seconds)) if seconds is not None else default))


def _times(body: Properties) -> Manifest:
    times = {"timeout": _duration(body.get("timeoutInSeconds"))}
    times["syncInterval"] = _duration(body.get("syncIntervalInSeconds"))
    if body.get("retryIntervalInSeconds") is not None:
        times["retryInterval"] = _duration(body["retryIntervalInSeconds"])
    return times


def _filled(body: Properties) -> Manifest:
    return {name: value for name, value in body.items() if value not in (None, "")}


def _source(name: str, properties: Properties, has_secret: bool) -> Manifest:
    namespace = namespace_of(properties)
    source_kind = properties.get("sourceKind") or "GitRepository"
    field, kind = _SOURCES[source_kind]
    body = properties.get(field) or {}
    spec: Manifest = {
        "interval": _duration(body.get("syncIntervalInSeconds")),
        "timeout": _duration(body.get("timeoutInSeconds")),
    }
    if properties.get("suspend"):
        spec["suspend"] = True
    url = str(body.get("url") or "")
    reference = _filled(body.get("repositoryRef") or {})
    if source_kind in ("GitRepository", "OCIRepository"):
        spec["url"] = flux_url(url)
        if reference:
            spec["ref"] = reference
    else:
        blob = source_kind == "AzureBlob"
        spec["endpoint"] = url
        spec["bucketName"] = body.get("containerName" if blob else "bucketName") or ""
        spec["provider"] = "azure" if blob else "generic"
        if body.get("insecure"):
            spec["insecure"] = True
    if source_kind == "GitRepository" and body.get("provider"):
        spec["provider"] = str(body["provider"]).lower()
    if source_kind == "OCIRepository":
        spec |= _oci_parts(name, body)
        has_secret = False  # What is kept for it are certificates, which nobody signs in with.
    secret = body.get("localAuthRef") or (f"{name}-protected-parameters" if has_secret else "")
    if secret:
        spec["secretRef"] = {"name": secret}
    return {
        "apiVersion": f"{SOURCE_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(name, namespace)},
        "spec": spec,
    }


def _oci_parts(name: str, body: Properties) -> Manifest:
    """Return what an OCIRepository has besides URL and reference."""
    parts: Manifest = {}
    if body.get("useWorkloadIdentity"):
        parts["provider"] = "azure"
    for field in ("insecure", "serviceAccountName"):
        if body.get(field):
            parts[field] = body[field]
    if _filled(body.get("layerSelector") or {}):
        parts["layerSelector"] = _filled(body["layerSelector"])
    if (body.get("verify") or {}).get("provider"):
        parts["verify"] = {"provider": str(body["verify"]["provider"]).lower()}
        if body["verify"].get("matchOidcIdentity"):
            parts["verify"]["matchOIDCIdentity"] = body["verify"]["matchOidcIdentity"]
    if _filled(body.get("tlsConfig") or {}):
        parts["certSecretRef"] = {"name": f"{name}-protected-parameters"}
    return parts


def flux_url(url: str) -> str:
    """Write `git@host:path` as the SSH URL that Flux takes; other URLs stay."""
    if url.startswith("git@"):
        host, _, path = url.partition(":")
        return f"ssh://{host}/{path}"
    return url


def _kustomization(name: str, inner: str, body: Properties, properties: Properties) -> Manifest:
    namespace = namespace_of(properties)
    source = source_key(name, properties)
    spec: Manifest = {
        "interval": _duration(body.get("syncIntervalInSeconds")),
        "timeout": _duration(body.get("timeoutInSeconds")),
        "path": body.get("path") or "",
        "prune": bool(body.get("prune")),
        "force": bool(body.get("force")),
        "wait": body.get("wait") is not False,
        "sourceRef": {"kind": source.kind, "name": name},
    }
    if body.get("retryIntervalInSeconds") is not None:
        spec["retryInterval"] = _duration(body["retryIntervalInSeconds"])
    if body.get("dependsOn"):
        spec["dependsOn"] = [{"name": f"{name}-{other}"} for other in body["dependsOn"]]
    if properties.get("suspend"):
        spec["suspend"] = True
    post_build = _filled(body.get("postBuild") or {})
    if post_build:
        spec["postBuild"] = post_build
    return {
        "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
        "kind": "Kustomization",
        "metadata": {
            "name": f"{name}-{inner}",
            "namespace": namespace,
            "labels": _labels(name, namespace),
        },
        "spec": spec,
    }


# --- what signs in --------------------------------------------------------------------------


def _protected(state: ClusterState, name: str, properties: Properties) -> dict[str, str]:
    """Collect the secrets of a source; make a key pair for SSH without one."""
    kind = properties.get("sourceKind") or "GitRepository"
    body = properties.get(_SOURCES[kind][0]) or {}
    if body.get("localAuthRef"):
        return {}
    given = properties.get("configurationProtectedSettings") or {}
    match kind:
        case "Bucket":
            secret = {
                "accesskey": body.get("accessKey") or "",
                "secretkey": _decoded(given.get("bucketSecretKey")),
            }
        case "AzureBlob":
            secret = _blob_secret(body)
        case "OCIRepository":
            tls = body.get("tlsConfig") or {}
            secret = {
                "ca.crt": _decoded(tls.get("caCertificate")),
                "tls.crt": _decoded(tls.get("clientCertificate")),
                "tls.key": _decoded(tls.get("privateKey")),
            }
        case _:
            secret = {
                "username": body.get("httpsUser") or "",
                "password": _decoded(given.get("httpsKey")),
                "ca.crt": _decoded(body.get("httpsCACert")),
                "identity": _decoded(given.get("sshPrivateKey")),
                "known_hosts": _decoded(body.get("sshKnownHosts")),
            }
            is_ssh = flux_url(str(body.get("url") or "")).startswith("ssh://")
            if is_ssh and not secret["identity"]:
                secret |= _key_pair(state, name, namespace_of(properties))
    return _filled(secret)


def _blob_secret(body: Properties) -> dict[str, str]:
    """Write what signs in to a container under the names that source-controller reads."""
    principal = body.get("servicePrincipal") or {}
    identity = body.get("managedIdentity") or {}
    return {
        "accountKey": body.get("accountKey") or "",
        "sasKey": body.get("sasToken") or "",
        "clientId": principal.get("clientId") or identity.get("clientId") or "",
        "tenantId": principal.get("tenantId") or "",
        "clientSecret": principal.get("clientSecret") or "",
        "clientCertificate": _decoded(principal.get("clientCertificate")),
        "clientCertificatePassword": principal.get("clientCertificatePassword") or "",
    }


def _decoded(text: str | None) -> str:
    if not text:
        return ""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text


def _key_pair(state: ClusterState, name: str, namespace: str) -> dict[str, str]:
    """Return the key pair of a configuration: made once, then kept."""
    kept = state.protected.get((namespace, f"{name}-protected-parameters"), {})
    if kept.get("identity.pub"):
        return {part: kept[part] for part in ("identity", "identity.pub")}
    private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    identity = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return {"identity": identity.decode(), "identity.pub": public.decode()}
