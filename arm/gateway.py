"""The one door to Azure.

A method is one request (or one a page), with one try. The apply engine and the sync decide about
waiting and trying again. Methods named in ``WRITING_METHODS`` alter Azure and are for the apply
engine alone; each wants the ``client_request_id`` that was stored before it is called.
"""

from __future__ import annotations

from arm.checks import ConnectionChecks
from arm.clusters import ClusterOperations
from arm.configurations import ConfigurationOperations
from arm.extensions import ExtensionOperations
from arm.graph import GraphOperations
from arm.identities import IdentityOperations
from arm.operations import OperationOperations
from arm.permissions import PermissionOperations
from arm.providers import ProviderOperations

WRITING_METHODS = frozenset(
    {
        "put_configuration",
        "patch_configuration",
        "delete_configuration",
        "put_extension",
        "patch_extension",
        "delete_extension",
        "register_provider",
        "create_federated_credential",
        "delete_federated_credential",
    }
)


class Gateway(
    ConnectionChecks,
    ConfigurationOperations,
    ExtensionOperations,
    OperationOperations,
    ClusterOperations,
    ProviderOperations,
    PermissionOperations,
    IdentityOperations,
    GraphOperations,
):
    """``Gateway(account, throttle=..., priority=...)``. Cheap to make; not shared by threads."""
