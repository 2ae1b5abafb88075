"""Whether a source lets somebody in: what it asks for against what its object gives.

What a source asks for comes from `--repo-auth` (simulator.sources.ACCESS_KINDS). The texts are
those of flux-behaviour section 2; those of storage accounts, S3 and Microsoft Entra ID are the
servers' own as their clients print them, and the inferred ones say so.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization

from .git_source import FAILED_PREFIX, GitAuth, SourceError
from .objects import Manifest, ObjectKey
from .ports import Access
from .state import ClusterState

Secret = dict[str, str]
_UNTRUSTED = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
_PLAIN = "http: server gave HTTP response to HTTPS client"
_HANDSHAKE = "ssh: handshake failed: "
# Azure brings the host keys of these along (Microsoft: GitOps parameters, known_hosts).
_COMMON_HOSTS = (
    *("github.com", "gitlab.com", "bitbucket.org", "ssh.dev.azure.com"),
    "vs-ssh.visualstudio.com",
)
_SSH_RSA = (
    "unknown error: remote: Command git-upload-pack: You’re using ssh-rsa that is about to be "
    "deprecated and your request has been blocked intentionally. Any SSH session using SSH-RSA is "
    "subject to brown out (failure during random time periods). Please use rsa-sha2-256 or "
    "rsa-sha2-512 instead. For more details see https://aka.ms/ado-ssh-rsa-deprecation."
)
# What git says then, from which the client makes Flux's words.
_STDERR_OF = {
    "refused": "Connection refused",
    "timeout": "Operation timed out",
    **{str(code): f"The requested URL returned error: {code}" for code in range(400, 600)},
}
SUBJECT = "system:serviceaccount:flux-system:source-controller"
_FOREIGN_SUBJECT = (
    "WorkloadIdentityCredential authentication failed. AADSTS700213: No matching federated "
    f"identity record found for presented assertion subject '{SUBJECT}'. Check your federated "
    "identity credential Subject, Audience and Issuer against the presented assertion."
)
_NO_CREDENTIAL = (
    "DefaultAzureCredential: failed to acquire a token. Attempted credentials: "
    "EnvironmentCredential: missing environment variable AZURE_TENANT_ID; "
    "WorkloadIdentityCredential: no client ID specified. Check pod configuration or set ClientID "
    "in the options"
)


def failed_authentication(text: str) -> SourceError:
    return SourceError("AuthenticationFailed", text)


# --- Git ----------------------------------------------------------------------------------------


def check_git(state: ClusterState, manifest: Manifest, auth: GitAuth, *, listed: bool) -> None:
    """Let a GitRepository in or raise SourceError. `listed`: the remote is listed first."""
    url = str(manifest["spec"]["url"])
    provider = str(manifest["spec"].get("provider") or "generic")
    if provider == "azure":
        try:
            identity = workload_identity(state)
        except _NoTokenError as error:
            text = f"failed to configure authentication options: {error}"
            raise failed_authentication(text) from None
    else:
        identity = ""
    asked = state.sources.access(url)
    if not asked:
        return
    answers = _of(asked, "answer")
    if answers:
        raise state.git.failure(url, _STDERR_OF.get(answers[0].value, answers[0].value), listed)
    ssh = url.startswith("ssh://")
    fault = _ssh_fault(state, url, asked, auth) if ssh else _https_fault(url, asked, auth, identity)
    if fault:
        verb = "unable to list remote for" if listed else "unable to clone"
        raise SourceError("GitOperationFailed", f"{FAILED_PREFIX}{verb} '{url}': {fault}")


def _https_fault(url: str, asked: tuple[Access, ...], auth: GitAuth, identity: str) -> str:
    if not _trusts(asked, auth.ca_certificate):
        return f'Get "{url}/info/refs?service=git-upload-pack": {_UNTRUSTED}'
    wanted = [item for item in asked if item.kind in ("https", "azure", "github")]
    given = {
        "https": [auth.username, auth.password],
        "azure": [identity],
        "github": [auth.app_id, auth.installation_id],
    }
    if not wanted or any(item.parts == given[item.kind] for item in wanted):
        return ""
    if urlsplit(url).hostname == "github.com":
        told = "Invalid username or token. Password authentication is not supported for Git "
        told = f"{told}operations." if auth.password else "Repository not found."
        return f"authentication required: {told}"
    return "authentication required: Unauthorized"


def _ssh_fault(state: ClusterState, url: str, asked: tuple[Access, ...], auth: GitAuth) -> str:
    host = urlsplit(url).hostname or ""
    wanted = _of(asked, "algorithms")
    algorithms = state.setting("source-controller.ssh-host-key-args", "")
    if wanted and not any(name in algorithms for item in wanted for name in item.value.split(",")):
        return _SSH_RSA
    for item in _of(asked, "hostkey"):
        known = _known_keys(auth.known_hosts, host)
        if not known and host in _COMMON_HOSTS:
            continue
        if item.value.split()[:2] not in known:
            return f"{_HANDSHAKE}knownhosts: key {'mismatch' if known else 'is unknown'}"
    keys = _of(asked, "ssh")
    own = public_part(auth.identity)
    if keys and (not own or own not in {public_part(item.value) for item in keys}):
        return (
            f"{_HANDSHAKE}ssh: unable to authenticate, attempted methods [none publickey], no "
            "supported methods remain"
        )
    return ""


def _known_keys(known_hosts: str, host: str) -> list[list[str]]:
    """Return [type, key] of each line of a known_hosts file that names a host."""
    lines = [line.split() for line in known_hosts.splitlines()]
    return [
        words[1:3]
        for words in lines
        if len(words) >= 3 and host in words[0].replace("[", "").replace("]", "").split(",")
    ]


def public_part(key: str) -> str:
    """Return "type base64" of a private or public SSH key; nothing for what is none."""
    if key.startswith(("ssh-", "ecdsa-")):
        return " ".join(key.split()[:2])
    data = key.strip().encode() + b"\n"
    load = serialization.load_ssh_private_key
    if b"OPENSSH PRIVATE KEY" not in data:
        load = serialization.load_pem_private_key  # type: ignore[assignment]
    try:
        public = load(data, password=None).public_key()
        shown = public.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
    except (ValueError, TypeError):
        return ""
    return " ".join(shown.decode().split()[:2])


# --- Bucket and Azure Blob ----------------------------------------------------------------------


def check_bucket(state: ClusterState, manifest: Manifest, address: str, secret: Secret) -> None:
    """Let a Bucket in or raise SourceError."""
    spec = manifest["spec"]
    asked = state.sources.access(address)
    name = spec["bucketName"]
    azure = spec.get("provider") == "azure"
    if _of(asked, "http") and not (spec.get("insecure") or azure):
        fault = f'Get "{address}/?location=": {_PLAIN}'
    else:
        fault = _blob_fault(state, address, asked, secret) if azure else _s3_fault(asked, secret)
    if fault:
        text = f"failed to confirm existence of '{name}' bucket: {fault}"
        raise SourceError("BucketOperationFailed", text)


def _s3_fault(asked: tuple[Access, ...], secret: Secret) -> str:
    wanted = _of(asked, "bucket")
    given = [secret.get("accesskey", ""), secret.get("secretkey", "")]
    if not wanted or any(item.parts == given for item in wanted):
        return ""
    if not given[0]:
        return "Access Denied."
    if any(item.parts[0] == given[0] for item in wanted):
        return (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )
    return "The Access Key Id you provided does not exist in our records."


def _blob_fault(
    state: ClusterState, address: str, asked: tuple[Access, ...], secret: Secret
) -> str:
    kinds = ("account-key", "sas", "service-principal", "managed-identity", "azure")
    wanted = [item for item in asked if item.kind in kinds]
    if not wanted:
        return ""
    principal = [secret.get(field, "") for field in ("clientId", "tenantId")]
    proof = secret.get("clientSecret") or secret.get("clientCertificate") or ""
    client = secret.get("clientId", "") if not principal[1] else ""
    given = {
        "account-key": [secret.get("accountKey", "")],
        "sas": [secret.get("sasKey", "").removeprefix("?")],
        "service-principal": [*principal, proof],
        "managed-identity": [client],
        "azure": [_identity_or_none(state)],
    }
    if client and not state.cluster_id.lower().partition("/managedclusters/")[1]:
        # Microsoft documents managed identity for blobs on AKS alone.
        return (
            "ManagedIdentityCredential authentication failed. the requested identity isn't "
            "assigned to this resource"
        )
    if any(
        [part.strip() for part in item.parts] == [part.strip() for part in given[item.kind]]
        for item in wanted
    ):
        return ""
    return _storage_refusal(address, secret)


def _storage_refusal(address: str, secret: Secret) -> str:
    if secret.get("clientSecret"):
        return (
            "ClientSecretCredential authentication failed. AADSTS7000215: Invalid client secret "
            "provided."
        )
    if secret.get("clientCertificate"):
        return (
            "ClientCertificateCredential authentication failed. AADSTS700027: Client assertion "
            "failed signature validation."
        )
    if secret.get("clientId"):
        return (
            "ManagedIdentityCredential authentication failed. the requested identity isn't "
            "assigned to this resource"
        )
    if secret:
        told = (
            "RESPONSE 403: 403 Server failed to authenticate the request. Make sure the value of "
            "Authorization header is formed correctly including the signature. ERROR CODE: "
            "AuthenticationFailed"
        )
    else:
        told = (
            "RESPONSE 409: 409 Public access is not permitted on this storage account. ERROR CODE: "
            "PublicAccessNotPermitted"
        )
    return f"GET {address} {told}"


# --- OCI ----------------------------------------------------------------------------------------


def check_oci(state: ClusterState, manifest: Manifest, wanted: str, secret: Secret) -> None:
    """Let an OCIRepository in or raise SourceError. `wanted`: the tag or digest asked for."""
    spec, asked = manifest["spec"], state.sources.access(str(manifest["spec"]["url"]))
    parts = urlsplit(str(spec["url"]))
    failed = "failed to determine artifact digest: "
    identity = registry_identity(state, spec)
    _need_account(state, manifest)
    ping = f'Get "https://{parts.netloc}/v2/": '
    if _of(asked, "http") and not spec.get("insecure"):
        raise SourceError("OCIArtifactPullFailed", f"{failed}{ping}{_PLAIN}")
    if not _trusts(asked, secret_of(state, manifest, "certSecretRef").get("ca.crt", "")):
        raise SourceError("OCIArtifactPullFailed", f"{failed}{ping}{_UNTRUSTED}")
    address = f"https://{parts.netloc}/v2/{parts.path.strip('/')}/manifests/{wanted}"
    fault = registry_fault(asked, parts.netloc, secret, identity)
    if fault:
        raise SourceError("OCIArtifactPullFailed", f"{failed}GET {address}: {fault}")


def registry_identity(state: ClusterState, spec: Manifest) -> str:
    """Return the identity that `provider: azure` signs in with, nothing for other providers.

    Raises SourceError when source-controller gets no token.
    """
    if spec.get("provider") != "azure":
        return ""
    try:
        return workload_identity(state)
    except _NoTokenError as error:
        raise failed_authentication(f"failed to get credential from azure: {error}") from None


def registry_fault(asked: tuple[Access, ...], host: str, secret: Secret, identity: str = "") -> str:
    """Return what a registry or chart server says of somebody; nothing when it lets them in."""
    wanted = [item for item in asked if item.kind in ("https", "azure")]
    given = {"https": docker_login(secret, host), "azure": [identity]}
    if not wanted or any(item.parts == given[item.kind] for item in wanted):
        return ""
    if identity:
        return "DENIED: requested access to the resource is denied"
    return "UNAUTHORIZED: authentication required, visit https://aka.ms/acr/authorization"


def docker_login(secret: Secret, host: str) -> list[str]:
    """Return [user, password] for a registry from a Secret of either kind."""
    if "username" in secret:
        return [secret["username"], secret.get("password", "")]
    try:
        found = json.loads(secret.get(".dockerconfigjson") or "{}")["auths"][host]
        if found.get("auth"):
            return base64.b64decode(found["auth"]).decode().split(":", 1)
        return [str(found["username"]), str(found["password"])]
    except (ValueError, KeyError, TypeError):
        return []


def _need_account(state: ClusterState, manifest: Manifest) -> None:
    name = manifest["spec"].get("serviceAccountName")
    namespace = manifest["metadata"]["namespace"]
    if name and ObjectKey("", "ServiceAccount", namespace, name) not in state.store:
        # The words are inferred.
        text = f"failed to get service account '{namespace}/{name}': serviceaccounts"
        raise failed_authentication(f'{text} "{name}" not found')


# --- Microsoft Entra ID -------------------------------------------------------------------------


class _NoTokenError(Exception):
    """Microsoft Entra ID gives source-controller no token; the text says why."""


def workload_identity(state: ClusterState) -> str:
    """Return the client id that source-controller signs in as. Raises _NoTokenError.

    It needs the extension's `workloadIdentity.enable` with a client id, and a federated
    credential of that identity for source-controller with this cluster's issuer. Without it the
    nodes' own identity is taken where `useKubeletIdentity` says so, on AKS alone.
    """
    client = state.setting("workloadIdentity.azureClientId", "")
    if not state.enabled("workloadIdentity.enable", default=False) or not client:
        if state.enabled("useKubeletIdentity", default=False) and state.kubelet_identity:
            return state.kubelet_identity
        raise _NoTokenError(_NO_CREDENTIAL)
    if not state.federation(client, SUBJECT):
        raise _NoTokenError(_FOREIGN_SUBJECT)
    return client


def _identity_or_none(state: ClusterState) -> str:
    try:
        return workload_identity(state)
    except _NoTokenError:
        return ""


# --- Secrets ------------------------------------------------------------------------------------


def secret_of(state: ClusterState, manifest: Manifest, field: str = "secretRef") -> Secret:
    """Return what the Secret that a source names holds, nothing when it names none.

    Raises SourceError when the Secret is not there.
    """
    name = (manifest["spec"].get(field) or {}).get("name")
    if not name:
        return {}
    namespace = manifest["metadata"]["namespace"]
    secret = state.protected.get((namespace, name)) or read_secret(state, namespace, name)
    if secret is None:
        text = f"failed to get secret '{namespace}/{name}': secrets \"{name}\" not found"
        raise failed_authentication(text)
    return secret


def read_secret(state: ClusterState, namespace: str, name: str) -> Secret | None:
    """Return the decoded content of a Secret of the cluster."""
    manifest = state.store.get(ObjectKey("", "Secret", namespace, name))
    if manifest is None:
        return None
    return {
        field: base64.b64decode(value).decode("utf-8", "replace")
        for field, value in (manifest.get("data") or {}).items()
    } | (manifest.get("stringData") or {})


def _of(asked: tuple[Access, ...], kind: str) -> list[Access]:
    return [item for item in asked if item.kind == kind]


def _trusts(asked: tuple[Access, ...], certificate: str) -> bool:
    wanted = _of(asked, "ca")
    return not wanted or certificate.strip() in {item.value.strip() for item in wanted}
