"""The Azure packages, unmodified, against the simulator: both generations."""

from __future__ import annotations

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.kubernetesconfiguration import SourceControlConfigurationClient
from azure.mgmt.kubernetesconfiguration.extensions import (
    KubernetesConfigurationExtensionsMgmtClient,
)
from azure.mgmt.kubernetesconfiguration.fluxconfigurations import (
    KubernetesConfigurationFluxConfigurationsMgmtClient,
)
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

from simulator.inprocess import InProcessSimulator
from tests.simulator_fixtures import Azure, SimulatorProcess, git_configuration

ARC = ("flux-demo-rg", "Microsoft.Kubernetes", "connectedClusters", "flux-demo-arc")
AKS = ("flux-demo-rg", "Microsoft.ContainerService", "managedClusters", "flux-demo-aks")


def test_a_configuration_lives_its_whole_life(simulator: InProcessSimulator, azure: Azure) -> None:
    flux = azure.client(KubernetesConfigurationFluxConfigurationsMgmtClient).flux_configurations
    created = flux.begin_create_or_update(*ARC, "cluster-config", git_configuration()).result()
    assert created.properties.provisioning_state == "Succeeded"

    simulator.run_until_idle()
    seen = flux.get(*ARC, "cluster-config").properties
    assert seen.compliance_state == "Compliant"
    assert seen.source_synced_commit_id.startswith("main@sha1:")
    assert {(s.kind, s.name) for s in seen.statuses} >= {
        ("GitRepository", "cluster-config"),
        ("Kustomization", "cluster-config-infra"),
        ("Kustomization", "cluster-config-apps"),
    }

    patched = flux.begin_update(
        *ARC, "cluster-config", {"properties": {"kustomizations": {"apps": None}}}
    ).result()
    assert list(patched.properties.kustomizations) == ["infra"]

    flux.begin_delete(*ARC, "cluster-config").result()
    assert list(flux.list(*ARC)) == []
    with pytest.raises(ResourceNotFoundError):
        flux.get(*ARC, "cluster-config")


def test_the_older_generation_works_too(simulator: InProcessSimulator, azure: Azure) -> None:
    client = azure.client(SourceControlConfigurationClient)
    models = client.flux_configurations.models
    configuration = models.FluxConfiguration(
        namespace="old",
        git_repository=models.GitRepositoryDefinition(
            url="https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
            repository_ref=models.RepositoryRefDefinition(branch="main"),
        ),
        kustomizations={"infra": models.KustomizationDefinition(path="./infrastructure")},
        configuration_protected_settings={"httpsKey": "c2VjcmV0"},
    )
    made = client.flux_configurations.begin_create_or_update(*AKS, "old", configuration).result()
    assert made.provisioning_state == "Succeeded"
    assert made.kustomizations["infra"].wait is True
    assert not made.configuration_protected_settings
    assert [item.name for item in client.extensions.list(*AKS)] == ["flux"]
    assert list(client.source_control_configurations.list(*AKS)) == []
    client.flux_configurations.begin_delete(*AKS, "old", force_delete=True).result()


def test_an_extension_is_installed_pinned_and_removed(azure: Azure) -> None:
    extensions = azure.client(KubernetesConfigurationExtensionsMgmtClient).extensions
    body = {
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "extensionType": "microsoft.flux",
            "configurationSettings": {"multiTenancy.enforce": "false"},
            "configurationProtectedSettings": {"token": "canary"},
        },
    }
    made = extensions.begin_create(*ARC, "gitops", body).result()
    assert made.properties.current_version == "1.24.1"
    assert made.properties.scope.cluster.release_namespace == "flux-system"
    assert made.identity.type == "SystemAssigned"
    assert not made.properties.configuration_protected_settings

    change = {"properties": {"configurationSettings": {"helm-controller.detectDrift": "true"}}}
    changed = extensions.begin_update(*ARC, "gitops", change).result()
    assert changed.properties.auto_upgrade_minor_version
    assert changed.properties.configuration_settings == {
        "multiTenancy.enforce": "false",
        "helm-controller.detectDrift": "true",
    }

    change = {"properties": {"autoUpgradeMinorVersion": False, "version": "1.24.0"}}
    pinned = extensions.begin_update(*ARC, "gitops", change).result()
    assert pinned.properties.current_version == "1.24.0"
    assert pinned.properties.auto_upgrade_minor_version is False

    extensions.begin_delete(*ARC, "gitops").result()
    assert list(extensions.list(*ARC)) == []


def test_a_failed_operation_raises_its_own_error(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.add_fault(
        kind="fail_operation", path="extensions", code="ExtensionOperationFailed", message="boom"
    )
    extensions = azure.client(KubernetesConfigurationExtensionsMgmtClient).extensions
    body = {"properties": {"extensionType": "microsoft.flux"}}
    with pytest.raises(HttpResponseError, match=r"\(ExtensionOperationFailed\) boom"):
        extensions.begin_create(*AKS, "flux", body).result()
    assert extensions.get(*AKS, "flux").properties.provisioning_state == "Failed"


def test_the_inventory_is_there(azure: Azure) -> None:
    subscriptions = azure.client(SubscriptionClient, with_subscription=False)
    assert [s.display_name for s in subscriptions.subscriptions.list()] == ["Fluxgate demo"]
    assert [t.tenant_id for t in subscriptions.tenants.list()] == [azure.settings["tenant_id"]]

    resources = azure.client(ResourceManagementClient)
    assert [g.name for g in resources.resource_groups.list()] == ["flux-demo-rg"]
    clusters = resources.resources.list(
        filter="resourceType eq 'Microsoft.Kubernetes/connectedClusters'"
    )
    assert [c.name for c in clusters] == ["flux-demo-arc"]

    aks = azure.client(ContainerServiceClient).managed_clusters
    cluster = aks.get("flux-demo-rg", "flux-demo-aks")
    assert cluster.service_principal_profile.client_id == "msi"
    assert cluster.oidc_issuer_profile.enabled
    assert [c.name for c in aks.list()] == ["flux-demo-aks"]

    arc = azure.client(ConnectedKubernetesClient).connected_cluster
    assert arc.get("flux-demo-rg", "flux-demo-arc").properties.connectivity_status == "Connected"
    assert [c.name for c in arc.list_by_resource_group("flux-demo-rg")] == ["flux-demo-arc"]


def test_registration_takes_its_time(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.core.pace = 1.0
    name = "Microsoft.KubernetesConfiguration"
    simulator.control.set_registration(name)
    providers = azure.client(ResourceManagementClient).providers
    assert providers.get(name).registration_state == "NotRegistered"
    refused = azure.call("GET", f"{azure.arc}/providers/{name}/fluxConfigurations")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "MissingSubscriptionRegistration"

    assert providers.register(name).registration_state == "Registering"
    simulator.control.advance(11)
    assert providers.get(name).registration_state == "Registered"


def test_permissions_and_federated_credentials(simulator: InProcessSimulator, azure: Azure) -> None:
    permissions = azure.client(AuthorizationManagementClient).permissions
    assert [p.actions for p in permissions.list_for_resource_group("flux-demo-rg")] == [["*"]]
    of_cluster = permissions.list_for_resource(
        "flux-demo-rg", "Microsoft.Kubernetes", "", "connectedClusters", "flux-demo-arc"
    )
    assert [p.actions for p in of_cluster] == [["*"]]

    identities = azure.client(ManagedServiceIdentityClient)
    found = [i.name for i in identities.user_assigned_identities.list_by_subscription()]
    assert found == ["flux-demo-identity"]
    credentials = identities.federated_identity_credentials
    place = ("flux-demo-rg", "flux-demo-identity")
    body = {
        "properties": {
            "issuer": "https://issuer.example",
            "subject": "system:serviceaccount:flux-system:source-controller",
            "audiences": ["api://AzureADTokenExchange"],
        }
    }
    credentials.create_or_update(*place, "source", body)
    with pytest.raises(HttpResponseError, match="Issuer and subject"):
        credentials.create_or_update(*place, "again", body)
    assert [c.name for c in credentials.list(*place)] == ["source"]
    credentials.delete(*place, "source")
    assert list(credentials.list(*place)) == []


def test_a_wrong_secret_is_refused(azure: Azure) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        azure.credential("wrong").get_token(f"{azure.endpoint}/.default")


def test_the_same_over_https(simulator_process: SimulatorProcess) -> None:
    client = simulator_process.azure.client(KubernetesConfigurationFluxConfigurationsMgmtClient)
    flux = client.flux_configurations
    made = flux.begin_create_or_update(*ARC, "over-https", git_configuration("https")).result()
    assert made.properties.provisioning_state == "Succeeded"
    assert [c.name for c in flux.list(*ARC)] == ["over-https"]
    flux.begin_delete(*ARC, "over-https").result()
    assert list(flux.list(*ARC)) == []
