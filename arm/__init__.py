"""Azure Resource Manager, and the only code of Fluxgate that imports ``azure``.

    account = Account(cloud=PUBLIC, tenant_id=..., subscription_ids=(...,), sign_in=...)
    gateway = Gateway(account, throttle=Throttle(redis_url), priority=Priority.INTERACTIVE)
    gateway.get_configuration(id)

Every failure is an ``ArmError``, every resource ARM's own JSON as a plain dict.
"""

from __future__ import annotations

from arm.account import (
    FALLBACK_FLUX_API,
    NEWEST_FLUX_API,
    Account,
    ClientCertificate,
    ClientSecret,
    DefaultChain,
    ManagedIdentity,
    SignIn,
    WorkloadIdentity,
    credential_for,
)
from arm.base import Accepted, OperationState
from arm.checks import Check
from arm.clouds import CHINA, CLOUDS, PUBLIC, US_GOVERNMENT, Cloud, custom
from arm.errors import (
    ArmError,
    Conflict,
    Forbidden,
    NotFound,
    OperationInProgress,
    Permanent,
    ProviderNotRegistered,
    Retryable,
    SignInFailed,
    Throttled,
    UnsafeUrl,
    translate,
)
from arm.gateway import WRITING_METHODS, Gateway
from arm.graph import GraphPage
from arm.ids import ClusterId, ConfigurationId, ExtensionId, IdentityId, InvalidId
from arm.permissions import Permission, allows, missing
from arm.pipeline import Timeouts
from arm.providers import Provider
from arm.scrub import scrub, secret_values
from arm.throttle import Kind, Priority, Throttle

__all__ = [
    "CHINA",
    "CLOUDS",
    "FALLBACK_FLUX_API",
    "NEWEST_FLUX_API",
    "PUBLIC",
    "US_GOVERNMENT",
    "WRITING_METHODS",
    "Accepted",
    "Account",
    "ArmError",
    "Check",
    "ClientCertificate",
    "ClientSecret",
    "Cloud",
    "ClusterId",
    "ConfigurationId",
    "Conflict",
    "DefaultChain",
    "ExtensionId",
    "Forbidden",
    "Gateway",
    "GraphPage",
    "IdentityId",
    "InvalidId",
    "Kind",
    "ManagedIdentity",
    "NotFound",
    "OperationInProgress",
    "OperationState",
    "Permanent",
    "Permission",
    "Priority",
    "Provider",
    "ProviderNotRegistered",
    "Retryable",
    "SignIn",
    "SignInFailed",
    "Throttle",
    "Throttled",
    "Timeouts",
    "UnsafeUrl",
    "WorkloadIdentity",
    "allows",
    "credential_for",
    "custom",
    "missing",
    "scrub",
    "secret_values",
    "translate",
]
