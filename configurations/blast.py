"""The blast radius of a Flux configuration's change, in numbers."""

from __future__ import annotations

from django.db.models import Sum
from django.utils.translation import ngettext

from changes.content import targets_of
from changes.kinds import Fact
from changes.models import Change
from configurations.models import Configuration
from configurations.pruning import effect_of, pruned_facts
from configurations.reading import kustomizations_of
from configurations.risks import bodies, own_step
from configurations.specification.wire import normalised


def facts_of(change: Change) -> list[Fact]:
    """Clusters, kustomizations touched, objects now, and those that go."""
    targets = targets_of(change.content)
    now_applied = (
        Configuration.objects.filter(
            arm_id__in=[it.resource_id for it in targets], gone_at=None
        ).aggregate(found=Sum("object_count"))["found"]
        or 0
    )
    touched: set[str] = set()
    deleted: list[str] = []
    for target in targets:
        step = own_step(target)
        if step is None:
            continue
        before, after = bodies(step)
        old = kustomizations_of(normalised(before)) if before else {}
        new = kustomizations_of(normalised(after)) if after else {}
        touched |= {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        if after is None and not step.options.get("force"):
            deleted.append(step.resource_id)
    facts = [
        Fact(value=str(len(targets)), text=ngettext("cluster", "clusters", len(targets))),
        Fact(
            value=str(len(touched)),
            text=ngettext("kustomization touched", "kustomizations touched", len(touched)),
        ),
        Fact(
            value=str(now_applied),
            text=ngettext("object reported now", "objects reported now", now_applied),
        ),
    ]
    if change.verb == Change.Verb.DELETE:
        facts += pruned_facts(effect_of(Configuration.objects.filter(arm_id__in=deleted)))
    return facts
