"""Why a Kubernetes API did not answer, in words, each with the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Words:
    """`title`: what is so; `todo`: what to do; `message`: what the other side said."""

    title: str
    todo: str
    message: str = ""


def words_of(problem: Mapping[str, str]) -> Words | None:
    """What to say of a problem that was kept ({"code", "message", ...facts}); None for none."""
    if not problem:
        return None
    title, todo = _STATES(problem).get(problem.get("code", ""), (_("It did not answer."), ""))
    return Words(title, todo, problem.get("message", ""))


def _STATES(problem: Mapping[str, str]) -> dict[str, tuple[str, str]]:  # noqa: N802 (a table)
    right = _right(problem)
    return {
        "off": (
            _("Reading through the Kubernetes API is switched off for this connection."),
            _("An admin can switch it on, on the connection's page."),
        ),
        "no_kubeconfig": (
            _("The portal holds no way into this cluster."),
            _("Azure gives one for AKS alone. An admin can store a kubeconfig for this cluster."),
        ),
        "unreachable": (
            _("The API server cannot be reached."),
            _("Check that the cluster runs, and that this host reaches its address: "
              "a private cluster or its authorised ranges may keep it out."),
        ),
        "certificate": (
            _("The API server's certificate is not trusted."),
            _("Store a kubeconfig with the authority that signed it; it may have been renewed."),
        ),
        "unauthorized": (
            _("The API server does not accept the credential."),
            _("It has expired or was withdrawn: store a new kubeconfig. With Entra ID, check that "
              "the cluster trusts this tenant."),
        ),
        "forbidden": (
            right or _("The credential lacks a right."),
            _("Give it that right: Azure Kubernetes Service RBAC Reader, or the ClusterRole in "
              "the guide."),
        ),
        "secret_unreadable": (
            _("The stored kubeconfig cannot be decrypted."),
            _("Its key is not in FLUXGATE_ENCRYPTION_KEYS. Store the kubeconfig again."),
        ),
        "kubeconfig_refused": (
            _("Azure's kubeconfig for this cluster cannot be used."), _("Store a kubeconfig."),
        ),
        "azure": (
            _("Azure gives no credential for this cluster."),
            _("The connection's identity needs Azure Kubernetes Service Cluster User Role."),
        ),
        "not_found": (_("The cluster does not know this."), _("Is Flux installed on it?")),
        "page_gone": (
            _("This page of the list is too old; the cluster has dropped it."),
            _("Begin again at the first page."),
        ),
        "too_large": (_("The answer is larger than 8 MB."), _("Choose a namespace.")),
        "too_slow": (
            _("The cluster answers too slowly."), _("Choose a namespace, or try again later."),
        ),
        "busy": (_("The API server asks for patience."), _("Reading goes on by itself.")),
        "failing": (_("The API server fails."), _("Reading goes on by itself when it recovers.")),
        "not_kubernetes": (
            _("What answers there is not a Kubernetes API."),
            _("Check the server's address in the kubeconfig."),
        ),
        "refused": (_("The API server refuses the request."), ""),
    }  # fmt: skip


def _right(problem: Mapping[str, str]) -> str:
    if "verb" not in problem:
        return ""
    group = problem.get("group")
    kind = f"{problem.get('resource', '')}.{group}" if group else problem.get("resource", "")
    return _("The credential may not %(verb)s %(kind)s.") % {"verb": problem["verb"], "kind": kind}
