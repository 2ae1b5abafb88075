"""Who the portal is at Azure: cloud, tenant, subscriptions and the way to sign in."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from arm.clouds import Cloud
from arm.errors import SignInFailed
from arm.scrub import scrub

# It warns with what Entra ID said, word for word; the errors raised here say it without secrets.
logging.getLogger("azure.identity").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0

FluxApiVersion = Literal["2025-04-01", "2023-05-01"]
NEWEST_FLUX_API: FluxApiVersion = "2025-04-01"
FALLBACK_FLUX_API: FluxApiVersion = "2023-05-01"
EXTENSION_API: dict[FluxApiVersion, str] = {
    NEWEST_FLUX_API: "2025-03-01",
    FALLBACK_FLUX_API: "2023-05-01",
}
"""The version of the extensions API that goes with a version of the flux configurations API."""

AKS_API: dict[FluxApiVersion, str] = {
    NEWEST_FLUX_API: "2026-08-01",
    FALLBACK_FLUX_API: "2023-08-01",
}
ARC_API: dict[FluxApiVersion, str] = {
    NEWEST_FLUX_API: "2026-05-01",
    FALLBACK_FLUX_API: "2021-10-01",
}
"""A cloud that lags with the flux API lags with these too; the old ones lack no field that the old
flux API could make use of (workload identity came with the new ones)."""

TransportFactory = Callable[[], "HttpTransport[Any, Any]"]


@dataclass(frozen=True)
class DefaultChain:
    """Whatever this machine offers: environment, workload or managed identity, the Azure CLI."""


@dataclass(frozen=True)
class WorkloadIdentity:
    """A Kubernetes service account token; empty fields come from the pod's environment."""

    client_id: str = ""
    token_file: str = ""


@dataclass(frozen=True)
class ManagedIdentity:
    """The machine's identity; ``client_id`` picks a user-assigned one."""

    client_id: str = ""


@dataclass(frozen=True)
class ClientSecret:
    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class ClientCertificate:
    """``certificate`` is the PEM or PKCS#12 content with its private key."""

    client_id: str
    certificate: bytes = field(repr=False)
    password: str = field(default="", repr=False)


SignIn = DefaultChain | WorkloadIdentity | ManagedIdentity | ClientSecret | ClientCertificate


@dataclass(frozen=True)
class Account:
    """Everything that is needed to speak to ARM. Its repr shows no secret.

    ``ca_file`` is the path of a PEM bundle, for custom clouds with an authority of their own.
    ``transport_factory`` makes the HTTP transport, so that tests can stay inside one process.
    """

    cloud: Cloud
    tenant_id: str
    subscription_ids: tuple[str, ...]
    sign_in: SignIn = DefaultChain()
    ca_file: str = ""
    flux_api_version: FluxApiVersion = NEWEST_FLUX_API
    transport_factory: TransportFactory | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.flux_api_version not in EXTENSION_API:
            raise ValueError(f"flux API version {self.flux_api_version!r} is not supported")

    @property
    def extension_api_version(self) -> str:
        return EXTENSION_API[self.flux_api_version]

    @property
    def principal(self) -> str:
        """A name, without secrets, for whose limits at ARM this account uses up."""
        client_id = getattr(self.sign_in, "client_id", "")
        kind = type(self.sign_in).__name__
        return ":".join((self.cloud.arm_host, self.tenant_id, client_id or kind)).lower()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never show in an error or a log."""
        match self.sign_in:
            case ClientSecret(secret=secret):
                return (secret,)
            case ClientCertificate(certificate=certificate, password=password):
                text = certificate.decode("utf-8", "replace")
                return tuple(value for value in (text, password) if value)
        return ()


@lru_cache(maxsize=64)
def credential_for(account: Account) -> TokenCredential:
    """The credential of an account, kept so that its tokens are used until they near their end.

    Nothing is sent yet. Raises ``SignInFailed`` when what was given cannot be one, such as a broken
    certificate.
    """
    try:
        return _credential(account)
    except ValueError as error:
        reason = scrub(str(error), account.secrets)
    raise SignInFailed("SignInFailed", reason)


def _credential(account: Account) -> TokenCredential:
    cloud = account.cloud
    # Microsoft's directory of authorities (instance discovery) does not know custom clouds.
    options: dict[str, Any] = {
        "authority": cloud.authority,
        "disable_instance_discovery": cloud.is_custom,
        "transport": make_transport(account),
        "retry_total": 1,
    }
    match account.sign_in:
        case ClientSecret(client_id=client_id, secret=secret):
            return ClientSecretCredential(account.tenant_id, client_id, secret, **options)
        case ClientCertificate(client_id=client_id, certificate=content, password=password):
            options |= {"certificate_data": content, "password": password or None}
            return CertificateCredential(account.tenant_id, client_id, **options)
        case WorkloadIdentity(client_id=client_id, token_file=token_file):
            given = {"client_id": client_id, "token_file_path": token_file}
            options |= {name: value for name, value in given.items() if value}
            return WorkloadIdentityCredential(tenant_id=account.tenant_id, **options)
        case ManagedIdentity(client_id=client_id):
            return ManagedIdentityCredential(
                client_id=client_id or None, transport=make_transport(account)
            )
    options.pop("retry_total")
    return DefaultAzureCredential(
        workload_identity_tenant_id=account.tenant_id,
        exclude_interactive_browser_credential=True,
        **options,
    )


@lru_cache(maxsize=64)
def transport_for(account: Account) -> HttpTransport[Any, Any]:
    """The one HTTP transport of an account in this process; it keeps connections open."""
    return make_transport(account)


def make_transport(account: Account) -> HttpTransport[Any, Any]:
    if account.transport_factory is not None:
        return account.transport_factory()
    transport: HttpTransport[Any, Any] = RequestsTransport(
        connection_verify=account.ca_file or True,
        connection_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
    )
    return transport


def forget_sign_in(account: Account) -> None:
    """Drop every kept token, for when ARM refuses one before its time."""
    # lru_cache forgets all or nothing; the others sign in again, which costs one request each.
    credential_for.cache_clear()


def _forget_connections() -> None:
    credential_for.cache_clear()
    transport_for.cache_clear()


# Two processes must never write to one socket.
os.register_at_fork(after_in_child=_forget_connections)
