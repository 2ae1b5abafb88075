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

    def get_configuration(self, id: str) -> dict[str, Any]:
        """One configuration as ARM holds it now. Raises ``NotFound`` when there is none."""
        path = _path(id)
        return self._get(lambda **it: self._flux(id).get(*path, **it))

    def list_configurations(self, cluster_id: str) -> list[dict[str, Any]]:
        """Every configuration of a cluster."""
        cluster = ClusterId.parse(cluster_id)
        return self._list(lambda **it: self._flux(cluster_id).list(*cluster.path_arguments, **it))

    def put_configuration(
        self,
        id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Create or replace. What the body leaves out, protected settings too, is wiped by ARM.

        ``secrets``: values in the body that must not show in errors, beside those under names that
        the schema marks as secret.
        """
        path, content = _path(id), encode(body)
        return self._write(
            lambda **it: self._flux(id).begin_create_or_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def patch_configuration(
        self,
        id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Merge ``body`` into the resource (JSON merge patch: null removes). Secrets stay."""
        path, content = _path(id), encode(body)
        return self._write(
            lambda **it: self._flux(id).begin_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def delete_configuration(
        self, id: str, *, force: bool = False, client_request_id: str
    ) -> Accepted:
        """Delete. ``force`` removes the Azure resource without waiting for the cluster's agent."""
        path = _path(id)
        return self._write(
            lambda **it: self._flux(id).begin_delete(*path, force_delete=force or None, **it),
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

    def _flux(self, id: str) -> Any:
        subscription_id = id.split("/")[2]
        version = self.account.flux_api_version
        return self._client(FluxClient, subscription_id, api_version=version).flux_configurations


def _path(id: str) -> tuple[str, ...]:
    parsed = ConfigurationId.parse(id)
    return (*parsed.cluster.path_arguments, parsed.name)
