"""The `microsoft.flux` extension inside a cluster: its namespace, definitions and controllers.

Rule: flux-behaviour section 7 and the tutorial's tables.
"""

from __future__ import annotations

from .controller_pods import arguments, resources, service_account, template_metadata
from .objects import Manifest, ObjectKey
from .resources import AZURE_AGENTS, FLUX_BEFORE_1_23, Resource, definition, flux_resources
from .state import ClusterState
from .workloads import NODE

NAMESPACE = "flux-system"
_MANAGER = "helm"
_REGISTRY = "mcr.microsoft.com/oss"
# Deployment: its containers, whether it runs unless the settings say otherwise, its service.
_CONTROLLERS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("fluxconfig-agent", ("fluxconfig-agent", "fluent-bit"), True),
    ("fluxconfig-controller", ("fluxconfig-controller", "fluent-bit"), True),
    ("helm-controller", ("manager",), True),
    ("kustomize-controller", ("manager",), True),
    ("notification-controller", ("manager",), True),
    ("source-controller", ("manager",), True),
    ("image-automation-controller", ("manager",), False),
    ("image-reflector-controller", ("manager",), False),
)
_SERVICES = (
    ("notification-controller", "notification-controller"),
    ("source-controller", "source-controller"),
    ("webhook-receiver", "notification-controller"),
)
_VERSIONS = {
    "helm-controller": "v1.4.5",
    "kustomize-controller": "v1.7.3",
    "notification-controller": "v1.7.5",
    "source-controller": "v1.7.4",
    "image-automation-controller": "v1.0.4",
    "image-reflector-controller": "v1.0.4",
}


def prepare_cluster(state: ClusterState, kind: str) -> None:
    """Give a new cluster its namespaces, and an Arc cluster the definitions of its agents."""
    names = ["default", "kube-node-lease", "kube-public", "kube-system"]
    if kind == "connectedClusters":
        names.append("azure-arc")
        define(state, AZURE_AGENTS)
    for name in names:
        ensure_namespace(state, name)
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    state.store.apply(node, manager="kubelet", now=state.now)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"conditions": [ready], "nodeInfo": {"kubeletVersion": "v1.31.7"}}
    state.store.set_status(ObjectKey("", "Node", "", NODE), status)


def ensure_namespace(state: ClusterState, name: str, manager: str = "kube-apiserver") -> None:
    if not state.store.has_namespace(name):
        labels = {"kubernetes.io/metadata.name": name}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        manifest["metadata"] = {"name": name, "labels": labels}
        state.store.apply(manifest, manager=manager, now=state.now)


def define(state: ClusterState, resources: tuple[Resource, ...]) -> None:
    for resource in resources:
        state.store.apply(definition(resource), manager=_MANAGER, now=state.now)


def install(state: ClusterState, version: str, settings: dict[str, str]) -> None:
    """Install or update the extension: definitions, controllers by the settings, services."""
    first = state.settings is None
    state.settings = dict(settings)
    ensure_namespace(state, NAMESPACE, _MANAGER)
    define(state, AZURE_AGENTS)
    define(state, flux_resources(version))
    for name, containers, default in _CONTROLLERS:
        _set_controller(
            state, name, containers, on=state.enabled(f"{name}.enabled", default=default)
        )
    for name, target in _SERVICES:
        _set_service(state, name, target, on=state.enabled(f"{target}.enabled"))
    if not first:
        wake_everything(state)


def wake_everything(state: ClusterState) -> None:
    """Have every object looked at again, as controllers do when they start."""
    for key in state.store.all_keys():
        if state.controller_runs(key.group) and key.group.endswith("toolkit.fluxcd.io"):
            state.scheduler.restart(key, state.now)


def uninstall(state: ClusterState) -> None:
    """Remove the controllers; the definitions go too unless objects of theirs are left."""
    state.settings = None
    for manifest in state.store.all():
        if manifest["metadata"].get("namespace") == NAMESPACE:
            group = str(manifest["apiVersion"]).rpartition("/")[0]
            state.store.delete(
                ObjectKey(group, manifest["kind"], NAMESPACE, manifest["metadata"]["name"])
            )
    if not any(state.store.of_kind(item.group, item.kind) for item in FLUX_BEFORE_1_23):
        for item in FLUX_BEFORE_1_23:
            group, kind = "apiextensions.k8s.io", "CustomResourceDefinition"
            state.store.delete(ObjectKey(group, kind, "", f"{item.plural}.{item.group}"))
        state.store.delete(ObjectKey("", "Namespace", "", NAMESPACE))


def _set_controller(
    state: ClusterState, name: str, containers: tuple[str, ...], *, on: bool
) -> None:
    if not on:
        state.store.delete(ObjectKey("apps", "Deployment", NAMESPACE, name))
        state.store.delete(ObjectKey("", "ServiceAccount", NAMESPACE, name))
        return
    state.store.apply(service_account(state, name, NAMESPACE), manager=_MANAGER, now=state.now)
    labels = {"app": name, "app.kubernetes.io/component": name}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": template_metadata(state, name, labels),
                "spec": {
                    "serviceAccountName": name,
                    "containers": [_container(state, name, item) for item in containers],
                },
            },
        },
    }
    state.store.apply(manifest, manager=_MANAGER, now=state.now)


def _container(state: ClusterState, controller: str, name: str) -> Manifest:
    image = f"{_REGISTRY}/fluxcd/{controller}:{_VERSIONS.get(controller, 'v1.24.1')}"
    if name == "fluent-bit":
        return {"name": name, "image": f"{_REGISTRY}/fluent/fluent-bit:v4.0.3"}
    return {
        "name": name,
        "image": image,
        "resources": resources(state, controller),
        "args": arguments(state, controller),
    }


def _set_service(state: ClusterState, name: str, target: str, *, on: bool) -> None:
    if not on:
        state.store.delete(ObjectKey("", "Service", NAMESPACE, name))
        return
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"app": target},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
        },
    }
    state.store.apply(manifest, manager=_MANAGER, now=state.now)
