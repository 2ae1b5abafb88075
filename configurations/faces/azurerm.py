"""Terraform with the azurerm provider: azurerm_(arc_)kubernetes_flux_configuration.

Argument names and rules: the provider's documentation and schema. Its defaults differ from ARM's
(scope namespace, retry interval 600, TLS on), so that what differs is always written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces import hcl
from configurations.faces.azapi import state_notes
from configurations.faces.models import Face, Place
from configurations.faces.secrets import Bare, Secret
from configurations.specification.models import DEFAULT_SECONDS

RESOURCES = {
    "managedClusters": "azurerm_kubernetes_flux_configuration",
    "connectedClusters": "azurerm_arc_kubernetes_flux_configuration",
}
GIT_FIELDS = {
    "httpsUser": "https_user",
    "httpsCACert": "https_ca_cert_base64",
    "sshKnownHosts": "ssh_known_hosts_base64",
    "localAuthRef": "local_auth_reference",
}
PRINCIPAL_FIELDS = {
    "clientId": "client_id",
    "tenantId": "tenant_id",
    "clientSecret": "client_secret",
    "clientCertificate": "client_certificate_base64",
    "clientCertificatePassword": "client_certificate_password",
    "clientCertificateSendChain": "client_certificate_send_chain",
}
TIMES = {
    "syncIntervalInSeconds": "sync_interval_in_seconds",
    "timeoutInSeconds": "timeout_in_seconds",
}
_NAME = re.compile(r"[a-z\d]([-a-z\d]{0,28}[a-z\d])?")


def face(bare: Bare, place: Place) -> Face:
    resource_type = RESOURCES.get(place.cluster_kind, "")
    lacking = []
    if not resource_type:
        lacking.append(_("azurerm has no resource for this kind of cluster."))
    if bare.kind not in ("GitRepository", "Bucket", "AzureBlob"):
        lacking.append(_("azurerm does not know this kind of source."))
    notes = lacking or [*_notes(bare, place), *state_notes(bare)]
    return Face(
        code="azurerm",
        label=_("Terraform"),
        language="hcl",
        text="" if lacking else _text(bare, place, resource_type),
        file_name=f"{place.file_stem}-azurerm.tf",
        notes=tuple(notes),
    )


def _text(bare: Bare, place: Place, resource_type: str) -> str:
    resource = hcl.Block("resource", [resource_type, place.identifier])
    resource.put("name", place.configuration_name)
    resource.put("cluster_id", place.cluster_id)
    resource.put("namespace", bare.properties.get("namespace") or "default")
    resource.put("scope", bare.properties.get("scope") or "cluster")
    if bare.properties.get("suspend") is True:
        resource.put("continuous_reconciliation_enabled", False)
    settings = bare.properties.get("configurationProtectedSettings") or {}
    if bare.kind == "GitRepository":
        _git(resource.block("git_repository"), bare.source, settings)
    elif bare.kind == "Bucket":
        _bucket(resource.block("bucket"), bare.source, settings)
    else:
        _blob(resource.block("blob_storage"), bare.source, place)
    for name, entry in bare.kustomizations.items():
        _kustomization(resource.block("kustomizations"), name, entry, place)
    return "\n".join(map(str, [*map(hcl.variable, bare.secrets), resource]))


def _git(block: hcl.Block, git: Mapping[str, Any], settings: Mapping[str, Secret]) -> None:
    block.put("url", git.get("url") or "")
    kind, value = reference(git)
    block.put("reference_type", kind)
    block.put("reference_value", value)
    _fields(block, git, GIT_FIELDS)
    _fields(
        block,
        settings,
        {"httpsKey": "https_key_base64", "sshPrivateKey": "ssh_private_key_base64"},
    )
    _times(block, git)


def reference(git: Mapping[str, Any]) -> tuple[str, str]:
    """The one reference that counts, in Flux's order of precedence; ("branch", "") for none."""
    given = git.get("repositoryRef") or {}
    for kind in ("commit", "semver", "tag", "branch"):
        if given.get(kind):
            return kind, given[kind]
    return "branch", ""


def _bucket(block: hcl.Block, bucket: Mapping[str, Any], settings: Mapping[str, Secret]) -> None:
    block.put("bucket_name", bucket.get("bucketName") or "")
    block.put("url", bucket.get("url") or "")
    _fields(block, bucket, {"accessKey": "access_key"})
    _fields(block, settings, {"bucketSecretKey": "secret_key_base64"})
    _fields(block, bucket, {"localAuthRef": "local_auth_reference"})
    block.put("tls_enabled", bucket.get("insecure") is False)  # ARM's default is insecure
    _times(block, bucket)


def _blob(block: hcl.Block, blob: Mapping[str, Any], place: Place) -> None:
    container = blob.get("containerName") or ""
    block.put("container_id", f"{(blob.get('url') or '').rstrip('/')}/{container}")
    _fields(
        block,
        blob,
        {
            "accountKey": "account_key",
            "sasToken": "sas_token",
            "localAuthRef": "local_auth_reference",
        },
    )
    _times(block, blob)
    if blob.get("managedIdentity") and place.cluster_kind == "managedClusters":
        _fields(block.block("managed_identity"), blob["managedIdentity"], {"clientId": "client_id"})
    if blob.get("servicePrincipal"):
        _fields(block.block("service_principal"), blob["servicePrincipal"], PRINCIPAL_FIELDS)


def _kustomization(block: hcl.Block, name: str, entry: Mapping[str, Any], place: Place) -> None:
    block.put("name", name)
    _fields(block, entry, {"path": "path", "dependsOn": "depends_on"})
    if entry.get("prune") is True:
        block.put("garbage_collection_enabled", True)
    if entry.get("force") is True:
        block.put("recreating_enabled", True)
    _times(block, entry)
    # ARM takes the sync interval where no retry interval is given, azurerm 600.
    interval = entry.get("syncIntervalInSeconds", DEFAULT_SECONDS)
    retry = entry.get("retryIntervalInSeconds", interval)
    if retry != DEFAULT_SECONDS:
        block.put("retry_interval_in_seconds", retry)
    if place.cluster_kind == "managedClusters":
        if entry.get("wait") is False:
            block.put("wait", False)
        if entry.get("postBuild"):
            _post_build(block.block("post_build"), entry["postBuild"])


def _post_build(block: hcl.Block, post_build: Mapping[str, Any]) -> None:
    if post_build.get("substitute"):
        block.put("substitute", post_build["substitute"])
    for it in post_build.get("substituteFrom") or []:
        _fields(
            block.block("substitute_from"),
            it,
            {"kind": "kind", "name": "name", "optional": "optional"},
        )


def _fields(block: hcl.Block, part: Mapping[str, Any], names: Mapping[str, str]) -> None:
    for wire, argument in names.items():
        if wire in part:
            block.put(argument, part[wire])


def _times(block: hcl.Block, part: Mapping[str, Any]) -> None:
    for wire, argument in TIMES.items():
        if part.get(wire, DEFAULT_SECONDS) != DEFAULT_SECONDS:
            block.put(argument, part[wire])


# --- What azurerm cannot say ----------------------------------------------------------------
def _notes(bare: Bare, place: Place) -> list[str]:
    result = []
    names = [place.configuration_name, *bare.kustomizations]
    if not all(_NAME.fullmatch(it) for it in names):
        result.append(
            _("azurerm takes names of at most 30 lower case letters, digits and hyphens.")
        )
    lost = set()
    if "provider" in bare.source:
        lost.add("gitRepository.provider")
    if place.cluster_kind == "connectedClusters":
        if any(it.get("wait") is False for it in bare.kustomizations.values()):
            lost.add("wait")
        if any(it.get("postBuild") for it in bare.kustomizations.values()):
            lost.add("postBuild")
        if bare.source.get("managedIdentity"):
            lost.add("azureBlob.managedIdentity")
    lost |= {"waitForReconciliation", "reconciliationWaitDuration"} & bare.properties.keys()
    if lost:
        result.append(
            _("azurerm has no argument for %(fields)s.") % {"fields": ", ".join(sorted(lost))}
        )
    if len(bare.source.get("repositoryRef") or {}) > 1:
        result.append(_("azurerm takes one reference: the one that Flux would use is kept."))
    if any(
        it.get("retryIntervalInSeconds") is None
        and it.get("syncIntervalInSeconds", DEFAULT_SECONDS) != DEFAULT_SECONDS
        for it in bare.kustomizations.values()
    ):
        result.append(_("The retry interval is written out: azurerm's own default is 10 minutes."))
    return result
