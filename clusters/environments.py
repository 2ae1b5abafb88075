"""Which environment a cluster belongs to: by hand, else by the first rule that its tags match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from access.models import Environment, User
from access.services import environment_create
from audit.services import record
from clusters.models import Cluster, EnvironmentRule
from live.services import bump

ANY = "*"
DEFAULT_TAG = "environment"
DEFAULT_ENVIRONMENTS = (
    ("demo", Environment.Tone.DEMO, _("To try things out")),
    ("staging", Environment.Tone.STAGING, _("Before production")),
    ("development", Environment.Tone.DEVELOPMENT, _("Where changes begin")),
    ("production", Environment.Tone.PRODUCTION, _("What people depend on")),
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Tag names compare without case, as ARM's do; so do values here. `value` "*": any."""

    tag: str
    value: str
    environment_id: int

    def matches(self, tags: Mapping[str, str]) -> bool:
        for name, value in tags.items():
            if name.lower() == self.tag.lower():
                return self.value == ANY or value.lower() == self.value.lower()
        return False


@dataclass(frozen=True)
class Rules:
    """All rules in their order."""

    rules: tuple[Rule, ...]

    @classmethod
    def current(cls) -> Rules:
        rows = EnvironmentRule.objects.values("tag", "value", "environment_id")
        return cls(tuple(Rule(**row) for row in rows))

    def rule_for(self, tags: Mapping[str, str]) -> Rule | None:
        """The first rule that matches."""
        return next((rule for rule in self.rules if rule.matches(tags)), None)

    def environment_id(self, tags: Mapping[str, str]) -> int | None:
        rule = self.rule_for(tags)
        return rule.environment_id if rule else None


@transaction.atomic
def setup_default_rules() -> None:
    """At the very first start: four environments, and a rule for the tag that names each."""
    if Environment.objects.exists() or EnvironmentRule.objects.exists():
        return
    for position, (name, tone, description) in enumerate(DEFAULT_ENVIRONMENTS):
        environment = environment_create(
            by=None, name=name, tone=tone, description=description, position=position
        )
        EnvironmentRule.objects.create(
            position=position, tag=DEFAULT_TAG, value=name, environment=environment
        )


@transaction.atomic
def rules_replace(*, by: User, rules: Sequence[Rule]) -> int:
    """Put these rules in place of the others and assign clusters anew; how many moved.

    Whoever has a role in an environment sees its clusters, so the event names every one moved.
    """
    before = _in_words()
    EnvironmentRule.objects.all().delete()
    EnvironmentRule.objects.bulk_create(
        EnvironmentRule(
            position=position,
            tag=rule.tag,
            value=rule.value,
            environment_id=rule.environment_id,
        )
        for position, rule in enumerate(rules)
    )
    after = _in_words()
    if before == after:
        return 0
    moved = _assign_all()
    record(
        action="environment.rules_changed",
        actor=by,
        object_type="environment_rules",
        object_id="",
        object_name=_("environments"),
        before=before,
        after=after,
        moved=[f"{cluster.name}: {was or '–'} → {now or '–'}" for cluster, was, now in moved],
    )
    ids = [f"cluster:{cluster.pk}" for cluster, _was, _now in moved]
    bump("clusters", *(["configurations"] if moved else []), *ids)
    return len(moved)


def _assign_all() -> list[tuple[Cluster, str, str]]:
    """Clusters that moved with the names of the environments before and after."""
    rules = Rules.current()
    names = dict(Environment.objects.values_list("pk", "name"))
    moved: list[tuple[Cluster, str, str]] = []
    rows = Cluster.objects.select_for_update(of=("self",)).filter(environment_by_hand=False)
    for cluster in rows.only("pk", "name", "tags", "environment_id").iterator(2000):
        environment_id = rules.environment_id(cluster.tags)
        if environment_id != cluster.environment_id:
            was = names.get(cluster.environment_id or 0, "")
            cluster.environment_id = environment_id
            moved.append((cluster, was, names.get(environment_id or 0, "")))
    Cluster.objects.bulk_update([it[0] for it in moved], ["environment"], batch_size=500)
    return moved


def _in_words() -> list[str]:
    rules = EnvironmentRule.objects.select_related("environment")
    return [f"{rule.tag}={rule.value}: {rule.environment.name}" for rule in rules]


@transaction.atomic
def cluster_assign(
    *, by: User, cluster: Cluster, environment: Environment | None, by_hand: bool
) -> Cluster:
    """Put a cluster into an environment by hand, or give it back to the rules."""
    from clusters.inventory import record_environment  # it asks this module for the rules

    locked: Cluster = Cluster.objects.select_for_update(of=("self",)).get(pk=cluster.pk)
    before = locked.environment
    locked.environment_by_hand = by_hand
    if by_hand:
        locked.environment = environment
    else:
        locked.environment_id = Rules.current().environment_id(locked.tags)
    locked.save(update_fields=["environment", "environment_by_hand"])
    record_environment(
        locked, before=str(before or ""), actor=by, why="hand" if by_hand else "rules"
    )
    bump("clusters", "configurations", f"cluster:{locked.pk}")
    return locked
