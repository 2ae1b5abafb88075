"""User-assigned identities and their federated credentials: trust in service accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from azure.mgmt.msi import ManagedServiceIdentityClient

from arm.base import Accepted, GatewayBase, encode
from arm.ids import IdentityId

AUDIENCES = ("api://AzureADTokenExchange",)


IDENTITY_API = "2024-11-30"


class IdentityOperations(GatewayBase):
    def list_identities(self, subscription_id: str) -> list[dict[str, Any]]:
        """The user-assigned identities of a subscription: ``properties.clientId``, ..."""
        return self._list(lambda **it: self._msi(subscription_id).list_by_subscription(**it))

    def get_identity(self, identity_id: str) -> dict[str, Any]:
        """One identity. Raises ``NotFound`` when there is none."""
        identity = IdentityId.parse(identity_id)
        return self._get(
            lambda **it: self._msi(identity.subscription_id).get(
                identity.resource_group, identity.name, **it
            )
        )

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
        return self._client(
            ManagedServiceIdentityClient, identity.subscription_id, api_version=IDENTITY_API
        ).federated_identity_credentials

    def _msi(self, subscription_id: str) -> Any:
        return self._client(
            ManagedServiceIdentityClient, subscription_id, api_version=IDENTITY_API
        ).user_assigned_identities
