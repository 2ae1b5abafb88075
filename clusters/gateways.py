"""A connection's door to Azure: the only place where its secret is decrypted."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import cast

from django.conf import settings

import arm
from arm.account import EXTENSION_API, FluxApiVersion, TransportFactory
from arm.clouds import CHINA, PUBLIC, US_GOVERNMENT, Cloud, custom
from clusters.models import Connection
from clusters.secrets import SecretUnreadable, decrypt

_CLOUDS = {
    Connection.Cloud.PUBLIC: PUBLIC,
    Connection.Cloud.CHINA: CHINA,
    Connection.Cloud.US_GOVERNMENT: US_GOVERNMENT,
}
# ARM endpoint -> how to reach it inside this process (the simulator's second door).
_transports: dict[str, TransportFactory] = {}


class _Kept(threading.local):
    """A gateway is not for two threads."""

    def __init__(self) -> None:
        self.gateways: dict[tuple[int | None, arm.Priority], arm.Gateway] = {}


_kept = _Kept()


class ConnectionBroken(Exception):  # noqa: N818 (a state of the connection, not a fault)
    """The connection cannot even be tried: what is wrong with it, in words for its admin."""


def use_transport(arm_endpoint: str, factory: TransportFactory | None) -> None:
    """Reach this endpoint through `factory` from now on; None: over the network again."""
    if factory is None:
        _transports.pop(arm_endpoint, None)
    else:
        _transports[arm_endpoint] = factory


def gateway_for(connection: Connection, *, priority: arm.Priority) -> arm.Gateway:
    """The gateway that signs in as `connection` says; each thread keeps its own while that holds.

    Raises arm.ArmError (SignInFailed) where what the connection holds cannot sign in at all.
    """
    try:
        account = account_of(connection)
    except ConnectionBroken as error:
        raise arm.SignInFailed("ConnectionBroken", str(error)) from error
    kept = _kept.gateways
    gateway = kept.get((connection.pk, priority))
    if gateway is None or gateway.account != account:
        gateway = arm.Gateway(account, throttle=_throttle(), priority=priority)
        kept[connection.pk, priority] = gateway
    return gateway


@lru_cache(maxsize=1)
def _throttle() -> arm.Throttle:
    """One throttle for the process, in step with the other processes through Redis."""
    return arm.Throttle(settings.REDIS_URL)


def account_of(connection: Connection) -> arm.Account:
    """The connection as `arm` understands it; raises ConnectionBroken."""
    return arm.Account(
        cloud=cloud_of(connection),
        tenant_id=connection.tenant_id,
        subscription_ids=tuple(connection.subscription_ids),
        sign_in=_sign_in_of(connection),
        ca_file=connection.ca_file,
        flux_api_version=cast(FluxApiVersion, connection.api_version),
        transport_factory=_transports.get(connection.arm_endpoint),
    )


def extension_api(connection: Connection) -> str:
    """The api-version of the extensions API that goes with the connection's flux API."""
    return EXTENSION_API[cast(FluxApiVersion, connection.api_version)]


def cloud_of(connection: Connection) -> Cloud:
    """The addresses of its cloud; raises ConnectionBroken where they are none."""
    if connection.cloud == Connection.Cloud.CUSTOM:
        try:
            return custom(arm_endpoint=connection.arm_endpoint, authority=connection.authority)
        except ValueError as error:
            raise ConnectionBroken(str(error)) from error
    return _CLOUDS[Connection.Cloud(connection.cloud)]


def _sign_in_of(connection: Connection) -> arm.SignIn:
    match connection.sign_in:
        case Connection.SignIn.WORKLOAD_IDENTITY:
            return arm.WorkloadIdentity(client_id=connection.client_id)
        case Connection.SignIn.MANAGED_IDENTITY:
            return arm.ManagedIdentity(client_id=connection.client_id)
        case Connection.SignIn.SECRET:
            return arm.ClientSecret(connection.client_id, _secret_of(connection))
        case Connection.SignIn.CERTIFICATE:
            return arm.ClientCertificate(
                connection.client_id, _certificate_of(connection), _secret_of(connection)
            )
    return arm.DefaultChain()


def _secret_of(connection: Connection) -> str:
    try:
        return decrypt(connection.secret_encrypted)
    except SecretUnreadable as error:
        raise ConnectionBroken(
            "The stored secret cannot be decrypted: its key is not in FLUXGATE_ENCRYPTION_KEYS."
        ) from error


def _certificate_of(connection: Connection) -> bytes:
    try:
        return Path(connection.certificate_path).read_bytes()
    except OSError as error:
        raise ConnectionBroken(
            f"The certificate file cannot be read: {error.strerror or error}."
        ) from error
