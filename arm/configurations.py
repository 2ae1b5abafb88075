"""Flux configurations of a cluster (``Microsoft.KubernetesConfiguration/fluxConfigurations``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from azure.mgmt.kubernetesconfiguration import SourceControlConfigurationClient
from azure.mgmt.kubernetesconfiguration.fluxconfigurations import (
    KubernetesConfigurationFluxConfigurationsMgmtClient as FluxClient,
)

from arm.base import Accepted, GatewayBase, encode
from arm.ids import ClusterId, ConfigurationId
from arm.scrub import secret_values

_FLUX_V1_API = "2023-05-01"


class ConfigurationOperations(GatewayBase):
    """Resources go in and out as ARM's own JSON: ``{id, name, type, systemData, properties}``."""

    def get_configuration(self, configuration_id: str) -> dict[str, Any]:
        """One configuration as ARM holds it now. Raises ``NotFound`` when there is none."""
        subscription_id, path = _path(configuration_id)
        return self._get(lambda **it: self._flux(subscription_id).get(*path, **it))

    def list_configurations(self, cluster_id: str) -> list[dict[str, Any]]:
        """Every configuration of a cluster."""
        cluster = ClusterId.parse(cluster_id)
        path = cluster.path_arguments
        return self._list(lambda **it: self._flux(cluster.subscription_id).list(*path, **it))

    def put_configuration(
        self,
        configuration_id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Create or replace. What the body leaves out, protected settings too, is wiped by ARM.

        ``secrets``: values in the body that must not show in errors, beside those under names that
        the schema marks as secret.
        """
        subscription_id, path = _path(configuration_id)
        content = encode(body)
        return self._write(
            lambda **it: self._flux(subscription_id).begin_create_or_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def patch_configuration(
        self,
        configuration_id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Merge ``body`` into the resource (JSON merge patch: null removes). Secrets stay."""
        subscription_id, path = _path(configuration_id)
        content = encode(body)
        return self._write(
            lambda **it: self._flux(subscription_id).begin_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def delete_configuration(
        self, configuration_id: str, *, force: bool = False, client_request_id: str
    ) -> Accepted:
        """Delete. ``force`` removes the Azure resource without waiting for the cluster's agent."""
        subscription_id, path = _path(configuration_id)
        return self._write(
            lambda **it: self._flux(subscription_id).begin_delete(
                *path, force_delete=force or None, **it
            ),
            client_request_id=client_request_id,
        )

    def list_flux_v1(self, cluster_id: str) -> list[dict[str, Any]]:
        """The cluster's Flux v1 configurations; any of them rules Flux v2 out on that cluster."""
        cluster = ClusterId.parse(cluster_id)
        client = SourceControlConfigurationClient
        return self._list(
            lambda **it: self._client(
                client, cluster.subscription_id, api_version=_FLUX_V1_API
            ).source_control_configurations.list(*cluster.path_arguments, **it)
        )

    def _flux(self, subscription_id: str) -> Any:
        version = self.account.flux_api_version
        return self._client(FluxClient, subscription_id, api_version=version).flux_configurations


def _path(configuration_id: str) -> tuple[str, tuple[str, ...]]:
    """The subscription, and the arguments that every operation on one configuration starts with."""
    parsed = ConfigurationId.parse(configuration_id)
    return parsed.cluster.subscription_id, (*parsed.cluster.path_arguments, parsed.name)
