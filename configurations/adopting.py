"""Adopt: take what Azure holds as approved, for configurations that Fluxgate never wrote.

It alters nothing in Azure, so it is an act and no change: what is live becomes what counts as
approved, and from then on drift is judged. Secrets that Azure may hold stay unknown: edits go as
PATCH until they are entered (`Configuration.adopted`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from access.models import User
from access.rights import Act, rights_of
from audit.services import record
from changes.errors import ChangeRefused
from configurations.models import Configuration
from configurations.observe import event_facts, scopes_of
from configurations.reading import IN_FLIGHT
from configurations.specification.wire import desired_part, spoken
from live.services import bump

LIMIT = 200  # in one act
Seen = Mapping[int, str]  # key of a configuration -> its observed digest


@dataclass(frozen=True)
class Candidate:
    """One configuration on the page; `why_not` says why it cannot be adopted now, "" if it can."""

    configuration: Configuration
    why_not: str


def candidates_of(user: User, wanted: Q, seen: Seen | None = None) -> list[Candidate]:
    """What the person may see of `wanted`, at most LIMIT, by name. One query."""
    rows: QuerySet[Configuration] = Configuration.objects.visible_to(user).filter(wanted)
    found = rows.select_related("cluster__environment").order_by("name", "id")[:LIMIT]
    return [Candidate(it, why_not(it, user, seen)) for it in found]


def why_not(configuration: Configuration, user: User, seen: Seen | None = None) -> str:
    """Why this person cannot adopt it now; "" where they can. `seen`: what they looked at."""
    if not rights_of(user).may(Act.PROPOSE, configuration.cluster.environment_id):
        return _("You may not propose changes there.")
    if configuration.desired is not None:
        return _("It is managed already.")
    if configuration.gone_at is not None or not configuration.observed:
        return _("Azure does not show it.")
    if configuration.provisioning_state in IN_FLIGHT:
        return _("A write of it is under way.")
    if (seen or {}).get(configuration.pk, configuration.observed_digest) != (
        configuration.observed_digest
    ):
        return _("It has changed in Azure since you opened the page. Look at it again.")
    return ""


@transaction.atomic
def configurations_adopt(
    *, author: User, pks: Sequence[int], reason: str = "", seen: Seen | None = None
) -> int:
    """Make what is live the approved state of each; how many were adopted.

    What cannot be adopted is left as it is, and what has another digest by now than the person
    has `seen`. ChangeRefused (`nothing_adopted`) where none can.
    """
    rows = Configuration.objects.select_for_update(of=("self",)).visible_to(author)
    found = rows.filter(pk__in=list(pks)[:LIMIT]).select_related("cluster").order_by("pk")
    adopted = [it for it in found if not why_not(it, author, seen)]
    if not adopted:
        raise ChangeRefused(_("None of these can be adopted now."), code="nothing_adopted")
    for it in adopted:
        it.desired = approved_from(it.observed)
        it.drifted, it.drift_fields = False, []
        it.save(update_fields=["desired", "drifted", "drift_fields"])
        record(
            action="configuration.adopted",
            actor=author,
            reason=reason,
            observed_digest=it.observed_digest,
            **event_facts(it),
        )
    bump(*{scope for it in adopted for scope in scopes_of(it)})
    return len(adopted)


def approved_from(observed: Mapping[str, Any]) -> dict[str, Any]:
    """The desired properties of what Azure holds."""
    return spoken(desired_part(observed))
