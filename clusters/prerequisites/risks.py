"""Failed prerequisites as risks of a change: what was read, not what is only thought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from changes.kinds import Risk
from clusters.models import Cluster
from clusters.prerequisites.checks import readings_for, refused_by


def prerequisite_risks(clusters: Iterable[Cluster]) -> Iterator[Risk]:
    """What Azure would refuse on these clusters, with their connection at hand. One query."""
    found = list(clusters)
    readings = readings_for(found)
    for cluster in found:
        for check in refused_by(cluster, readings):
            words = _WORDS[check.code.partition(":")[0]]()
            names = {"cluster": cluster.name, "provider": check.code.partition(":")[2]}
            yield Risk(
                code=f"prerequisite_{check.code.partition(':')[0]}",
                text=words % names,
                tone="bad",
                icon="list-check",
                url=reverse("clusters:prerequisites", args=[cluster.pk]),
            )


_WORDS = {
    "provider": lambda: _(
        "%(provider)s is not registered for %(cluster)s: Azure refuses the write"
    ),
    "region": lambda: _("Flux is not offered in the region of %(cluster)s"),
    "rights": lambda: _("The portal lacks rights on %(cluster)s: Azure refuses the write"),
}
