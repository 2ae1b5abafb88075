"""Take Flux off a cluster: its configurations first, then the extension, as one reviewed change.

The order is Azure's rule (azure-contract section 4): without the extension nobody cleans up after
a configuration, and the cluster ends unstable. It is one target whose steps run one after another:
a step starts when Azure shows the one before it as gone, and after one that failed nothing starts
until somebody has that one tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import User
from changes.content import targets_of
from changes.errors import ChangeRefused
from changes.kinds import Fact, Risk, Target
from changes.models import Change
from changes.services import change_submit
from clusters.extension_changes import locked_extension, uninstall_step
from clusters.extension_kind import FluxExtensionKind
from clusters.models import Cluster, Extension
from configurations.models import Configuration
from configurations.proposals import delete_step
from configurations.pruning import effect_of, pruned_facts
from configurations.risks import of_delete, own_steps
from configurations.services import refuse_unless_known

NAME = "flux_removal"


@transaction.atomic
def flux_removal_propose(
    *, author: User, extension: Extension, seen: Sequence[int], reason: str, force: bool = False
) -> Change:
    """Ask for a review of deleting every configuration of the cluster and then the extension.

    `seen`: ids of the configurations that the author was shown; others since then refuse it
    (`moved`). `force`, for admins: Azure forgets all of it without asking the cluster.
    """
    extension = locked_extension(extension)
    cluster = extension.cluster
    configurations = configurations_of(cluster)
    if {it.pk for it in configurations} != set(seen):
        raise ChangeRefused(
            _("The configurations on the cluster are others than the page showed. Look again."),
            code="moved",
        )
    for configuration in configurations:
        refuse_unless_known(configuration)
    steps = [delete_step(it, force=force) for it in configurations]
    steps.append(uninstall_step(extension, force=force))
    title = _("Take Flux and its configurations off %(cluster)s") % {"cluster": cluster.name}
    target = Target(
        name=cluster.name,
        resource_id=steps[-1].resource_id,
        cluster_id=cluster.pk,
        configuration_id=None,
        environment_id=cluster.environment_id,
        steps=steps,
    )
    return change_submit(
        author=author,
        kind=NAME,
        verb=Change.Verb.DELETE,
        title=title,
        reason=reason,
        targets=[target],
    )


def configurations_of(cluster: Cluster) -> list[Configuration]:
    """What Azure shows on the cluster, by name: the order of their deletes."""
    rows = Configuration.objects.filter(cluster=cluster, gone_at=None)
    return list(rows.select_related("cluster__connection").order_by("name", "pk"))


class FluxRemovalKind(FluxExtensionKind):
    """How such a change is reviewed. Its steps are of the two kinds that it consists of."""

    name = NAME

    def label(self) -> str:
        return _("Flux and its configurations")

    def risks(self, change: Change) -> Sequence[Risk]:
        found: dict[str, Risk] = {}
        for target in targets_of(change.content):
            for step in own_steps(target):
                for risk in of_delete(step):
                    text = f"{step.resource_name}: {risk.text}"
                    found[text] = Risk(code=risk.code, text=text, tone=risk.tone, icon=risk.icon)
        risks = [*found.values(), *super().risks(change)]
        return sorted(risks, key=lambda risk: risk.tone != "bad")

    def facts(self, change: Change) -> Sequence[Fact]:
        targets = targets_of(change.content)
        steps = [step for target in targets for step in own_steps(target)]
        rows = Configuration.objects.filter(arm_id__in=[step.resource_id for step in steps])
        forced = any(step.options.get("force") for step in steps)
        held = ngettext("configuration deleted", "configurations deleted", len(steps))
        clusters = ngettext("cluster loses Flux", "clusters lose Flux", len(targets))
        return [
            Fact(value=str(len(targets)), text=clusters, tone="bad"),
            Fact(value=str(len(steps)), text=held, tone="bad"),
            *pruned_facts(effect_of([]) if forced else effect_of(rows)),
        ]

    def target_url(self, change: Change, position: int) -> str:
        cluster_id = targets_of(change.content)[position].cluster_id
        if cluster_id is None or not Cluster.objects.filter(pk=cluster_id).exists():
            return ""
        return reverse("clusters:detail", args=[cluster_id])
