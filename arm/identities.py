"""Federated credentials of user-assigned identities: trust in a cluster's service accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from azure.mgmt.msi import ManagedServiceIdentityClient

from arm.base import Accepted, GatewayBase, encode
from arm.ids import IdentityId

AUDIENCES = ("api://AzureADTokenExchange",)


class IdentityOperations(GatewayBase):
    def list_federated_credentials(self, identity_id: str) -> list[dict[str, Any]]:
        """Every federated credential of an identity: ``properties.issuer``, ``.subject``, ..."""
        identity = IdentityId.parse(identity_id)
        return self._list(
            lambda **it: self._federated(identity).list(
                identity.resource_group, identity.name, **it
            )
        )

    def get_federated_credential(self, identity_id: str, name: str) -> dict[str, Any]:
        """One federated credential. Raises ``NotFound`` when there is none."""
        identity = IdentityId.parse(identity_id)
        return self._get(
            lambda **it: self._federated(identity).get(
                identity.resource_group, identity.name, name, **it
            )
        )

    def create_federated_credential(
        self,
        identity_id: str,
        name: str,
        *,
        issuer: str,
        subject: str,
        audiences: Sequence[str] = AUDIENCES,
        client_request_id: str,
    ) -> Accepted:
        """Trust tokens of ``issuer`` for ``subject``, such as
        ``system:serviceaccount:flux-system:source-controller``."""
        identity = IdentityId.parse(identity_id)
        properties = {"issuer": issuer, "subject": subject, "audiences": list(audiences)}
        content = encode({"properties": properties})
        return self._write(
            lambda polling, **it: self._federated(identity).create_or_update(
                identity.resource_group, identity.name, name, content, **it
            ),
            client_request_id=client_request_id,
        )

    def delete_federated_credential(
        self, identity_id: str, name: str, *, client_request_id: str
    ) -> Accepted:
        """End that trust."""
        identity = IdentityId.parse(identity_id)
        return self._write(
            lambda polling, **it: self._federated(identity).delete(
                identity.resource_group, identity.name, name, **it
            ),
            client_request_id=client_request_id,
        )

    def _federated(self, identity: IdentityId) -> Any:
        client = self._client(ManagedServiceIdentityClient, identity.subscription_id)
        return client.federated_identity_credentials
