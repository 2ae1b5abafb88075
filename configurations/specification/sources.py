"""Rules of how a source signs in, and of the kinds other than Git (k8s-configuration CLI)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)
from django.utils.translation import gettext as _

from configurations.specification import texts
from configurations.specification.models import (
    AzureBlob,
    Bucket,
    GitRepository,
    OciRepository,
    Specification,
)
from configurations.specification.violations import Violation

LACKING = "lacking"  # a code of its own: Azure may hold what we do not know
_SETTINGS = "configurationProtectedSettings"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")  # OCI distribution specification 1.1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OWNERS = {
    "sshPrivateKey": "GitRepository",
    "httpsKey": "GitRepository",
    "bucketSecretKey": "Bucket",
}


def lacks_secret(properties: Mapping[str, Any]) -> bool:
    """Whether the source signs in with a secret that is not in these properties."""
    found = source_rules(Specification.from_wire(properties))
    return any(it.code == LACKING for it in found)


def source_rules(spec: Specification) -> Iterator[Violation]:
    """What holds between a source, its secrets and its kind."""
    settings = spec.configuration_protected_settings or {}
    for key, value in settings.items():
        owner = _OWNERS.get(key)
        if value not in (None, "") and owner is not None and owner != spec.kind:
            yield Violation((_SETTINGS, key), "other_kind", _("This source does not use it."))
        if isinstance(value, str) and value and _decoded(value) is None:
            yield Violation((_SETTINGS, key), "base64", _("The value is not base64."))
    match spec.source:
        case GitRepository() as git:
            yield from _git_sign_in(git, settings)
        case Bucket() as bucket:
            yield from _bucket(bucket, settings)
        case AzureBlob() as blob:
            yield from _blob(blob)
        case OciRepository() as oci:
            yield from _oci(oci)


def _at(violation: Violation | None, *field: str) -> Iterator[Violation]:
    if violation is not None:
        yield violation.under(*field)


# --- Git ------------------------------------------------------------------------------------
def _git_sign_in(git: GitRepository, settings: Mapping[str, Any]) -> Iterator[Violation]:
    by_http = (git.url or "").startswith(("http://", "https://"))
    key, password = settings.get("sshPrivateKey"), settings.get("httpsKey")
    if by_http and key:
        yield Violation(
            (_SETTINGS, "sshPrivateKey"), "ssh_with_http", _("An http(s) URL takes no SSH key.")
        )
    if by_http and git.ssh_known_hosts:
        yield Violation(
            ("gitRepository", "sshKnownHosts"), "ssh_with_http",
            _("An http(s) URL takes no SSH known hosts."),
        )  # fmt: skip
    if not by_http and git.url and (git.https_user or password):
        yield Violation(
            ("gitRepository", "httpsUser"), "http_with_ssh",
            _("An SSH URL takes no HTTPS user or key."),
        )  # fmt: skip
    elif password and not git.https_user:
        yield Violation(
            ("gitRepository", "httpsUser"), "pair", _("An HTTPS key needs its HTTPS user.")
        )
    elif git.https_user and not password:
        yield Violation((_SETTINGS, "httpsKey"), LACKING, _("An HTTPS user needs its HTTPS key."))
    if isinstance(key, str) and not is_private_key(key):
        yield Violation(
            (_SETTINGS, "sshPrivateKey"), "private_key",
            _("This is no PEM private key of type RSA, ECC, DSA or Ed25519."),
        )  # fmt: skip
    if git.ssh_known_hosts and not is_known_hosts(git.ssh_known_hosts):
        yield Violation(
            ("gitRepository", "sshKnownHosts"), "known_hosts",
            _("A line is not in the format of known_hosts (sshd(8))."),
        )  # fmt: skip
    yield from _git_ca(git, by_http)
    yield from _git_one_way(git, by_http, bool(git.https_user or password or key))


def _git_ca(git: GitRepository, by_http: bool) -> Iterator[Violation]:
    field = ("gitRepository", "httpsCACert")
    if not git.https_ca_cert:
        return
    if not by_http and git.url:
        yield Violation(field, "http_with_ssh", _("An SSH URL takes no HTTPS CA certificate."))
    elif _decoded(git.https_ca_cert) is None:
        yield Violation(field, "base64", _("The value is not base64."))
    elif not is_certificate(git.https_ca_cert):
        yield Violation(field, "certificate", _("This is no certificate in PEM."))


def _git_one_way(git: GitRepository, by_http: bool, given: bool) -> Iterator[Violation]:
    """A local reference, a provider and a credential of the configuration exclude each other."""
    if git.local_auth_ref and given:
        yield Violation(
            ("gitRepository", "localAuthRef"), "one_only",
            _("Choose either a Secret on the cluster or a credential that is given here."),
        )  # fmt: skip
    if git.provider not in ("Azure", "GitHub"):
        return
    field = ("gitRepository", "provider")
    if git.url and not by_http:
        yield Violation(
            field, "http_only",
            _("%(provider)s needs an https URL.") % {"provider": git.provider},
        )  # fmt: skip
    if given or (git.provider == "Azure" and git.local_auth_ref):
        yield Violation(
            field, "one_only",
            _("Choose either the provider %(provider)s or a credential.")
            % {"provider": git.provider},
        )  # fmt: skip


def is_certificate(value: str) -> bool:
    """Whether base64 of one or more PEM certificates."""
    pem = _decoded(value)
    try:
        return pem is not None and bool(x509.load_pem_x509_certificates(pem))
    except ValueError:
        return False


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def is_private_key(value: str) -> bool:
    """Whether base64 of a PEM private key without a passphrase (OpenSSH form too)."""
    pem = _decoded(value)
    if pem is None:
        return False
    for load in (load_pem_private_key, load_ssh_private_key):
        try:
            load(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return True
    return False


def is_known_hosts(value: str) -> bool:
    """Whether base64 of known_hosts lines: [marker] hosts key-type key [comment]."""
    raw = _decoded(value)
    if raw is None:
        return False
    try:
        lines = raw.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return False
    entries = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return bool(entries) and all(_is_host_entry(entry) for entry in entries)


def _is_host_entry(fields: list[str]) -> bool:
    if fields[0].startswith("@"):
        fields = fields[1:]
    if len(fields) < 3:
        return False
    try:
        load_ssh_public_key(f"{fields[1]} {fields[2]}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


# --- The other kinds ------------------------------------------------------------------------
def _bucket(bucket: Bucket, settings: Mapping[str, Any]) -> Iterator[Violation]:
    yield from _at(texts.bucket_name(bucket.bucket_name or ""), "bucket", "bucketName")
    if (bucket.url or "").startswith("http://") and bucket.insecure is False:
        yield Violation(
            ("bucket", "insecure"), "scheme",
            _("An http URL has no TLS: turn this on, or use https."),
        )  # fmt: skip
    if bucket.local_auth_ref:
        if bucket.access_key or settings.get("bucketSecretKey"):
            yield Violation(
                ("bucket", "localAuthRef"), "one_only",
                _("Choose either a Secret on the cluster or keys that are given here."),
            )  # fmt: skip
        return
    if not bucket.access_key:
        yield Violation(
            ("bucket", "accessKey"), "sign_in",
            _("A bucket needs an access key with its secret key, or a local reference."),
        )  # fmt: skip
    elif not settings.get("bucketSecretKey"):
        yield Violation(
            (_SETTINGS, "bucketSecretKey"), LACKING,
            _("An access key needs its secret key."),
        )  # fmt: skip


def _blob(blob: AzureBlob) -> Iterator[Violation]:
    yield from _at(texts.container_name(blob.container_name or ""), "azureBlob", "containerName")
    if blob.managed_identity and blob.managed_identity.client_id:
        found = texts.guid(blob.managed_identity.client_id)
        yield from _at(found, "azureBlob", "managedIdentity", "clientId")
    ways = [
        blob.service_principal is not None and bool(blob.service_principal.to_plain()),
        bool(blob.account_key),
        bool(blob.sas_token),
        bool(blob.local_auth_ref),
        blob.managed_identity is not None and bool(blob.managed_identity.to_plain()),
    ]
    if sum(ways) > 1:
        yield Violation(("azureBlob",), "one_only", _("Choose only one way to sign in."))
    elif not any(ways):
        yield Violation(
            ("azureBlob", "accountKey"), LACKING,
            _(
                "A container needs an account key, a SAS token, a service principal, a managed "
                "identity or a local reference."
            ),
        )  # fmt: skip
    principal = blob.service_principal
    if principal is None or not principal.to_plain():
        return
    field = ("azureBlob", "servicePrincipal")
    secrets = [bool(principal.client_secret), bool(principal.client_certificate)]
    for key, value in (("clientId", principal.client_id), ("tenantId", principal.tenant_id)):
        if not value:
            yield Violation(
                (*field, key), "incomplete",
                _("A service principal needs a client id and a tenant id."),
            )  # fmt: skip
        else:
            yield from _at(texts.guid(value), *field, key)
    if not any(secrets):
        by_certificate = principal.client_certificate_send_chain is not None
        yield Violation(
            (*field, "clientCertificate" if by_certificate else "clientSecret"), LACKING,
            _("A service principal needs a secret or a certificate."),
        )  # fmt: skip
    if all(secrets):
        yield Violation(field, "one_only", _("Choose either a secret or a certificate."))
    if principal.client_certificate_password and not principal.client_certificate:
        yield Violation(
            (*field, "clientCertificatePassword"), "pair",
            _("A certificate's password needs its certificate."),
        )  # fmt: skip
    if principal.client_certificate_send_chain and principal.client_secret:
        yield Violation(
            (*field, "clientCertificateSendChain"), "pair", _("A secret has no certificate chain.")
        )


def _oci(oci: OciRepository) -> Iterator[Violation]:
    if oci.url and texts.url(oci.url, "OCIRepository") is None:
        yield from _at(texts.oci_url(oci.url), "ociRepository", "url")
    reference = oci.repository_ref
    if reference and reference.semver:
        found = texts.reference("semver", reference.semver)
        yield from _at(found, "ociRepository", "repositoryRef", "semver")
    if reference and reference.tag and not _TAG.fullmatch(reference.tag):
        yield Violation(
            ("ociRepository", "repositoryRef", "tag"), "tag",
            _("A tag has letters, digits, underscores, periods and hyphens, at most 128."),
        )  # fmt: skip
    if reference and reference.digest and not _DIGEST.fullmatch(reference.digest):
        yield Violation(
            ("ociRepository", "repositoryRef", "digest"), "digest",
            _("Write it as sha256: and 64 hexadecimal digits."),
        )  # fmt: skip
    given = [it for it in ("tag", "semver", "digest") if reference and getattr(reference, it)]
    if len(given) > 1:
        yield Violation(
            ("ociRepository", "repositoryRef"), "one_only",
            _("Name only one of %(kinds)s.") % {"kinds": ", ".join(given)},
        )  # fmt: skip
    selector = oci.layer_selector
    if selector and selector.operation not in (None, "extract", "copy"):
        yield Violation(
            ("ociRepository", "layerSelector", "operation"), "choice",
            _("Choose extract or copy."),
        )  # fmt: skip
    if selector and selector.media_type:
        found = texts.media_type(selector.media_type)
        yield from _at(found, "ociRepository", "layerSelector", "mediaType")
    if oci.service_account_name:
        found = texts.account_name(oci.service_account_name)
        yield from _at(found, "ociRepository", "serviceAccountName")
    if oci.use_workload_identity and oci.local_auth_ref:
        yield Violation(
            ("ociRepository", "useWorkloadIdentity"), "one_only",
            _("Choose either workload identity or a Secret on the cluster."),
        )  # fmt: skip
    yield from _oci_verification(oci)
    yield from _oci_tls(oci)


def _oci_verification(oci: OciRepository) -> Iterator[Violation]:
    verify, field = oci.verify, ("ociRepository", "verify")
    if verify is None or not verify.to_plain():
        return
    if verify.provider not in ("cosign", "notation"):
        yield Violation((*field, "provider"), "choice", _("Choose cosign or notation."))
    for key, value in (verify.verification_config or {}).items():
        if not key or not isinstance(value, str) or not value:
            yield Violation(
                (*field, "verificationConfig"), "pair", _("A setting needs a name and a value.")
            )
            break
    if verify.provider == "notation" and not verify.verification_config:
        yield Violation(
            (*field, "verificationConfig"), "incomplete",
            _("Notation needs its trust policy and certificates here."),
        )  # fmt: skip
    for identity in verify.match_oidc_identity or []:
        if not identity.issuer or not identity.subject:
            yield Violation(
                (*field, "matchOidcIdentity"), "pair", _("A signer needs an issuer and a subject.")
            )
            break
    if verify.provider == "notation" and verify.match_oidc_identity:
        yield Violation(
            (*field, "matchOidcIdentity"), "other_kind", _("Only cosign knows signers by OIDC.")
        )


def _oci_tls(oci: OciRepository) -> Iterator[Violation]:
    tls = oci.tls_config
    if tls is None or not tls.to_plain():
        return
    if oci.insecure:
        yield Violation(
            ("ociRepository", "insecure"), "pair", _("Certificates have no use without TLS.")
        )
    for key, value, holds in (
        ("caCertificate", tls.ca_certificate, is_certificate),
        ("clientCertificate", tls.client_certificate, is_certificate),
        ("privateKey", tls.private_key, is_private_key),
    ):
        if isinstance(value, str) and value and not holds(value):
            yield Violation(
                ("ociRepository", "tlsConfig", key), "pem", _("This is not base64 of PEM.")
            )
    if bool(tls.client_certificate) != bool(tls.private_key):
        missing = "privateKey" if tls.client_certificate else "clientCertificate"
        yield Violation(
            ("ociRepository", "tlsConfig", missing), "pair",
            _("A client certificate needs its private key, and the key its certificate."),
        )  # fmt: skip
