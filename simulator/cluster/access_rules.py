"""What a service account may do: the part of Kubernetes' RBAC that tenancy rests on.

A binding gives all rights in its reach. Flux acts as `flux-applier` of the object's namespace
when the extension enforces tenancy, else as itself with all rights (flux-behaviour section 6.1).
"""

from __future__ import annotations

from .objects import Manifest
from .resources import Resource
from .state import ClusterState

RBAC_GROUP = "rbac.authorization.k8s.io"
APPLIER = "flux-applier"


def account_of(state: ClusterState, manifest: Manifest) -> tuple[str, str] | None:
    """Return (namespace, name) of the account that Flux acts as; None for its own."""
    named = (manifest.get("spec") or {}).get("serviceAccountName")
    if not named and not state.enforces_tenancy:
        return None
    return manifest["metadata"]["namespace"], named or APPLIER


def may_act(state: ClusterState, account: tuple[str, str] | None, namespace: str) -> bool:
    """Tell whether an account has rights in a namespace; empty means the whole cluster."""
    if account is None:
        return True
    store = state.store
    everywhere = store.of_kind(RBAC_GROUP, "ClusterRoleBinding")
    here = store.of_kind(RBAC_GROUP, "RoleBinding", namespace) if namespace else []
    return any(_names(binding, account) for binding in (*everywhere, *here))


def refusal(
    account: tuple[str, str], verb: str, resource: Resource, name: str, namespace: str
) -> str:
    """Say as the API server does that an account may not do something."""
    named = f' "{name}"' if name else ""
    user = f"system:serviceaccount:{account[0]}:{account[1]}"
    if resource.kind == "Namespace":
        namespace = name
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    return (
        f'{resource.qualified_name}{named} is forbidden: User "{user}" cannot {verb} resource '
        f'"{resource.plural}" in API group "{resource.group}" {where}'
    )


def _names(binding: Manifest, account: tuple[str, str]) -> bool:
    return any(
        subject.get("kind") == "ServiceAccount"
        and (subject.get("namespace"), subject.get("name")) == account
        for subject in binding.get("subjects") or []
    )
