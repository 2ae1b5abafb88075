"""Cluster extensions (``Microsoft.KubernetesConfiguration/extensions``), above all microsoft.flux."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from azure.mgmt.kubernetesconfiguration.extensions import (
    KubernetesConfigurationExtensionsMgmtClient as ExtensionsClient,
)

from arm.base import Accepted, GatewayBase, encode
from arm.ids import ClusterId, ExtensionId
from arm.scrub import secret_values


class ExtensionOperations(GatewayBase):
    """Resources go in and out as ARM's own JSON: ``{id, name, type, identity, properties, ...}``."""

    def get_extension(self, id: str) -> dict[str, Any]:
        """One extension. Raises ``NotFound`` when there is none."""
        path = _path(id)
        return self._get(lambda **it: self._extensions(id).get(*path, **it))

    def list_extensions(self, cluster_id: str) -> list[dict[str, Any]]:
        """Every extension of a cluster; find Flux by ``properties.extensionType``, not by name."""
        path = ClusterId.parse(cluster_id).path_arguments
        return self._list(lambda **it: self._extensions(cluster_id).list(*path, **it))

    def put_extension(
        self,
        id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Install, or replace the settings. ``secrets`` as for configurations."""
        path, content = _path(id), encode(body)
        return self._write(
            lambda **it: self._extensions(id).begin_create(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def patch_extension(
        self,
        id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Merge ``body`` into the extension's settings, version or release train."""
        path, content = _path(id), encode(body)
        return self._write(
            lambda **it: self._extensions(id).begin_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def delete_extension(self, id: str, *, force: bool = False, client_request_id: str) -> Accepted:
        """Uninstall. Delete the cluster's configurations first. ``force`` as for configurations."""
        path = _path(id)
        return self._write(
            lambda **it: self._extensions(id).begin_delete(*path, force_delete=force or None, **it),
            client_request_id=client_request_id,
        )

    def _extensions(self, id: str) -> Any:
        subscription_id = id.split("/")[2]
        version = self.account.extension_api_version
        return self._client(ExtensionsClient, subscription_id, api_version=version).extensions


def _path(id: str) -> tuple[str, ...]:
    parsed = ExtensionId.parse(id)
    return (*parsed.cluster.path_arguments, parsed.name)
