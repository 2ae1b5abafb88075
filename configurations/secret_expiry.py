"""How long Azure still keeps the secrets of the last write for a cluster that does not fetch them.

The service keeps them under 48 h; a cluster whose agent was away for longer needs them sent again
(azure-contract: agent connectivity of GitOps with Flux v2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from changes.models import Operation
from clusters.models import Cluster
from configurations.models import Configuration, SecretVersion
from configurations.secrets import versions_of
from configurations.wizard.source_fields import Text, secret_fields

KEPT = timedelta(hours=48)


@dataclass(frozen=True)
class StoredSecrets:
    """The secrets of a configuration; `until`: when Azure forgets them, where a cluster is away."""

    versions: Sequence[SecretVersion]
    until: datetime | None

    @property
    def labelled(self) -> list[tuple[Text, SecretVersion]]:
        """Each with the label that its field has in the wizard."""
        known = secret_fields()
        return [
            (known[it.field].label if it.field in known else it.field, it) for it in self.versions
        ]

    @property
    def is_over(self) -> bool:
        return self.until is not None and self.until <= timezone.now()


def stored_secrets(configuration: Configuration) -> StoredSecrets | None:
    """None for a configuration without secrets of ours. One query, two where a cluster is away."""
    versions = sorted(versions_of(configuration.desired or {}).values(), key=lambda it: it.field)
    if not versions:
        return None
    until = None
    if is_away(configuration.cluster):
        writes = Operation.objects.filter(resource_id=configuration.arm_id)
        accepted = writes.aggregate(at=Max("accepted_at"))["at"]
        until = accepted + KEPT if accepted is not None else None
    return StoredSecrets(versions, until)


def is_away(cluster: Cluster) -> bool:
    """Whether no agent fetches anything there now."""
    return cluster.connectivity in {"Offline", "Expired"} or cluster.power_state == "Stopped"
