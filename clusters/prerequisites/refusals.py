"""What Azure certainly refuses is refused before anybody reviews it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from changes.errors import ChangeRefused
from clusters.models import Cluster
from clusters.prerequisites import commands


def refusal_of(cluster: Cluster) -> str:
    """Why no extension can be installed there, for people; "" where nothing certain is known."""
    if cluster.identity_kind != "ServicePrincipal":
        return ""
    return _(
        "%(cluster)s signs in with a service principal, and Azure refuses extensions there. Give "
        "it a managed identity first: %(command)s"
    ) % {"cluster": cluster.name, "command": commands.enable_managed_identity(cluster)}


def refuse_uninstallable(cluster: Cluster) -> None:
    """Raise ChangeRefused (`service_principal`) where Azure takes no extension."""
    reason = refusal_of(cluster)
    if reason:
        raise ChangeRefused(reason, code="service_principal")
