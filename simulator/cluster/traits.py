"""How a simulated cluster can differ from a healthy one, each switched at the control door.

Sources: the troubleshooting pages of Azure's GitOps documentation, and issues of Azure/AKS and
fluxcd/flux2, as numbered in azure-contract section 5.1. Each trait says what of it is known and
what is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .state import ClusterState


@dataclass(frozen=True, slots=True)
class Trait:
    """One switch: the type of its values, and what it does."""

    kind: type
    help: str


TRAITS = {
    # 5.1 #4. Known: code and message. Not known: which release of the extension gets along with
    # it, so none does here until it is switched off.
    "pod_identity": Trait(bool, "AAD pod identity intercepts the requests of Azure's agents"),
    # 5.1 #5. Known: that Gatekeeper refuses, and that excluding flux-system helps. The name of
    # the constraint is that of Azure's built-in policy; the sentence around it is Gatekeeper's.
    "gatekeeper_limits": Trait(bool, "a policy refuses containers in flux-system without limits"),
    # 5.1 #3. Known: that a policy on the namespace makes the install fail. The words are
    # inferred from Gatekeeper's.
    "policy_blocks_flux": Trait(bool, "a policy refuses the namespace flux-system"),
    # 5.1 #7 (Azure/AKS#5645). Known: the name of the policy, and that fluxconfig-controller
    # restarts again and again. Not known: what ARM says then; the extension fails here.
    "aks_automatic": Trait(bool, "AKS Automatic protects system namespaces from the extension"),
    # 5.1 #15 (Azure/AKS#4359). Known: which host the agents need. The words are those of Go's
    # network library; that the extension fails by them is inferred.
    "dataplane_blocked": Trait(bool, "agents do not reach the data plane of their region"),
    # 5.1 #16. Known: that the service accounts need the nonroot constraint. The sentence is
    # OpenShift's own for such pods; that ARM repeats it is inferred.
    "openshift_scc": Trait(bool, "OpenShift gives the controllers no security context constraint"),
    # 5.1 #2. Known: the sentence (Kubernetes' apiserver). Flux 2.7 puts its own prefix before it.
    "webhook_without_dry_run": Trait(str, "NAME of a webhook that supports no dry run"),
    # Known: how Flux reports a refused deletion. The webhook's own words are free.
    "webhook_against_delete": Trait(str, "NAME of a webhook that refuses deletions"),
    # 5.1 #12. Known: the controller is killed and started again; what waits for it says that it
    # cannot fetch. How much a real repository needs is not: give it here.
    "source_memory_mi": Trait(int, "memory in Mi that source-controller needs"),
}

_UNITS = {"Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "M": 0.954, "G": 953.7}


def check(name: str, value: Any) -> Any:
    """Return a value that a trait takes. Raises ValueError that says what there is."""
    trait = TRAITS.get(name)
    if trait is None:
        known = "; ".join(f"{name}: {item.help}" for name, item in TRAITS.items())
        raise ValueError(f"no property {name!r}; there are {known}")
    if type(value) is not trait.kind:
        raise ValueError(f"{name} takes {trait.kind.__name__}: {trait.help}")
    return value


def out_of_memory(state: ClusterState) -> bool:
    """Tell whether source-controller is killed for its memory limit again and again."""
    needed = int(state.traits.get("source_memory_mi", 0))
    return needed > mebibytes(state.setting("source-controller.resources.limits.memory", "1Gi"))


def mebibytes(quantity: str) -> float:
    """Read a quantity of memory; a plain number is bytes."""
    for unit, factor in _UNITS.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * factor
    return float(quantity) / 2**20


def delete_fault(state: ClusterState) -> str:
    """Return what a webhook says to a deletion; nothing where none refuses."""
    name = state.traits.get("webhook_against_delete")
    return f'admission webhook "{name}" denied the request: deletion is not allowed' if name else ""


def webhook_fault(state: ClusterState) -> str:
    """Return what the API server says of a dry run that a webhook cannot take part in."""
    name = state.traits.get("webhook_without_dry_run")
    return f'admission webhook "{name}" does not support dry run' if name else ""
