"""`az k8s-configuration flux create`, as version 3.1 of the command line takes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from clusters.faces import option as plain_option
from configurations.faces.models import Face, Place
from configurations.faces.secrets import Bare, Secret
from configurations.specification.models import DEFAULT_SECONDS

KINDS = {
    "GitRepository": "git",
    "Bucket": "bucket",
    "AzureBlob": "azblob",
    "OCIRepository": "oci",
}
PROVIDERS = {"Generic": "generic", "Azure": "azure"}
# ARM's field -> the option, for each kind of source; nested fields with a dot.
OPTIONS: dict[str, dict[str, str]] = {
    "GitRepository": {
        "url": "url",
        "repositoryRef.branch": "branch",
        "repositoryRef.tag": "tag",
        "repositoryRef.semver": "semver",
        "repositoryRef.commit": "commit",
        "httpsUser": "https-user",
        "httpsCACert": "https-ca-cert",
        "sshKnownHosts": "known-hosts",
        "localAuthRef": "local-auth-ref",
    },
    "Bucket": {
        "url": "url",
        "bucketName": "bucket-name",
        "accessKey": "bucket-access-key",
        "localAuthRef": "local-auth-ref",
    },
    "AzureBlob": {
        "url": "url",
        "containerName": "container-name",
        "accountKey": "account-key",
        "sasToken": "sas-token",
        "managedIdentity.clientId": "mi-client-id",
        "servicePrincipal.clientId": "sp-client-id",
        "servicePrincipal.tenantId": "sp-tenant-id",
        "servicePrincipal.clientSecret": "sp-client-secret",
        "servicePrincipal.clientCertificate": "sp-client-cert",
        "servicePrincipal.clientCertificatePassword": "sp-cert-password",
        "localAuthRef": "local-auth-ref",
    },
    "OCIRepository": {
        "url": "url",
        "repositoryRef.tag": "tag",
        "repositoryRef.semver": "semver",
        "repositoryRef.digest": "digest",
        "layerSelector.mediaType": "oci-media-type",
        "layerSelector.operation": "oci-operation",
        "serviceAccountName": "service-account-name",
        "tlsConfig.caCertificate": "tls-ca-certificate",
        "tlsConfig.clientCertificate": "tls-client-certificate",
        "tlsConfig.privateKey": "tls-private-key",
        "verify.provider": "verification-provider",
        "localAuthRef": "local-auth-ref",
    },
}
_SETTINGS = {
    "sshPrivateKey": "ssh-private-key",
    "httpsKey": "https-key",
    "bucketSecretKey": "bucket-secret-key",
}
_SHORT = {"url": "-u"}


def face(bare: Bare, place: Place) -> Face:
    lines = ["az k8s-configuration flux create", *_place(bare, place), *_source(bare)]
    if bare.properties.get("suspend") is True:
        lines.append("--suspend true")
    lines += [
        f"--kustomization {_kustomization(name, entry)}"
        for name, entry in bare.kustomizations.items()
    ]
    return Face(
        code="az",
        label=_("az"),
        language="shell",
        text=" \\\n  ".join(lines) + "\n",
        file_name=f"{place.file_stem}.sh",
        notes=tuple(_notes(bare, place)),
    )


def where(place: Place) -> Iterator[str]:
    """The options that name the configuration."""
    if place.subscription_id:
        yield _option("--subscription", place.subscription_id)
    yield _option("-g", place.resource_group)
    yield _option("-c", place.cluster_name)
    yield _option("-t", place.cluster_kind)
    if place.cluster_kind == "provisionedClusters":
        yield _option("--cluster-resource-provider", place.provider)
    yield _option("-n", place.configuration_name)


def _place(bare: Bare, place: Place) -> Iterator[str]:
    yield from where(place)
    yield _option("--namespace", bare.properties.get("namespace") or "default")
    yield _option("--scope", bare.properties.get("scope") or "cluster")


def _source(bare: Bare) -> Iterator[str]:
    source = bare.source
    if bare.kind != "GitRepository":
        yield _option("--kind", KINDS.get(bare.kind, bare.kind))
    for field, option in OPTIONS.get(bare.kind, {}).items():
        value = _at(source, field)
        if value is not None:
            yield _option(_SHORT.get(option, f"--{option}"), value)
    for field, option in _SETTINGS.items():
        if field in (bare.properties.get("configurationProtectedSettings") or {}):
            yield _option(f"--{option}", Secret(field))
    yield from _special(bare.kind, source)
    for field, option in (("syncIntervalInSeconds", "interval"), ("timeoutInSeconds", "timeout")):
        if source.get(field, DEFAULT_SECONDS) != DEFAULT_SECONDS:
            yield f"--{option} {duration(source[field])}"


def _special(kind: str, source: Mapping[str, Any]) -> Iterator[str]:
    """Options whose words are not ARM's."""
    if kind == "GitRepository" and source.get("provider") in PROVIDERS:
        yield f"--provider {PROVIDERS[source['provider']]}"
    if kind == "Bucket" and source.get("insecure") is not False:
        yield "--bucket-insecure true"  # ARM's default; the command line's is false
    if kind == "AzureBlob" and (source.get("servicePrincipal") or {}).get(
        "clientCertificateSendChain"
    ):
        yield "--sp-cert-send-chain true"
    if kind == "OCIRepository":
        if source.get("useWorkloadIdentity") is True:
            yield "--use-workload-identity true"
        if source.get("insecure") is True:
            yield "--oci-insecure true"
        verify = source.get("verify") or {}
        identities = [
            shlex.quote(json.dumps(it, ensure_ascii=False))
            for it in verify.get("matchOidcIdentity") or []
        ]
        if identities:
            yield f"--match-oidc-identity {' '.join(identities)}"
        pairs = [
            shlex.quote(f"{key}={item}")
            for key, item in (verify.get("verificationConfig") or {}).items()
        ]
        if pairs:
            yield f"--verification-config {' '.join(pairs)}"


def _kustomization(name: str, entry: Mapping[str, Any]) -> str:
    parts = [f"name={name}"]
    if entry.get("path"):
        parts.append(f"path={entry['path']}")
    if entry.get("dependsOn"):
        parts.append(f"depends_on={','.join(entry['dependsOn'])}")
    for field, key in (
        ("timeoutInSeconds", "timeout"),
        ("syncIntervalInSeconds", "sync_interval"),
        ("retryIntervalInSeconds", "retry_interval"),
    ):
        default = None if key == "retry_interval" else DEFAULT_SECONDS
        if entry.get(field, default) != default:
            parts.append(f"{key}={duration(entry[field])}")
    # Only what is on: the command line takes the text "false" for true.
    parts += [f"{flag}=true" for flag in ("prune", "force") if entry.get(flag) is True]
    if entry.get("wait") is False:
        parts.append("disable_health_check=true")
    return " ".join(shlex.quote(part) for part in parts)


def duration(seconds: int) -> str:
    """A Go duration: 600 is 10m, 90 is 1m30s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (left, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _option(option: str, value: Any) -> str:
    return plain_option(option, value.placeholder if isinstance(value, Secret) else str(value))


def _at(part: Mapping[str, Any], field: str) -> Any:
    found: Any = part
    for key in field.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


# --- What the command line cannot say -------------------------------------------------------
def _notes(bare: Bare, place: Place) -> Iterator[str]:
    waits = ("waitForReconciliation", "reconciliationWaitDuration")
    lost = {it for it in waits if bare.properties.get(it)}
    if any(it.get("postBuild") for it in bare.kustomizations.values()):
        lost.add("postBuild")
    if bare.source.get("provider", "Generic") not in PROVIDERS:
        lost.add("gitRepository.provider")
    if lost:
        yield _("az has no option for %(fields)s.") % {"fields": ", ".join(sorted(lost))}
    if any(
        "," in it for entry in bare.kustomizations.values() for it in entry.get("dependsOn", [])
    ):
        yield _("az takes a comma in “depends on” for the end of a name.")
    if any(it.startswith("@") for it in _texts([place.configuration_name, bare.properties])):
        yield _("az reads a file where a value begins with @.")
    if not bare.kustomizations:
        yield _("Without a kustomization az makes one called kustomization-1.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for it in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _texts(it)
