"""The kinds of object that a simulated cluster serves, and in which API versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

SOURCE_GROUP = "source.toolkit.fluxcd.io"
KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"
AZURE_GROUP = "clusterconfig.azure.com"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind: `versions` are the served ones, preferred first."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    in_all: bool = False

    @property
    def qualified_name(self) -> str:
        """The name in API messages: `deployments.apps`, `secrets`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def group_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


# group | versions | kind | plural | scope (n namespaced, c cluster) | short names | in `all`
_BUILT_IN = """
|v1|Namespace|namespaces|c|ns
|v1|Node|nodes|c|no
|v1|PersistentVolume|persistentvolumes|c|pv
|v1|Pod|pods|n|po|all
|v1|Service|services|n|svc|all
|v1|ConfigMap|configmaps|n|cm
|v1|Secret|secrets|n
|v1|ServiceAccount|serviceaccounts|n|sa
|v1|Endpoints|endpoints|n|ep
|v1|Event|events|n|ev
|v1|LimitRange|limitranges|n|limits
|v1|ResourceQuota|resourcequotas|n|quota
|v1|PersistentVolumeClaim|persistentvolumeclaims|n|pvc
|v1|ReplicationController|replicationcontrollers|n|rc|all
apps|v1|Deployment|deployments|n|deploy|all
apps|v1|StatefulSet|statefulsets|n|sts|all
apps|v1|DaemonSet|daemonsets|n|ds|all
apps|v1|ReplicaSet|replicasets|n|rs|all
batch|v1|Job|jobs|n||all
batch|v1|CronJob|cronjobs|n|cj|all
autoscaling|v2,v1|HorizontalPodAutoscaler|horizontalpodautoscalers|n|hpa|all
networking.k8s.io|v1|Ingress|ingresses|n|ing
networking.k8s.io|v1|IngressClass|ingressclasses|c
networking.k8s.io|v1|NetworkPolicy|networkpolicies|n|netpol
policy|v1|PodDisruptionBudget|poddisruptionbudgets|n|pdb
rbac.authorization.k8s.io|v1|Role|roles|n
rbac.authorization.k8s.io|v1|RoleBinding|rolebindings|n
rbac.authorization.k8s.io|v1|ClusterRole|clusterroles|c
rbac.authorization.k8s.io|v1|ClusterRoleBinding|clusterrolebindings|c
storage.k8s.io|v1|StorageClass|storageclasses|c|sc
scheduling.k8s.io|v1|PriorityClass|priorityclasses|c|pc
coordination.k8s.io|v1|Lease|leases|n
discovery.k8s.io|v1|EndpointSlice|endpointslices|n
admissionregistration.k8s.io|v1|MutatingWebhookConfiguration|mutatingwebhookconfigurations|c
admissionregistration.k8s.io|v1|ValidatingWebhookConfiguration|validatingwebhookconfigurations|c
apiregistration.k8s.io|v1|APIService|apiservices|c
apiextensions.k8s.io|v1|CustomResourceDefinition|customresourcedefinitions|c|crd,crds
"""

# Column 2 holds the versions of Flux 2.7; column 7 those that releases before 1.23.0 of the
# extension served as well (flux-behaviour section 5).
_FLUX = """
source.toolkit.fluxcd.io|v1|GitRepository|gitrepositories|n|gitrepo|v1beta2,v1beta1
source.toolkit.fluxcd.io|v1|OCIRepository|ocirepositories|n|ocirepo|v1beta2
source.toolkit.fluxcd.io|v1|Bucket|buckets|n||v1beta2,v1beta1
source.toolkit.fluxcd.io|v1|HelmRepository|helmrepositories|n|helmrepo|v1beta2,v1beta1
source.toolkit.fluxcd.io|v1|HelmChart|helmcharts|n|hc|v1beta2,v1beta1
source.toolkit.fluxcd.io|v1|ExternalArtifact|externalartifacts|n|
kustomize.toolkit.fluxcd.io|v1|Kustomization|kustomizations|n|ks|v1beta2,v1beta1
helm.toolkit.fluxcd.io|v2|HelmRelease|helmreleases|n|hr|v2beta2,v2beta1
notification.toolkit.fluxcd.io|v1beta3|Alert|alerts|n||v1beta2,v1beta1
notification.toolkit.fluxcd.io|v1beta3|Provider|providers|n||v1beta2,v1beta1
notification.toolkit.fluxcd.io|v1|Receiver|receivers|n||v1beta2,v1beta1
image.toolkit.fluxcd.io|v1|ImagePolicy|imagepolicies|n||v1beta2,v1beta1
image.toolkit.fluxcd.io|v1|ImageRepository|imagerepositories|n||v1beta2,v1beta1
image.toolkit.fluxcd.io|v1|ImageUpdateAutomation|imageupdateautomations|n||v1beta2,v1beta1
clusterconfig.azure.com|v1alpha1|FluxConfig|fluxconfigs|n|fc
clusterconfig.azure.com|v1beta1|FluxConfigSyncStatus|fluxconfigsyncstatuses|n|
"""

# What Azure's own agents bring to a cluster, by the tutorial's list of definitions.
_AZURE = """
arc.azure.com|v1beta1|ConnectedCluster|connectedclusters|n
clusterconfig.azure.com|v1beta1|ArcCertificate|arccertificates|n
clusterconfig.azure.com|v1beta1|AzureClusterIdentityRequest|azureclusteridentityrequests|n
clusterconfig.azure.com|v1beta1|AzureExtensionIdentity|azureextensionidentities|n
clusterconfig.azure.com|v1beta1|CustomLocationSettings|customlocationsettings|n
clusterconfig.azure.com|v1beta1|ExtensionConfig|extensionconfigs|n
clusterconfig.azure.com|v1beta1|GitConfig|gitconfigs|n
extensions.example.com|v1|Website|websites|n
snapshot.storage.k8s.io|v1|VolumeSnapshotClass|volumesnapshotclasses|c
snapshot.storage.k8s.io|v1|VolumeSnapshotContent|volumesnapshotcontents|c
snapshot.storage.k8s.io|v1|VolumeSnapshot|volumesnapshots|n
"""


def _rows(table: str) -> Iterator[list[str]]:
    for line in table.strip().splitlines():
        cells = line.split("|")
        yield cells + [""] * (7 - len(cells))


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(",") if part)


def _resources(table: str, *, old_versions: bool = False) -> tuple[Resource, ...]:
    return tuple(
        Resource(
            group=group,
            versions=_split(versions) + (_split(last) if old_versions else ()),
            kind=kind,
            plural=plural,
            namespaced=scope == "n",
            short_names=_split(short),
            in_all=last == "all",
        )
        for group, versions, kind, plural, scope, short, last in _rows(table)
    )


BUILT_IN = _resources(_BUILT_IN)
AZURE_AGENTS = _resources(_AZURE)
FLUX = _resources(_FLUX)
FLUX_BEFORE_1_23 = _resources(_FLUX, old_versions=True)


def flux_resources(version: str) -> tuple[Resource, ...]:
    """Return what a release of the extension serves. An empty version is the newest."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return FLUX_BEFORE_1_23 if numbers and numbers < (1, 23) else FLUX


def definition(resource: Resource) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, without its schema."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": list(resource.short_names),
            },
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {"name": version, "served": True, "storage": position == 0}
                for position, version in enumerate(resource.versions)
            ],
        },
    }


def from_definition(manifest: dict[str, Any]) -> Resource | None:
    """Read a kind from a CustomResourceDefinition; None when it says too little."""
    spec = manifest.get("spec") or {}
    names = spec.get("names") or {}
    versions = [item for item in spec.get("versions") or [] if item.get("served", True)]
    if not (spec.get("group") and names.get("kind") and names.get("plural") and versions):
        return None
    versions.sort(key=lambda item: not item.get("storage"))
    return Resource(
        group=spec["group"],
        versions=tuple(item["name"] for item in versions),
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec.get("scope", "Namespaced") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
    )


class ResourceRegistry:
    """Every kind that a cluster serves at this moment."""

    def __init__(self, definitions: Iterable[dict[str, Any]]) -> None:
        custom = (from_definition(manifest) for manifest in definitions)
        self.resources = [*BUILT_IN, *(resource for resource in custom if resource)]
        self._by_kind = {(item.group, item.kind): item for item in self.resources}

    def kind(self, group: str, kind: str) -> Resource | None:
        return self._by_kind.get((group, kind))

    def served(self, api_version: str, kind: str) -> Resource | None:
        """Return the kind when it is served in that very version."""
        group, _, version = api_version.rpartition("/")
        resource = self.kind(group, kind)
        return resource if resource and version in resource.versions else None
