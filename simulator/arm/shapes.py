"""The bodies of Microsoft.KubernetesConfiguration, from its published api-versions."""

from __future__ import annotations

from simulator.arm.schema import Field, Object

_OCI = "2024-11-01"
_BLOB = "2022-07-01"
_BUILD = "2023-05-01"


def _seconds() -> Field:
    return Field(int, default=600, minimum=1)


def _text(since: str = "") -> Field:
    return Field(str, since=since)


def _secret() -> Field:
    return Field(str, secret=True)


GIT_REPOSITORY = Object(
    "GitRepositoryDefinition",
    {
        "url": _text(),
        "timeoutInSeconds": _seconds(),
        "syncIntervalInSeconds": _seconds(),
        "repositoryRef": Field(
            Object(
                "RepositoryRefDefinition",
                {name: _text() for name in ("branch", "tag", "semver", "commit")},
            )
        ),
        "sshKnownHosts": _text(),
        "httpsUser": _text(),
        "httpsCACert": _text(),
        "localAuthRef": _text(),
        "provider": Field(str, since=_OCI, choices=("Azure", "GitHub", "Generic")),
    },
)

BUCKET = Object(
    "BucketDefinition",
    {
        "url": _text(),
        "bucketName": _text(),
        "insecure": Field(bool, default=True),
        "timeoutInSeconds": _seconds(),
        "syncIntervalInSeconds": _seconds(),
        "accessKey": _text(),
        "localAuthRef": _text(),
    },
)

AZURE_BLOB = Object(
    "AzureBlobDefinition",
    {
        "url": _text(),
        "containerName": _text(),
        "timeoutInSeconds": _seconds(),
        "syncIntervalInSeconds": _seconds(),
        "servicePrincipal": Field(
            Object(
                "ServicePrincipalDefinition",
                {
                    "clientId": _text(),
                    "tenantId": _text(),
                    "clientSecret": _secret(),
                    "clientCertificate": _secret(),
                    "clientCertificatePassword": _secret(),
                    "clientCertificateSendChain": Field(bool),
                },
            )
        ),
        "accountKey": _secret(),
        "sasToken": _secret(),
        "managedIdentity": Field(Object("ManagedIdentityDefinition", {"clientId": _text()})),
        "localAuthRef": _text(),
    },
)

OCI_REPOSITORY = Object(
    "OCIRepositoryDefinition",
    {
        "url": _text(),
        "timeoutInSeconds": _seconds(),
        "syncIntervalInSeconds": _seconds(),
        "repositoryRef": Field(
            Object("OCIRepositoryRefDefinition", {n: _text() for n in ("tag", "semver", "digest")})
        ),
        "layerSelector": Field(
            Object(
                "LayerSelectorDefinition",
                {"mediaType": _text(), "operation": Field(str, choices=("extract", "copy"))},
            )
        ),
        "verify": Field(
            Object(
                "VerifyDefinition",
                {
                    "provider": _text(),
                    "verificationConfig": Field(str, many="map"),
                    "matchOidcIdentity": Field(
                        Object(
                            "MatchOidcIdentityDefinition", {"issuer": _text(), "subject": _text()}
                        ),
                        many="list",
                    ),
                },
            )
        ),
        "insecure": Field(bool, default=False),
        "useWorkloadIdentity": Field(bool, default=False),
        "serviceAccountName": _text(),
        "tlsConfig": Field(
            Object(
                "TlsConfigDefinition",
                {
                    "clientCertificate": _secret(),
                    "privateKey": _secret(),
                    "caCertificate": _secret(),
                },
            )
        ),
        "localAuthRef": _text(),
    },
)

KUSTOMIZATION = Object(
    "KustomizationDefinition",
    {
        "name": Field(str, read_only=True),
        "path": Field(str, default=""),
        "dependsOn": Field(str, many="list"),
        "timeoutInSeconds": _seconds(),
        "syncIntervalInSeconds": _seconds(),
        "retryIntervalInSeconds": Field(int, minimum=1),
        "prune": Field(bool, default=False),
        "force": Field(bool, default=False),
        "wait": Field(bool, since=_BUILD, default=True),
        "postBuild": Field(
            Object(
                "PostBuildDefinition",
                {
                    "substitute": Field(str, many="map"),
                    "substituteFrom": Field(
                        Object(
                            "SubstituteFromDefinition",
                            {
                                "kind": Field(str, choices=("ConfigMap", "Secret")),
                                "name": _text(),
                                "optional": Field(bool, default=False),
                            },
                        ),
                        many="list",
                    ),
                },
            ),
            since=_BUILD,
        ),
    },
)

FLUX_CONFIGURATION = Object(
    "FluxConfigurationProperties",
    {
        "scope": Field(str, default="cluster", choices=("cluster", "namespace"), create_only=True),
        "namespace": Field(str, default="default", create_only=True),
        "sourceKind": Field(
            str,
            default="GitRepository",
            choices=("GitRepository", "Bucket", "AzureBlob", "OCIRepository"),
        ),
        "suspend": Field(bool, default=False),
        "gitRepository": Field(GIT_REPOSITORY),
        "bucket": Field(BUCKET),
        "azureBlob": Field(AZURE_BLOB, since=_BLOB),
        "ociRepository": Field(OCI_REPOSITORY, since=_OCI),
        "kustomizations": Field(KUSTOMIZATION, many="map", default={}),
        "configurationProtectedSettings": Field(str, many="map", secret=True),
        "waitForReconciliation": Field(bool, since=_BUILD, default=False),
        "reconciliationWaitDuration": Field(str, since=_BUILD),
        "statuses": Field(dict, many="list", read_only=True),
        "repositoryPublicKey": Field(str, read_only=True),
        "sourceSyncedCommitId": Field(str, read_only=True),
        "sourceUpdatedAt": Field(str, read_only=True),
        "statusUpdatedAt": Field(str, read_only=True),
        "complianceState": Field(str, read_only=True),
        "provisioningState": Field(str, read_only=True),
        "errorMessage": Field(str, read_only=True),
    },
)

_LATEST = "2025-03-01"

EXTENSION = Object(
    "ExtensionProperties",
    {
        "extensionType": Field(str, create_only=True),
        "autoUpgradeMinorVersion": Field(bool, default=True),
        "autoUpgradeMode": Field(str, since=_LATEST, choices=("none", "patch", "compatible")),
        "releaseTrain": Field(str, default="Stable"),
        "version": _text(),
        "scope": Field(
            Object(
                "Scope",
                {
                    "cluster": Field(Object("ScopeCluster", {"releaseNamespace": _text()})),
                    "namespace": Field(Object("ScopeNamespace", {"targetNamespace": _text()})),
                },
            ),
            create_only=True,
        ),
        "configurationSettings": Field(str, many="map", default={}),
        "configurationProtectedSettings": Field(str, many="map", secret=True),
        "aksAssignedIdentity": Field(
            Object(
                "ExtensionPropertiesAksAssignedIdentity",
                {
                    "principalId": Field(str, read_only=True),
                    "tenantId": Field(str, read_only=True),
                    "type": Field(str, choices=("SystemAssigned", "UserAssigned", "Workload")),
                    "objectId": _text(_LATEST),
                    "clientId": _text(_LATEST),
                    "resourceId": _text(_LATEST),
                },
            ),
            create_only=True,
        ),
        "statuses": Field(dict, many="list", read_only=True),
        "currentVersion": Field(str, read_only=True),
        "provisioningState": Field(str, read_only=True),
        "errorInfo": Field(dict, read_only=True),
        "customLocationSettings": Field(dict, read_only=True),
        "packageUri": Field(str, read_only=True),
        "isSystemExtension": Field(bool, read_only=True),
        "managementDetails": Field(dict, since=_LATEST, read_only=True),
        "additionalDetails": Field(dict, since=_LATEST, read_only=True),
        "extensionState": Field(str, since=_LATEST, read_only=True),
    },
)
