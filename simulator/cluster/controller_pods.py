"""What the extension's settings make of its controllers' pods: arguments, resources, identity.

Flags are Flux's own (its controllers' --help); annotations and labels are AKS's and those of Azure
Workload Identity. How Microsoft's chart turns a setting into them is not published; that each one
ends there is what its documentation says.
"""

from __future__ import annotations

from .objects import Manifest
from .state import ClusterState

AGENTS = ("fluxconfig-agent", "fluxconfig-controller")
# Who signs in to Azure: these get a token of the cluster's issuer.
FEDERATED = (
    "source-controller",
    "kustomize-controller",
    "image-reflector-controller",
    "image-automation-controller",
)
API_SERVER_BY_NAME = "kubernetes.azure.com/set-kube-service-host-fqdn"
_REQUESTED_CPU = {"source-controller": "50m"}


def template_metadata(state: ClusterState, controller: str, labels: dict[str, str]) -> Manifest:
    """Return labels and annotations of a controller's pods."""
    found: Manifest = {"labels": dict(labels)}
    if state.enabled("setKubeServiceHostFqdn", default=False):
        found["annotations"] = {API_SERVER_BY_NAME: "true"}
    if controller in FEDERATED and uses_workload_identity(state):
        found["labels"]["azure.workload.identity/use"] = "true"
    return found


def service_account(state: ClusterState, controller: str, namespace: str) -> Manifest:
    """Return the account that a controller runs as, annotated with who it signs in as."""
    metadata: Manifest = {"name": controller, "namespace": namespace}
    if controller in FEDERATED and uses_workload_identity(state):
        metadata["annotations"] = {
            "azure.workload.identity/client-id": state.setting("workloadIdentity.azureClientId", "")
        }
        tenant = state.setting("workloadIdentity.azureTenantId", "")
        if tenant:
            metadata["annotations"]["azure.workload.identity/tenant-id"] = tenant
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def uses_workload_identity(state: ClusterState) -> bool:
    client = state.setting("workloadIdentity.azureClientId", "")
    return bool(client) and state.enabled("workloadIdentity.enable", default=False)


def resources(state: ClusterState, controller: str) -> dict[str, dict[str, str]]:
    """Return limits and requests; agents have their own and take no settings."""
    if controller in AGENTS:
        return {
            "limits": {"cpu": "50m", "memory": "150Mi"},
            "requests": {"cpu": "5m", "memory": "30Mi"},
        }
    defaults = {
        "limits": {"cpu": "1000m", "memory": "1Gi"},
        "requests": {"cpu": _REQUESTED_CPU.get(controller, "100m"), "memory": "64Mi"},
    }
    return {
        kind: {
            item: state.setting(f"{controller}.resources.{kind}.{item}", default)
            for item, default in items.items()
        }
        for kind, items in defaults.items()
    }


def arguments(state: ClusterState, controller: str) -> list[str]:
    """Return the arguments of a controller's own container."""
    found = [f"--log-level={state.setting(f'{controller}.log-level', 'info')}"]
    if controller in AGENTS:
        return found
    found += ["--watch-all-namespaces", "--enable-leader-election"]
    if controller in ("kustomize-controller", "helm-controller") and state.enforces_tenancy:
        found += ["--no-cross-namespace-refs=true", "--default-service-account=flux-applier"]
    host_keys = state.setting(f"{controller}.ssh-host-key-args", "")
    if host_keys:
        found.append(host_keys)
    if controller == "kustomize-controller":
        found += _kustomize(state)
    if controller == "helm-controller":
        found += _helm(state)
    return found


def _kustomize(state: ClusterState) -> list[str]:
    own = "kustomize-controller"
    found = [
        f"--{name}={state.setting(f'{own}.{name}', '')}"
        for name in ("concurrent", "requeue-dependency", "override-manager")
        if state.setting(f"{own}.{name}", "")
    ]
    gates = {
        "StrictPostBuildSubstitutions": "strict-substitution-mode",
        "InMemoryBuild": "enable-in-memory-build",
    }
    on = [gate for gate, name in gates.items() if state.enabled(f"{own}.{name}", default=False)]
    return found + _gates(on)


def _helm(state: ClusterState) -> list[str]:
    own = "helm-controller"
    on = ["DetectDrift"] if state.enabled(f"{own}.detectDrift", default=False) else []
    if not state.enabled(f"{own}.outOfMemoryWatch.enabled", default=False):
        return _gates(on)
    threshold = state.setting(f"{own}.outOfMemoryWatch.memoryThreshold", "95")
    interval = state.setting(f"{own}.outOfMemoryWatch.interval", "500ms")
    return [
        *_gates([*on, "OOMWatch"]),
        f"--oom-watch-memory-threshold={threshold}",
        f"--oom-watch-interval={interval}",
    ]


def _gates(names: list[str]) -> list[str]:
    return [f"--feature-gates={','.join(f'{name}=true' for name in names)}"] if names else []
