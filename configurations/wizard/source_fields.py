"""Every field of the four kinds of source: where it stands in ARM's JSON and when it is asked for.

The wizard's form, what it writes and what an edit begins with all follow these tables. Paths are
those of `properties`, api-version 2025-04-01. A `Choice` has no field of its own in ARM, or one
that only some of its values write; it decides which fields are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrPromise

from configurations.wizard.shapes import Shape

Text = str | StrPromise
Wire = Mapping[str, Any]
SETTINGS = "configurationProtectedSettings"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A value of the source. `when`: the choices under which it is asked for, all of them."""

    name: str
    path: tuple[str, ...]
    label: Text
    hint: Text = ""
    shape: Shape = Shape.TEXT
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required: bool = False
    default: Any = ""  # as typed
    missing: Any = None  # what ARM takes an absent value for; None: nothing
    options: tuple[tuple[str, Text], ...] = ()
    folded: bool = False  # among the additional settings

    @property
    def is_secret(self) -> bool:
        return self.shape.is_secret


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Something to choose. `read` finds it in a resource; `writes`: value -> (path, what)."""

    name: str
    label: Text
    options: tuple[tuple[str, Text], ...]
    read: Callable[[Wire], str]
    hints: Mapping[str, Text] = field(default_factory=dict)
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = ""
    writes: Mapping[str, tuple[tuple[str, ...], Any]] = field(default_factory=dict)


Item = Field | Choice


def at(value: Wire, *path: str) -> Any:
    """What stands at this path; None where nothing does."""
    found: Any = value
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def is_asked(item: Item, values: Mapping[str, Any]) -> bool:
    """Whether the choices that were made ask for this item."""
    return all(str(values.get(name) or "") in wanted for name, wanted in item.when.items())


def items_of(kind: str) -> tuple[Item, ...]:
    """The items of a source kind in the order of the form; those of Git for an unknown kind."""
    return KINDS.get(kind, GIT)


def fields_of(kind: str) -> Iterator[Field]:
    return (item for item in items_of(kind) if isinstance(item, Field))


def choices_of(kind: str) -> Iterator[Choice]:
    return (item for item in items_of(kind) if isinstance(item, Choice))


def secret_fields() -> dict[str, Field]:
    """Every secret of any kind, by its name in the form."""
    return {it.name: it for kind in KINDS for it in fields_of(kind) if it.is_secret}


def _first(body: str, *keys: str, default: str) -> Callable[[Wire], str]:
    """The first of these keys of the reference that is set."""
    return lambda value: next((it for it in keys if at(value, body, "repositoryRef", it)), default)


def _times(body: str, prefix: str = "") -> tuple[Field, ...]:
    return (
        Field(
            name=f"{prefix}sync_interval",
            path=(body, "syncIntervalInSeconds"),
            label=_("Sync interval (minutes)"),
            shape=Shape.MINUTES,
            required=True,
            default="10",
            missing=600,
        ),
        Field(
            name=f"{prefix}sync_timeout",
            path=(body, "timeoutInSeconds"),
            label=_("Sync timeout (minutes)"),
            shape=Shape.MINUTES,
            required=True,
            default="10",
            missing=600,
        ),
    )


_LOCAL_HINT = _("The name of a Secret in the configuration's namespace on the cluster.")


# --- Git ------------------------------------------------------------------------------------
def _git_sign_in(value: Wire) -> str:
    git = at(value, "gitRepository") or {}
    by_provider = {"Azure": "azure", "GitHub": "github"}.get(str(git.get("provider") or ""))
    if by_provider:
        return by_provider
    if git.get("localAuthRef"):
        return "local"
    if git.get("httpsUser") or at(value, SETTINGS, "httpsKey"):
        return "https"
    if str(git.get("url") or "").startswith(("ssh://", "git@")):
        given = at(value, SETTINGS, "sshPrivateKey") or not value.get("repositoryPublicKey")
        return "ssh_key" if given else "ssh_generated"
    return ""


_PRIVATE = {"repository_type": ("private",)}
_SSH = ("ssh_key", "ssh_generated")
GIT: tuple[Item, ...] = (
    Field(
        name="url",
        path=("gitRepository", "url"),
        label=_("Repository URL"),
        hint=_("https://, ssh:// or git@host:path. Never with a password in it."),
        required=True,
    ),
    Choice(
        name="reference_type",
        label=_("Reference type"),
        options=(
            ("branch", _("Branch")),
            ("tag", _("Tag")),
            ("semver", _("Semver")),
            ("commit", _("Commit")),
        ),
        read=_first("gitRepository", "branch", "tag", "semver", "commit", default="branch"),
        default="branch",
    ),
    Field(
        name="branch",
        path=("gitRepository", "repositoryRef", "branch"),
        label=_("Branch"),
        when={"reference_type": ("branch",)},
        required=True,
        default="main",
    ),
    Field(
        name="tag",
        path=("gitRepository", "repositoryRef", "tag"),
        label=_("Tag"),
        when={"reference_type": ("tag",)},
        required=True,
    ),
    Field(
        name="semver",
        path=("gitRepository", "repositoryRef", "semver"),
        label=_("Semver"),
        hint=_("A range of tags, such as >=1.0.0 <2.0.0."),
        when={"reference_type": ("semver",)},
        required=True,
    ),
    Field(
        name="commit",
        path=("gitRepository", "repositoryRef", "commit"),
        label=_("Commit"),
        when={"reference_type": ("commit",)},
        required=True,
    ),
    Choice(
        name="repository_type",
        label=_("Repository type"),
        options=(("public", _("Public")), ("private", _("Private"))),
        read=lambda value: "private" if _git_sign_in(value) else "public",
        default="public",
    ),
    Choice(
        name="sign_in",
        label=_("Authentication"),
        options=(
            ("https", _("HTTPS user and key")),
            ("ssh_key", _("SSH, private key given here")),
            ("ssh_generated", _("SSH, key pair made by Flux")),
            ("local", _("Secret on the cluster")),
            ("azure", _("Azure workload identity")),
            ("github", _("GitHub App")),
        ),
        hints={
            "https": _("The key is a password or a personal access token."),
            "ssh_key": _("The public half must be known to the repository."),
            "ssh_generated": _(
                "Flux makes the pair after the first apply. Its public key then stands on the "
                "configuration's page; add it to the repository as a deploy key. Until then the "
                "source is Non-Compliant."
            ),
            "local": _("Nothing secret passes through Fluxgate or Azure."),
            "azure": _(
                "For Azure DevOps. The extension needs workload identity, the cluster an OIDC "
                "issuer, and the identity must be a user of the Azure DevOps organisation."
            ),
            "github": _("The App's id, installation id and private key are in a Secret."),
        },
        read=lambda value: _git_sign_in(value) or "https",
        when=_PRIVATE,
        default="https",
        writes={
            "azure": (("gitRepository", "provider"), "Azure"),
            "github": (("gitRepository", "provider"), "GitHub"),
        },
    ),
    Field(
        name="https_user",
        path=("gitRepository", "httpsUser"),
        label=_("HTTPS user"),
        when={**_PRIVATE, "sign_in": ("https",)},
        required=True,
    ),
    Field(
        name="https_key",
        path=(SETTINGS, "httpsKey"),
        label=_("HTTPS key"),
        shape=Shape.HIDDEN_BASE64,
        when={**_PRIVATE, "sign_in": ("https",)},
        required=True,
    ),
    Field(
        name="ssh_private_key",
        path=(SETTINGS, "sshPrivateKey"),
        label=_("SSH private key"),
        hint=_("PEM without a passphrase: RSA, ECC, DSA or Ed25519."),
        shape=Shape.HIDDEN_PEM,
        when={**_PRIVATE, "sign_in": ("ssh_key",)},
        required=True,
    ),
    Field(
        name="local_auth_ref",
        path=("gitRepository", "localAuthRef"),
        label=_("Local authentication reference"),
        hint=_LOCAL_HINT,
        when={**_PRIVATE, "sign_in": ("local", "github")},
        required=True,
    ),
    Field(
        name="known_hosts",
        path=("gitRepository", "sshKnownHosts"),
        label=_("Known hosts"),
        hint=_("Lines of known_hosts. Only needed where Flux does not know the host."),
        shape=Shape.BASE64_TEXT,
        when={**_PRIVATE, "sign_in": _SSH},
    ),
    *_times("gitRepository"),
    Field(
        name="https_ca_cert",
        path=("gitRepository", "httpsCACert"),
        label=_("HTTPS CA certificate"),
        hint=_("PEM, where the server's certificate is from an authority of your own."),
        shape=Shape.BASE64_TEXT,
        folded=True,
    ),
)


# --- Bucket ---------------------------------------------------------------------------------
BUCKET: tuple[Item, ...] = (
    Field(
        name="bucket_url",
        path=("bucket", "url"),
        label=_("Bucket URL"),
        hint=_("The endpoint of the S3-compatible store, such as https://minio.example."),
        required=True,
    ),
    Field(name="bucket_name", path=("bucket", "bucketName"), label=_("Bucket name"), required=True),
    Choice(
        name="bucket_sign_in",
        label=_("Authentication"),
        options=(
            ("keys", _("Access key and secret key")),
            ("local", _("Secret on the cluster")),
        ),
        read=lambda value: "local" if at(value, "bucket", "localAuthRef") else "keys",
        default="keys",
    ),
    Field(
        name="bucket_access_key",
        path=("bucket", "accessKey"),
        label=_("Access key"),
        when={"bucket_sign_in": ("keys",)},
        required=True,
    ),
    Field(
        name="bucket_secret_key",
        path=(SETTINGS, "bucketSecretKey"),
        label=_("Secret key"),
        shape=Shape.HIDDEN_BASE64,
        when={"bucket_sign_in": ("keys",)},
        required=True,
    ),
    Field(
        name="bucket_local_auth_ref",
        path=("bucket", "localAuthRef"),
        label=_("Local authentication reference"),
        hint=_LOCAL_HINT,
        when={"bucket_sign_in": ("local",)},
        required=True,
    ),
    *_times("bucket", "bucket_"),
    Field(
        name="bucket_insecure",
        path=("bucket", "insecure"),
        label=_("Insecure"),
        hint=_("Without TLS. Azure's own default is on."),
        shape=Shape.FLAG,
        default=False,
        missing=True,
        folded=True,
    ),
)


# --- Azure Blob -----------------------------------------------------------------------------
def _blob_sign_in(value: Wire) -> str:
    blob = at(value, "azureBlob") or {}
    principal = blob.get("servicePrincipal") or {}
    if principal:
        by_certificate = principal.get("clientCertificate") or (
            principal.get("clientCertificateSendChain") is not None
        )
        return "certificate" if by_certificate else "principal"
    if blob.get("localAuthRef"):
        return "local"
    if at(blob, "managedIdentity", "clientId"):
        return "identity"
    return "sas" if blob.get("sasToken") else "account"


_PRINCIPAL = {"blob_sign_in": ("principal", "certificate")}
_CERTIFICATE = {"blob_sign_in": ("certificate",)}
BLOB: tuple[Item, ...] = (
    Field(
        name="blob_url",
        path=("azureBlob", "url"),
        label=_("Blob URL"),
        hint=_("Of the storage account, such as https://account.blob.core.windows.net."),
        required=True,
    ),
    Field(
        name="container_name",
        path=("azureBlob", "containerName"),
        label=_("Container name"),
        required=True,
    ),
    Choice(
        name="blob_sign_in",
        label=_("Authentication"),
        options=(
            ("account", _("Account key")),
            ("sas", _("SAS token")),
            ("principal", _("Service principal with a secret")),
            ("certificate", _("Service principal with a certificate")),
            ("identity", _("Managed identity")),
            ("local", _("Secret on the cluster")),
        ),
        hints={
            "identity": _(
                "AKS only. The kubelet's identity needs the role Storage Blob Data Reader."
            ),
        },
        read=_blob_sign_in,
        default="account",
    ),
    Field(
        name="blob_account_key",
        path=("azureBlob", "accountKey"),
        label=_("Account key"),
        shape=Shape.HIDDEN,
        when={"blob_sign_in": ("account",)},
        required=True,
    ),
    Field(
        name="blob_sas_token",
        path=("azureBlob", "sasToken"),
        label=_("SAS token"),
        shape=Shape.HIDDEN,
        when={"blob_sign_in": ("sas",)},
        required=True,
    ),
    Field(
        name="blob_client_id",
        path=("azureBlob", "servicePrincipal", "clientId"),
        label=_("Client id"),
        when=_PRINCIPAL,
        required=True,
    ),
    Field(
        name="blob_tenant_id",
        path=("azureBlob", "servicePrincipal", "tenantId"),
        label=_("Tenant id"),
        when=_PRINCIPAL,
        required=True,
    ),
    Field(
        name="blob_client_secret",
        path=("azureBlob", "servicePrincipal", "clientSecret"),
        label=_("Client secret"),
        shape=Shape.HIDDEN,
        when={"blob_sign_in": ("principal",)},
        required=True,
    ),
    Field(
        name="blob_certificate",
        path=("azureBlob", "servicePrincipal", "clientCertificate"),
        label=_("Client certificate with its key"),
        hint=_("PEM, or a PFX file in base64."),
        shape=Shape.HIDDEN_PEM,
        when=_CERTIFICATE,
        required=True,
    ),
    Field(
        name="blob_certificate_password",
        path=("azureBlob", "servicePrincipal", "clientCertificatePassword"),
        label=_("Password of the certificate"),
        shape=Shape.HIDDEN,
        when=_CERTIFICATE,
    ),
    Field(
        name="blob_send_chain",
        path=("azureBlob", "servicePrincipal", "clientCertificateSendChain"),
        label=_("Send the certificate chain"),
        hint=_("For sign-in by subject name and issuer."),
        shape=Shape.FLAG,
        when=_CERTIFICATE,
        default=False,
    ),
    Field(
        name="blob_identity_client_id",
        path=("azureBlob", "managedIdentity", "clientId"),
        label=_("Client id of the identity"),
        when={"blob_sign_in": ("identity",)},
        required=True,
    ),
    Field(
        name="blob_local_auth_ref",
        path=("azureBlob", "localAuthRef"),
        label=_("Local authentication reference"),
        hint=_(
            "The name of a Secret in the configuration's namespace on the cluster. Instead of "
            "accountKey it may have sasKey, or tenantId, clientId and clientSecret."
        ),
        when={"blob_sign_in": ("local",)},
        required=True,
    ),
    *_times("azureBlob", "blob_"),
)


# --- OCI ------------------------------------------------------------------------------------
def _oci_sign_in(value: Wire) -> str:
    oci = at(value, "ociRepository") or {}
    if oci.get("useWorkloadIdentity"):
        return "workload"
    if oci.get("serviceAccountName"):
        return "account"
    return "local" if oci.get("localAuthRef") else "public"


def _oci_reference(key: str) -> tuple[str, ...]:
    return ("ociRepository", "repositoryRef", key)


_VERIFIED = {"oci_verified": ("cosign", "notation")}
OCI: tuple[Item, ...] = (
    Field(
        name="oci_url",
        path=("ociRepository", "url"),
        label=_("Repository URL"),
        hint=_("oci://registry/organisation/repository, without a tag."),
        required=True,
    ),
    Choice(
        name="oci_reference_type",
        label=_("Reference type"),
        options=(
            ("tag", _("Tag")),
            ("semver", _("Semver")),
            ("digest", _("Digest")),
            ("latest", _("None: the tag latest")),
        ),
        read=_first("ociRepository", "tag", "semver", "digest", default="latest"),
        default="tag",
    ),
    Field(
        name="oci_tag",
        path=_oci_reference("tag"),
        label=_("Tag"),
        when={"oci_reference_type": ("tag",)},
        required=True,
    ),
    Field(
        name="oci_semver",
        path=_oci_reference("semver"),
        label=_("Semver"),
        hint=_("A range of tags, such as >=1.0.0 <2.0.0."),
        when={"oci_reference_type": ("semver",)},
        required=True,
    ),
    Field(
        name="oci_digest",
        path=_oci_reference("digest"),
        label=_("Digest"),
        hint=_("sha256: and 64 hexadecimal digits."),
        when={"oci_reference_type": ("digest",)},
        required=True,
    ),
    Choice(
        name="oci_sign_in",
        label=_("Authentication"),
        options=(
            ("public", _("Public")),
            ("workload", _("Azure workload identity")),
            ("account", _("Service account on the cluster")),
            ("local", _("Secret on the cluster")),
        ),
        hints={
            "workload": _(
                "The extension needs workload identity, and the identity the role AcrPull."
            ),
            "account": _("Its image pull secrets are used."),
        },
        read=_oci_sign_in,
        default="public",
        writes={"workload": (("ociRepository", "useWorkloadIdentity"), True)},
    ),
    Field(
        name="oci_service_account",
        path=("ociRepository", "serviceAccountName"),
        label=_("Service account"),
        when={"oci_sign_in": ("account",)},
        required=True,
    ),
    Field(
        name="oci_local_auth_ref",
        path=("ociRepository", "localAuthRef"),
        label=_("Local authentication reference"),
        hint=_LOCAL_HINT,
        when={"oci_sign_in": ("local",)},
        required=True,
    ),
    *_times("ociRepository", "oci_"),
    Field(
        name="oci_media_type",
        path=("ociRepository", "layerSelector", "mediaType"),
        label=_("Layer media type"),
        hint=_("If left blank, the first layer is taken."),
        folded=True,
    ),
    Field(
        name="oci_operation",
        path=("ociRepository", "layerSelector", "operation"),
        label=_("Layer operation"),
        options=(("", _("Default: extract")), ("extract", _("Extract")), ("copy", _("Copy"))),
        folded=True,
    ),
    Choice(
        name="oci_verified",
        label=_("Signature verification"),
        options=(("", _("None")), ("cosign", "Cosign"), ("notation", "Notation")),
        read=lambda value: str(at(value, "ociRepository", "verify", "provider") or ""),
        writes={
            "cosign": (("ociRepository", "verify", "provider"), "cosign"),
            "notation": (("ociRepository", "verify", "provider"), "notation"),
        },
    ),
    Field(
        name="oci_verification_config",
        path=("ociRepository", "verify", "verificationConfig"),
        label=_("Verification settings"),
        hint=_("One name=value a line."),
        shape=Shape.PAIRS,
        when=_VERIFIED,
    ),
    Field(
        name="oci_identities",
        path=("ociRepository", "verify", "matchOidcIdentity"),
        label=_("Signers (OIDC)"),
        hint=_("One a line: issuer, a space, subject. Both are regular expressions."),
        shape=Shape.IDENTITIES,
        when={"oci_verified": ("cosign",)},
    ),
    Field(
        name="oci_ca_certificate",
        path=("ociRepository", "tlsConfig", "caCertificate"),
        label=_("TLS: CA certificate"),
        shape=Shape.HIDDEN_PEM,
        folded=True,
    ),
    Field(
        name="oci_client_certificate",
        path=("ociRepository", "tlsConfig", "clientCertificate"),
        label=_("TLS: client certificate"),
        shape=Shape.HIDDEN_PEM,
        folded=True,
    ),
    Field(
        name="oci_private_key",
        path=("ociRepository", "tlsConfig", "privateKey"),
        label=_("TLS: private key"),
        shape=Shape.HIDDEN_PEM,
        folded=True,
    ),
    Field(
        name="oci_insecure",
        path=("ociRepository", "insecure"),
        label=_("Insecure"),
        hint=_("Without TLS."),
        shape=Shape.FLAG,
        default=False,
        folded=True,
    ),
)

KINDS: dict[str, tuple[Item, ...]] = {
    "GitRepository": GIT,
    "Bucket": BUCKET,
    "AzureBlob": BLOB,
    "OCIRepository": OCI,
}
KIND_LABELS: tuple[tuple[str, Text], ...] = (
    ("GitRepository", _("Git Repository")),
    ("Bucket", _("Bucket")),
    ("AzureBlob", _("Azure Blob")),
    ("OCIRepository", _("OCI Repository")),
)
