"""What the page of workload identity shows beside its forms: commands to copy, by shell rules."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clusters.federated import AUDIENCE, Need
from clusters.models import Cluster

Text = str | Promise


@dataclass(frozen=True)
class RoleHint:
    """What the identity needs for a kind of source, and the command that gives it ("" for none)."""

    source: Text
    role: Text
    command: str


def enable_command(cluster: Cluster) -> str:
    """Turns the issuer and workload identity on; for Arc the API server has to be told as well."""
    flags = "--enable-oidc-issuer --enable-workload-identity"
    program = (
        "az connectedk8s update" if cluster.kind == Cluster.Kind.CONNECTED else "az aks update"
    )
    return f"{program} {_place(cluster, '-n')} {flags}"


def credential_commands(
    cluster: Cluster, needs: Iterable[Need], identity: Mapping[str, Any] | None
) -> list[str]:
    """One `az identity federated-credential create` for each that is missing."""
    found = identity or {}
    place = _join(
        "--identity-name", str(found.get("name") or "IDENTITY_NAME"),
        "--resource-group", str(found.get("resource_group") or "IDENTITY_GROUP"),
        "--subscription", str(found.get("subscription_id") or cluster.subscription_id),
    )  # fmt: skip
    return [
        " ".join(
            [
                "az identity federated-credential",
                "create" if need.existing is None else "update",
                _join("--name", need.name),
                place,
                _join("--issuer", cluster.oidc_issuer or "OIDC_ISSUER_URL"),
                _join("--subject", need.subject, "--audiences", AUDIENCE),
            ]
        )
        for need in needs
        if need.state != "present"
    ]


def extension_command(cluster: Cluster, client_id: str, tenant_id: str, name: str) -> str:
    """Tells the extension who to sign in as; `name` "" where it is not installed yet."""
    config = ["workloadIdentity.enable=true", f"workloadIdentity.azureClientId={client_id}"]
    config += [f"workloadIdentity.azureTenantId={tenant_id}"] if tenant_id else []
    verb = "update" if name else "create --extension-type microsoft.flux"
    place = _place(cluster, "-c")
    kind = _join("-t", str(cluster.kind), "-n", name or "flux")
    return f"az k8s-extension {verb} {place} {kind} --config {_join(*config)}"


def role_hints(principal_id: str) -> list[RoleHint]:
    """Which role what kind of source needs; nothing of it is done by the portal."""
    who = _join(
        "--assignee-object-id", principal_id or "PRINCIPAL_ID",
        "--assignee-principal-type", "ServicePrincipal",
    )  # fmt: skip
    assign = f"az role assignment create {who}"
    return [
        RoleHint(
            _("OCI artifacts, Helm charts and images in Azure Container Registry"),
            "AcrPull",
            f'{assign} --role AcrPull --scope "$(az acr show -n REGISTRY --query id -o tsv)"',
        ),
        RoleHint(
            _("Files in Azure Blob Storage"),
            "Storage Blob Data Reader",
            f'{assign} --role "Storage Blob Data Reader" '
            '--scope "$(az storage account show -n ACCOUNT --query id -o tsv)"',
        ),
        RoleHint(
            _("Git repositories in Azure DevOps"),
            _(
                "Add the identity as a user of the organisation (access level Basic), and to the "
                "project's Readers."
            ),
            "",
        ),
    ]


def _place(cluster: Cluster, name_flag: str) -> str:
    return _join(
        "-g", cluster.resource_group, name_flag, cluster.name,
        "--subscription", cluster.subscription_id,
    )  # fmt: skip


def _join(*words: str) -> str:
    return shlex.join(words)
