"""What a delete takes along, as far as Azure tells: it reports Flux's own objects and no others.

With prune Flux removes everything that a kustomization applied. Of that, Azure lists sources,
kustomizations and Helm objects; deployments, services and the like are never reported, so that no
number here is the whole of what goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from changes.kinds import Fact
from configurations.models import Configuration, ObjectStatus
from configurations.reading import kustomizations_of

SHOWN = 100


@dataclass(frozen=True)
class Effect:
    """Of one configuration, or of several together. `going` and `staying` are reported objects.

    `is_read`: the objects were read at least once; else nothing is known of them.
    """

    pruned: tuple[str, ...] = ()  # kustomizations with prune
    kept: tuple[str, ...] = ()  # and without
    going: tuple[ObjectStatus, ...] = field(default=())
    staying: tuple[ObjectStatus, ...] = field(default=())
    is_read: bool = True

    @property
    def releases(self) -> int:
        """Helm releases that go: each is uninstalled with all that its chart made."""
        return sum(it.kind == "HelmRelease" for it in self.going)

    @property
    def shown(self) -> tuple[ObjectStatus, ...]:
        return self.going[:SHOWN]

    @property
    def hidden(self) -> int:
        return max(0, len(self.going) - SHOWN)


def effect_of(configurations: Iterable[Configuration]) -> Effect:
    """What deleting all of these takes along. One query."""
    rows = list(configurations)
    statuses: dict[int, list[ObjectStatus]] = {row.pk: [] for row in rows}
    for status in ObjectStatus.objects.filter(configuration__in=statuses):
        statuses[status.configuration_id].append(status)
    parts = [_of_one(row, statuses[row.pk]) for row in rows]
    return Effect(
        pruned=tuple(name for part in parts for name in part.pruned),
        kept=tuple(name for part in parts for name in part.kept),
        going=tuple(it for part in parts for it in part.going),
        staying=tuple(it for part in parts for it in part.staying),
        is_read=all(part.is_read for part in parts),
    )


def _of_one(configuration: Configuration, statuses: list[ObjectStatus]) -> Effect:
    prune = {
        name: entry.get("prune") is True
        for name, entry in kustomizations_of(configuration.observed).items()
    }
    # The service names a kustomization on the cluster CONFIGURATION-KUSTOMIZATION.
    roots = {f"{configuration.name}-{name}": is_on for name, is_on in prune.items()}
    owners = {
        f"{it.namespace}/{it.name}": it.applied_by for it in statuses if it.kind == "Kustomization"
    }
    going: list[ObjectStatus] = []
    staying: list[ObjectStatus] = []
    for status in statuses:
        (going if _goes(status, owners, roots) else staying).append(status)
    return Effect(
        pruned=tuple(name for name, is_on in prune.items() if is_on),
        kept=tuple(name for name, is_on in prune.items() if not is_on),
        going=tuple(going),
        staying=tuple(staying),
        is_read=configuration.read_at is not None,
    )


def _goes(status: ObjectStatus, owners: Mapping[str, str], roots: Mapping[str, bool]) -> bool:
    """The source and the kustomizations are the configuration's own; all else goes by the prune
    of the kustomization at the top of the chain that applied it."""
    owner, seen = status.applied_by, set[str]()
    if not owner:
        return True
    while owners.get(owner) and owner not in seen:
        seen.add(owner)
        owner = owners[owner]
    return roots.get(owner.rpartition("/")[2], False)


def pruned_facts(effect: Effect) -> list[Fact]:
    """What goes, in numbers; of what is not reported, no number is claimed."""
    going = len(effect.going) if effect.pruned else 0
    text = (
        ngettext(
            "reported object goes, and all else it deployed",
            "reported objects go, and all else they deployed",
            going,
        )
        if going
        else _("objects would be deleted")
    )
    return [Fact(value=str(going), text=text, tone="bad" if going else "")]
