"""Cluster extensions (``Microsoft.KubernetesConfiguration/extensions``), first microsoft.flux."""

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
    """Resources go in and out as ARM's own JSON: ``{id, name, type, identity, properties}``."""

    def get_extension(self, extension_id: str) -> dict[str, Any]:
        """One extension. Raises ``NotFound`` when there is none."""
        subscription_id, path = _path(extension_id)
        return self._get(lambda **it: self._extensions(subscription_id).get(*path, **it))

    def list_extensions(self, cluster_id: str) -> list[dict[str, Any]]:
        """Every extension of a cluster; find Flux by ``properties.extensionType``, not by name."""
        cluster = ClusterId.parse(cluster_id)
        path = cluster.path_arguments
        return self._list(lambda **it: self._extensions(cluster.subscription_id).list(*path, **it))

    def put_extension(
        self,
        extension_id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Install, or replace the settings. ``secrets`` as for configurations."""
        subscription_id, path = _path(extension_id)
        content = encode(body)
        return self._write(
            lambda **it: self._extensions(subscription_id).begin_create(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def patch_extension(
        self,
        extension_id: str,
        body: Mapping[str, Any],
        *,
        client_request_id: str,
        secrets: Iterable[str] = (),
    ) -> Accepted:
        """Merge ``body`` into the extension's settings, version or release train."""
        subscription_id, path = _path(extension_id)
        content = encode(body)
        return self._write(
            lambda **it: self._extensions(subscription_id).begin_update(*path, content, **it),
            client_request_id=client_request_id,
            secrets=(*secrets, *secret_values(body)),
        )

    def delete_extension(
        self, extension_id: str, *, force: bool = False, client_request_id: str
    ) -> Accepted:
        """Uninstall. Delete the cluster's configurations first. ``force`` as for configurations."""
        subscription_id, path = _path(extension_id)
        return self._write(
            lambda **it: self._extensions(subscription_id).begin_delete(
                *path, force_delete=force or None, **it
            ),
            client_request_id=client_request_id,
        )

    def _extensions(self, subscription_id: str) -> Any:
        version = self.account.extension_api_version
        return self._client(ExtensionsClient, subscription_id, api_version=version).extensions


def _path(extension_id: str) -> tuple[str, tuple[str, ...]]:
    """The subscription, and the arguments that every operation on one extension starts with."""
    parsed = ExtensionId.parse(extension_id)
    return parsed.cluster.subscription_id, (*parsed.cluster.path_arguments, parsed.name)
