"""Known failures of the extension, of clusters and of Azure's own side."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, Extension
from clusters.rulebook import Page, Symptom, command_of, first_of, symptom

_TROUBLE = "Microsoft: Troubleshoot extension issues for Kubernetes clusters"
_GITOPS = "Microsoft: Deploy applications using GitOps with Flux v2"
_ARM = "Microsoft: Troubleshoot common Azure deployment errors"
_ARC = "Microsoft: Azure Arc-enabled Kubernetes agent overview"
_SHOW = (
    "az k8s-extension show --resource-group {group} --cluster-name {cluster} "
    "--cluster-type {cluster_type} --name {extension}"
)
_UPDATE = (
    "az k8s-extension update --resource-group {group} --cluster-name {cluster} "
    "--cluster-type {cluster_type} --name {extension}"
)

CLUSTER_SYMPTOMS: tuple[Symptom, ...] = (
    symptom(
        "extension_not_rendered",
        r"Unable to render the Helm chart.*untyped nil",
        _("This release of the extension has a fault: its chart cannot be rendered."),
        _("1.15.1 and older have it everywhere, 1.16.2 in some regions."),
        _("Upgrade to a newer release: at least 1.15.2, or 1.16.3."),
        command=_UPDATE + " --auto-upgrade-minor-version true",
        page=Page.EXTENSION,
        source=_TROUBLE,
    ),
    symptom(
        "pod_identity",
        r"no azure identity found for request clientID|status not populated",
        _("AAD pod identity takes the requests of the extension's agents."),
        _("It stands between them and the cluster's own identity, and finds none for them."),
        _("Upgrade the extension, which then brings an exception for its agents."),
        _("Or make an AzurePodIdentityException for the namespace flux-system."),
        command="kubectl get azurepodidentityexceptions --all-namespaces",
        page=Page.EXTENSION,
        source=_TROUBLE,
    ),
    symptom(
        "limits_policy",
        r"k8sazurev\d+containerlimits|has no resource limits",
        _("A policy wants resource limits that the extension's containers lack."),
        _("Gatekeeper refuses its pods in the namespace flux-system."),
        _("Exclude flux-system from the policy assignment."),
        _("Then propose the extension again."),
        command="kubectl get constraints",
        page=Page.EXTENSION,
        source=_TROUBLE,
    ),
    symptom(
        "policy_blocks_flux",
        r"denied the request:.*flux-system",
        _("A policy on the cluster refuses the namespace flux-system."),
        _("The extension cannot be installed without this namespace."),
        _("Find the policy that denies it and exclude flux-system."),
        _("Then propose the extension again."),
        command="kubectl get constraints",
        page=Page.EXTENSION,
        source=_TROUBLE,
    ),
    symptom(
        "aks_automatic",
        r"aks-managed-protect-system-namespaces",
        _("AKS Automatic protects its system namespaces from the extension."),
        _("fluxconfig-controller may not write there and restarts again and again."),
        _("Upgrade the extension to a release that is made for AKS Automatic."),
        command="kubectl get pods --namespace flux-system",
        page=Page.EXTENSION,
        source="github.com/Azure/AKS/issues/5645",
    ),
    symptom(
        "openshift_constraint",
        r"unable to validate against any security context constraint",
        _("OpenShift does not admit the controllers of Flux."),
        _("Their service accounts lack the nonroot security context constraint."),
        _("Give it to the service accounts; the page on OpenShift has all commands."),
        command="oc adm policy add-scc-to-user nonroot system:serviceaccount:flux-system:"
        "source-controller",
        page=Page.EXTENSION,
        source=_GITOPS,
    ),
    symptom(
        "dataplane_unreachable",
        r"(?P<host>[\w.-]+\.dp\.kubernetesconfiguration\.azure\.(?:com|cn|us))",
        _("The cluster's agents do not reach Azure's data plane."),
        _("They fetch configurations and report to a host of their region, on port 443."),
        _("Open this host in the firewall, and in the proxy that the cluster uses."),
        _("If it is open, install the extension anew."),
        command="kubectl run reach --rm --attach --restart Never --image "
        "mcr.microsoft.com/azure-cli --command -- curl --head https://{host}",
        page=Page.CLUSTER,
        source="github.com/Azure/AKS/issues/4359",
    ),
    symptom(
        "service_principal",
        r"clusters using Managed Service Identity|service-principal-not-supported",
        _("The cluster signs in with a service principal."),
        _("Azure takes extensions only on clusters with a managed identity."),
        _("Change the cluster to a managed identity, then propose the extension again."),
        command="az aks update --resource-group {group} --name {cluster} --enable-managed-identity",
        page=Page.CLUSTER,
        source="aka.ms/aks-extensions-service-principal-not-supported",
    ),
    symptom(
        "agent_expired",
        r"connectivityStatus: Expired",
        _("The certificate of the cluster's identity has expired."),
        _("Its Arc agents were away for too long. What runs on the cluster keeps running."),
        _("Delete the Arc resource and connect the cluster again."),
        command="az connectedk8s delete --resource-group {group} --name {cluster}",
        page=Page.CLUSTER,
        source=_ARC,
    ),
    symptom(
        "agent_offline",
        r"connectivityStatus: Offline",
        _("The cluster's Arc agents do not report."),
        _("What runs on it keeps running; what Azure accepts waits for the agents for 48 h."),
        _("See that the agents run and reach Azure."),
        command="kubectl get pods --namespace azure-arc",
        page=Page.CLUSTER,
        source=_ARC,
    ),
    symptom(
        "agent_timeout",
        r"did not (?:fetch|answer).*48 hours|OperationTimedOut",
        _("The cluster did not take the write within 48 h."),
        _("Azure then gives up, and forgets the secrets that were sent with it."),
        _("Bring the cluster's agents back, then send the change again."),
        _("Secrets have to be entered again."),
        command="kubectl get pods --namespace azure-arc",
        page=Page.EDIT,
        source=_GITOPS,
    ),
    symptom(
        "flux_v1",
        r"Flux v1 configurations already exist|sourceControlConfigurations",
        _("The cluster still has Flux v1 configurations."),
        _("Flux v1 and v2 cannot run on one cluster."),
        _("Delete the Flux v1 configurations, then send the change again."),
        command="az k8s-configuration list --resource-group {group} --cluster-name {cluster} "
        "--cluster-type {cluster_type}",
        page=Page.CLUSTER,
        source="k8s-configuration, validators of the command line",
    ),
    symptom(
        "not_registered",
        r"MissingSubscriptionRegistration|not registered to use namespace",
        _("The subscription has not registered a resource provider."),
        _("Azure refuses everything about Flux until it has."),
        _("Test the connection and propose the registration from there."),
        command="az provider register --subscription {subscription} "
        "--namespace Microsoft.KubernetesConfiguration",
        page=Page.CLUSTER,
        source=_ARM,
    ),
    symptom(
        "azure_policy",
        r"RequestDisallowedByPolicy|disallowed by policy",
        _("An Azure policy forbids this write."),
        _("It was refused before it reached the cluster."),
        _("Change what the policy names, or have the policy's owner exempt the cluster."),
        command="az policy state list --resource-group {group} --filter "
        "\"complianceState eq 'NonCompliant'\"",
        source=_ARM,
    ),
    symptom(
        "azure_rights",
        r"AuthorizationFailed|does not have authorization to perform action",
        _("The portal's identity may not do this."),
        _("A role on the cluster or its resource group is missing."),
        _("Give the identity a role with this action, then try again."),
        command="az role assignment list --resource-group {group} --output table",
        page=Page.CLUSTER,
        source=_ARM,
    ),
    symptom(
        "extension_missing",
        r"ExtensionNotFound|extension is not installed on the cluster",
        _("The Flux extension is not installed on the cluster."),
        _("Without it nobody there reads the configuration."),
        _("Propose the extension, then send the change again."),
        page=Page.CLUSTER,
        source="k8s-configuration, validators of the command line",
    ),
    symptom(
        "extension_not_ready",
        r"ExtensionNotReady|extension is installed but not in a succeeded state",
        _("The Flux extension on the cluster has failed."),
        _("Configurations wait until it is well."),
        _("The cluster's page says why it failed and what to do."),
        command=_SHOW,
        page=Page.CLUSTER,
        source="k8s-configuration, validators of the command line",
    ),
    symptom(
        "extension_failed",
        r"ExtensionCreationFailed|ExtensionOperationFailed|ExtensionDeletionFailed"
        r"|failed to install chart",
        _("The extension could not be brought up."),
        _("Its Helm release failed; Azure's own words say where."),
        _("Check that no policy blocks the namespace flux-system, and that the nodes reach the "
          "internet."),
        _("If it stays failed: delete the extension by force and its Helm release, then install it "
          "again."),
        command=_SHOW,
        page=Page.EXTENSION,
        source=_TROUBLE,
    ),
)  # fmt: skip


_EXTENSION_FAILED = next(it for it in CLUSTER_SYMPTOMS if it.code == "extension_failed")


def place_of(cluster: Cluster, *, with_extension: bool = True) -> dict[str, str]:
    """The names that commands about a cluster take; the extension's costs a query."""
    extension = getattr(cluster, "extension", None) if with_extension else None
    return {
        "subscription": cluster.subscription_id,
        "group": cluster.resource_group,
        "cluster": cluster.name,
        "cluster_type": cluster.kind,
        "extension": extension.name if extension else "flux",
    }


def reach_of(cluster: Cluster) -> str:
    """What Arc says of a cluster that is out of reach, as a message of the rule book; else ""."""
    gone = cluster.connectivity in {"Offline", "Expired"}
    return f"connectivityStatus: {cluster.connectivity}" if gone else ""


@dataclass(frozen=True)
class Remedy:
    """An entry, and its command with real names."""

    entry: Symptom
    command: str


def extension_remedy(extension: Extension | None) -> Remedy | None:
    """What to do about a failed extension; None where nothing failed."""
    if extension is None or extension.provisioning_state not in {"Failed", "Canceled"}:
        return None
    message, reason = extension.error_message, extension.error_code or "ExtensionOperationFailed"
    entry = first_of(CLUSTER_SYMPTOMS, message, reason) or _EXTENSION_FAILED
    command = command_of(entry, place_of(extension.cluster), message, reason)
    return Remedy(entry, command)


def address_of(page: Page, cluster: Cluster) -> str:
    """Where in the portal the remedy is, as far as that is a page of the cluster; else ""."""
    match page:
        case Page.EXTENSION:
            return reverse("clusters:extension", args=[cluster.pk])
        case Page.IDENTITY:
            return reverse("clusters:workload_identity", args=[cluster.pk])
        case Page.CLUSTER:
            return reverse("clusters:detail", args=[cluster.pk])
    return ""
