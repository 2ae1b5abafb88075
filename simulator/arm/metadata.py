"""``/metadata/endpoints``: with it ``az cloud register`` learns everything else."""

from __future__ import annotations

from urllib.parse import urlsplit

from simulator.http import Answer, Document, Request

# What the command line asks of a cloud although nothing of it is simulated.
_ELSEWHERE = {
    "gallery": "gallery",
    "graph": "graph",
    "graphAudience": "graph",
    "microsoftGraphResourceId": "graph",
    "batch": "batch",
    "media": "media",
    "sqlManagement": "sql",
    "vmImageAliasDoc": "images",
    "activeDirectoryDataLake": "datalake",
    "appInsightsResourceId": "insights",
    "appInsightsTelemetryChannelResourceId": "insights/track",
    "attestationResourceId": "attestation",
    "synapseAnalyticsResourceId": "synapse",
    "logAnalyticsResourceId": "logs",
    "ossrdbmsResourceId": "databases",
    "azmirrorStorageAccountResourceId": "mirror",
}


def endpoints(request: Request, tenant_id: str) -> Answer:
    """Return the cloud in the shape of the api-version: 2015-01-01, a list, or one object."""
    base = request.base_url
    version = request.query.get("api-version", "2015-01-01")
    if version < "2019-05-01":
        return Answer(
            200,
            {
                "galleryEndpoint": f"{base}/gallery",
                "graphEndpoint": f"{base}/graph",
                "portalEndpoint": f"{base}/portal",
                "authentication": {"loginEndpoint": base, "audiences": [base]},
            },
        )
    cloud = _cloud(base, tenant_id)
    return Answer(200, cloud if version >= "2022-09-01" else [cloud])


def _cloud(base: str, tenant_id: str) -> Document:
    host = urlsplit(base).hostname or "localhost"
    return {
        "name": "FluxgateSimulator",
        "portal": f"{base}/portal",
        "resourceManager": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base, f"{base}/"],
            "tenant": tenant_id,
            "identityProvider": "AAD",
        },
        "suffixes": {
            name: f"{name.lower()}.{host}"
            for name in (
                "acrLoginServer",
                "attestationEndpoint",
                "azureDataLakeAnalyticsCatalogAndJob",
                "azureDataLakeStoreFileSystem",
                "keyVaultDns",
                "mariadbServerEndpoint",
                "mhsmDns",
                "mysqlServerEndpoint",
                "postgresqlServerEndpoint",
                "sqlServerHostname",
                "storage",
                "storageSyncEndpointSuffix",
                "synapseAnalytics",
            )
        },
        **{name: f"{base}/{place}" for name, place in _ELSEWHERE.items()},
    }
