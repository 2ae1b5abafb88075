"""Read configurations from Terraform's state: azurerm's resources and azapi's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces.azurerm import GIT_FIELDS, PRINCIPAL_FIELDS, RESOURCES, TIMES
from configurations.faces.cleaning import (
    BringInError,
    BroughtIn,
    Found,
    Ignored,
    cleaned,
    secret_left_out,
)
from configurations.faces.models import FLUX_TYPE
from configurations.specification.models import DEFAULT_SECONDS

Attributes = Mapping[str, Any]


def from_terraform_state(state: Mapping[str, Any]) -> list[BroughtIn]:
    """`terraform.tfstate` (version 4) or `terraform show -json`."""
    found: list[Found] = []
    others: list[Ignored] = []
    for address, kind, attributes in _resources(state):
        if kind in RESOURCES.values():
            found.append(_azurerm(attributes))
        elif kind == "azapi_resource" and _type_of(attributes).lower() == FLUX_TYPE.lower():
            found.append(_azapi(attributes))
        else:
            others.append(Ignored(address, _("This is no Flux configuration.")))
    if not found:
        raise BringInError(_("There is no Flux configuration in it."))
    found[0].ignored += others
    return [cleaned(it) for it in found]


def _resources(state: Mapping[str, Any]) -> Iterator[tuple[str, str, Attributes]]:
    """(address, type, attributes) of every managed resource."""
    for resource in _mappings(state.get("resources")):
        for instance in _mappings(resource.get("instances")):
            attributes = instance.get("attributes")
            if resource.get("mode", "managed") == "managed" and isinstance(attributes, Mapping):
                kind = str(resource.get("type", ""))
                yield f"{kind}.{resource.get('name', '')}", kind, attributes
    values = state.get("values")
    modules = [values.get("root_module")] if isinstance(values, Mapping) else []
    while modules:
        module = modules.pop(0)
        if not isinstance(module, Mapping):
            continue
        for resource in _mappings(module.get("resources")):
            if resource.get("mode", "managed") == "managed":
                kind = str(resource.get("type", ""))
                attributes = resource.get("values")
                if isinstance(attributes, Mapping):
                    yield str(resource.get("address", kind)), kind, attributes
        modules += module.get("child_modules") or []


# --- azapi ----------------------------------------------------------------------------------
def _type_of(attributes: Attributes) -> str:
    return str(attributes.get("type", "")).split("@", 1)[0]


def _azapi(attributes: Attributes) -> Found:
    body = attributes.get("body")
    if isinstance(body, Mapping) and set(body) == {"value", "type"}:
        body = body["value"]  # a dynamic value in a state file
    if isinstance(body, str):  # azapi 1 kept a text
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            body = None
    properties = body.get("properties") if isinstance(body, Mapping) else None
    return Found(
        name=str(attributes.get("name") or ""),
        properties=properties if isinstance(properties, Mapping) else {},
        cluster_id=str(attributes.get("parent_id") or ""),
    )


# --- azurerm --------------------------------------------------------------------------------
def _azurerm(attributes: Attributes) -> Found:
    ignored: list[Ignored] = []
    properties: dict[str, Any] = {
        "scope": attributes.get("scope"),
        "namespace": attributes.get("namespace"),
        "suspend": attributes.get("continuous_reconciliation_enabled") is False,
        "kustomizations": {
            str(it.get("name", "")): _kustomization(it)
            for it in _mappings(attributes.get("kustomizations"))
        },
    }
    for block, kind, body, read in (
        ("git_repository", "GitRepository", "gitRepository", _git),
        ("bucket", "Bucket", "bucket", _bucket),
        ("blob_storage", "AzureBlob", "azureBlob", _blob),
    ):
        for part in _mappings(attributes.get(block))[:1]:
            properties |= {"sourceKind": kind, body: read(part)}
            ignored += _secrets(block, part)
    return Found(
        name=str(attributes.get("name") or ""),
        properties=properties,
        cluster_id=str(attributes.get("cluster_id") or ""),
        ignored=ignored,
    )


def _git(part: Attributes) -> dict[str, Any]:
    reference = {str(part.get("reference_type") or "branch"): part.get("reference_value")}
    return {"url": part.get("url"), "repositoryRef": reference, **_renamed(part, GIT_FIELDS)}


def _bucket(part: Attributes) -> dict[str, Any]:
    fields = {
        "url": "url",
        "bucketName": "bucket_name",
        "accessKey": "access_key",
        "localAuthRef": "local_auth_reference",
    }
    return {**_renamed(part, fields), "insecure": part.get("tls_enabled") is False}


def _blob(part: Attributes) -> dict[str, Any]:
    url, _slash, container = str(part.get("container_id") or "").rpartition("/")
    result = {
        "url": url,
        "containerName": container,
        **_renamed(part, {"localAuthRef": "local_auth_reference"}),
    }
    for it in _mappings(part.get("managed_identity"))[:1]:
        result["managedIdentity"] = {"clientId": it.get("client_id")}
    for it in _mappings(part.get("service_principal"))[:1]:
        result["servicePrincipal"] = {
            wire: it.get(argument)
            for wire, argument in PRINCIPAL_FIELDS.items()
            if wire in ("clientId", "tenantId") or it.get(argument) is True
        }
    return result


def _kustomization(part: Attributes) -> dict[str, Any]:
    result = {
        **_renamed(part, {"path": "path", "dependsOn": "depends_on", "wait": "wait"}),
        "prune": part.get("garbage_collection_enabled") is True,
        "force": part.get("recreating_enabled") is True,
    }
    retry = part.get("retry_interval_in_seconds")
    if retry != result.get("syncIntervalInSeconds", DEFAULT_SECONDS):
        result["retryIntervalInSeconds"] = retry  # else it says nothing that ARM does not assume
    for it in _mappings(part.get("post_build"))[:1]:
        result["postBuild"] = {
            "substitute": it.get("substitute") or None,
            "substituteFrom": it.get("substitute_from") or None,
        }
    return result


def _renamed(part: Attributes, names: Mapping[str, str]) -> dict[str, Any]:
    """The fields that have a value, times included, under ARM's names."""
    return {
        wire: part[argument]
        for wire, argument in {**names, **TIMES}.items()
        if part.get(argument) not in (None, "", [])
    }


def _secrets(block: str, part: Attributes) -> Iterator[Ignored]:
    """What azurerm keeps of secrets: never brought in."""
    secret = ("https_key_base64", "ssh_private_key_base64", "secret_key_base64", "account_key",
              "sas_token", "client_secret", "client_certificate_base64",
              "client_certificate_password")  # fmt: skip
    for name in secret:
        if part.get(name):
            yield secret_left_out(f"{block}.{name}")
    for inner in _mappings(part.get("service_principal")):
        yield from _secrets(f"{block}.service_principal", inner)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [it for it in value if isinstance(it, Mapping)] if isinstance(value, list) else []
