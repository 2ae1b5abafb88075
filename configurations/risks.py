"""What a reviewer of a Flux configuration's change should not miss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from changes.content import targets_of
from changes.kinds import Risk, Step, Target
from changes.models import Change
from clusters.models import Cluster
from clusters.prerequisites.risks import prerequisite_risks
from configurations.models import Compliance, Configuration
from configurations.reading import kustomizations_of
from configurations.specification.models import SOURCE_BODIES
from configurations.specification.wire import merged

_ORDER = {"bad": 0, "warn": 1, "good": 2}
REFERENCES = ("branch", "tag", "semver", "commit", "digest")


def risks_of(change: Change) -> list[Risk]:
    """All of them, worst first, each text once however many targets share it. Three queries."""
    targets = targets_of(change.content)
    found: dict[tuple[str, str], Risk] = {}
    for risk in (*_of_places(targets), *_of_bodies(targets)):
        found.setdefault((risk.code, risk.text), risk)
    return worst_first(found.values())


def worst_first(risks: Iterable[Risk]) -> list[Risk]:
    return sorted(risks, key=lambda risk: _ORDER.get(risk.tone, 3))


def own_step(target: Target) -> Step | None:
    """The step that writes the configuration itself, after any that prepares the cluster."""
    return next((step for step in target.steps if step.kind == "flux_configuration"), None)


def own_steps(target: Target) -> list[Step]:
    """Every step that writes a configuration: several where a cluster is cleared."""
    return [step for step in target.steps if step.kind == "flux_configuration"]


def bodies(step: Step) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The properties before and after; before is {} for a new one, after None for a delete."""
    before = dict((step.base or {}).get("properties") or {})
    if step.body is None:
        return before, None
    properties: dict[str, Any] = step.body.get("properties") or {}
    return before, merged(before, properties) if step.method == "PATCH" else properties


# --- Where it goes --------------------------------------------------------------------------
def _of_places(targets: Sequence[Target]) -> Iterator[Risk]:
    clusters = {
        cluster.pk: cluster
        for cluster in Cluster.objects.filter(
            pk__in=[it.cluster_id for it in targets]
        ).select_related("connection")
    }
    failing = set(
        Configuration.objects.filter(
            arm_id__in=[it.resource_id for it in targets], compliance=Compliance.NON_COMPLIANT
        ).values_list("arm_id", flat=True)
    )
    yield from prerequisite_risks(clusters.values())
    for target in targets:
        cluster = clusters.get(target.cluster_id or 0)
        if cluster is None or cluster.gone_at is not None:
            yield Risk(
                code="cluster_gone", tone="bad", icon="server-off",
                text=_("%(cluster)s is gone from Azure.") % {"cluster": target.name},
            )  # fmt: skip
            continue
        yield from _of_cluster(cluster)
        if len(target.steps) > 1:
            yield Risk(
                code="extension_first", icon="package",
                text=_("The microsoft.flux extension is installed on %(cluster)s first.")
                % {"cluster": cluster.name},
            )  # fmt: skip
        if target.resource_id in failing:
            yield Risk(
                code="failing_now", icon="alert-octagon",
                text=_("It is Non-Compliant on %(cluster)s right now.") % {"cluster": cluster.name},
            )  # fmt: skip


def _of_cluster(cluster: Cluster) -> Iterator[Risk]:
    if cluster.connectivity in {"Offline", "Expired"}:
        yield Risk(
            code="cluster_offline", tone="bad", icon="plug-connected-x",
            text=_("%(cluster)s is offline: it takes the change within 48 h or never.")
            % {"cluster": cluster.name},
        )  # fmt: skip
    if cluster.power_state == "Stopped":
        yield Risk(
            code="cluster_stopped", tone="bad", icon="player-pause",
            text=_("%(cluster)s is stopped.") % {"cluster": cluster.name},
        )  # fmt: skip
    if cluster.identity_kind == "ServicePrincipal":
        yield Risk(
            code="no_managed_identity", tone="bad", icon="id",
            text=_("%(cluster)s has no managed identity, which microsoft.flux needs.")
            % {"cluster": cluster.name},
        )  # fmt: skip


# --- What it does ---------------------------------------------------------------------------
def _of_bodies(targets: Sequence[Target]) -> Iterator[Risk]:
    for target in targets:
        step = own_step(target)
        if step is None:
            continue
        before, after = bodies(step)
        if after is None:
            yield from of_delete(step)
            continue
        yield from _of_scope(before, after)
        yield from _of_source(before, after)
        yield from _of_kustomizations(before, after)


def of_delete(step: Step) -> Iterator[Risk]:
    """What a reviewer of a configuration's delete should not miss."""
    before, _after = bodies(step)
    if step.options.get("force"):
        yield Risk(
            code="delete_force", tone="bad", icon="alert-octagon",
            text=_(
                "By force: Azure forgets %(name)s without asking the cluster. Flux may go on "
                "there, and nothing is pruned."
            )
            % {"name": step.resource_name},
        )  # fmt: skip
        return
    pruned = [name for name, it in kustomizations_of(before).items() if it.get("prune") is True]
    if pruned:
        yield Risk(
            code="delete_prunes", tone="bad", icon="trash",
            text=_("Prune is on for %(names)s: what they deployed is deleted from the cluster.")
            % {"names": ", ".join(pruned)},
        )  # fmt: skip
    else:
        yield Risk(
            code="delete_keeps", icon="trash",
            text=_("Prune is off: what was deployed stays on the cluster."),
        )  # fmt: skip


def _of_scope(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Risk]:
    if not before and (after.get("scope") or "cluster") == "cluster":
        yield Risk(
            code="cluster_scope", icon="world",
            text=_("Cluster scope: what is in the source may change the whole cluster."),
            anchor="properties.scope",
        )  # fmt: skip
    was, now = before.get("suspend") is True, after.get("suspend") is True
    if now and not was:
        yield Risk(
            code="suspend", icon="player-pause", anchor="properties.suspend",
            text=_("Suspended: nothing is brought up to date until it is resumed."),
        )  # fmt: skip
    if was and not now:
        yield Risk(
            code="resume", icon="player-play", anchor="properties.suspend",
            text=_("Resumed: everything that changed in the source meanwhile is applied at once."),
        )  # fmt: skip


def _of_source(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Risk]:
    if not before:
        return
    old_kind, new_kind = _kind(before), _kind(after)
    body = SOURCE_BODIES.get(new_kind, "")
    if old_kind != new_kind:
        yield Risk(
            code="source_kind", tone="bad", icon="replace", anchor="properties.sourceKind",
            text=_(
                "The kind of source changes from %(old)s to %(new)s: paths, and what prune "
                "deletes, are judged by the new one."
            )
            % {"old": old_kind, "new": new_kind},
        )  # fmt: skip
        return
    old, new = before.get(body) or {}, after.get(body) or {}
    if old.get("url") != new.get("url"):
        yield Risk(
            code="source_url", tone="bad", icon="git-branch", anchor=f"properties.{body}.url",
            text=_("The source's URL changes."),
        )  # fmt: skip
    one, other = _reference_kind(old), _reference_kind(new)
    if one and other and one != other:
        yield Risk(
            code="reference_kind", icon="git-branch", anchor=f"properties.{body}.repositoryRef",
            text=_("The reference changes from a %(old)s to a %(new)s.")
            % {"old": one, "new": other},
        )  # fmt: skip


def _kind(properties: Mapping[str, Any]) -> str:
    return str(properties.get("sourceKind") or "GitRepository")


def _reference_kind(source: Mapping[str, Any]) -> str:
    reference = source.get("repositoryRef") or {}
    return next((it for it in REFERENCES if reference.get(it)), "")


def _of_kustomizations(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Risk]:
    old, new = kustomizations_of(before), kustomizations_of(after)
    for name, it in old.items():
        if name not in new:
            yield from _removed(name, it, old)
    for name, it in new.items():
        if name in old:
            yield from _altered(name, old[name], it)


def _removed(
    name: str, it: Mapping[str, Any], old: Mapping[str, Mapping[str, Any]]
) -> Iterator[Risk]:
    if it.get("prune") is True:
        yield Risk(
            code="removed_prunes", tone="bad", icon="trash",
            anchor=f"properties.kustomizations.{name}",
            text=_("%(name)s is removed and its objects are deleted (prune).") % {"name": name},
        )  # fmt: skip
    else:
        yield Risk(
            code="removed", icon="trash", anchor=f"properties.kustomizations.{name}",
            text=_("%(name)s is removed; its objects stay on the cluster.") % {"name": name},
        )  # fmt: skip
    waiting = [other for other, its in old.items() if name in (its.get("dependsOn") or [])]
    if waiting:
        yield Risk(
            code="removed_needed", icon="sitemap", anchor=f"properties.kustomizations.{name}",
            text=_("%(names)s waited for %(name)s, which is removed.")
            % {"names": ", ".join(waiting), "name": name},
        )  # fmt: skip


def _altered(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Risk]:
    anchor = f"properties.kustomizations.{name}"
    was, now = old.get("prune") is True, new.get("prune") is True
    if now and not was:
        yield Risk(
            code="prune_on", tone="bad", icon="trash", anchor=f"{anchor}.prune",
            text=_("Prune is turned on for %(name)s: objects removed from Git are deleted.")
            % {"name": name},
        )  # fmt: skip
    if was and not now:
        yield Risk(
            code="prune_off", icon="trash", anchor=f"{anchor}.prune",
            text=_("Prune is turned off for %(name)s: objects removed from Git stay.")
            % {"name": name},
        )  # fmt: skip
    if (old.get("path") or "") != (new.get("path") or ""):
        yield Risk(
            code="path", tone="bad" if now else "warn", icon="folder", anchor=f"{anchor}.path",
            text=(
                _("The path of %(name)s changes; what is only in the old path is deleted (prune).")
                if now
                else _("The path of %(name)s changes.")
            )
            % {"name": name},
        )  # fmt: skip
    if new.get("force") is True and old.get("force") is not True:
        yield Risk(
            code="force_on", icon="tool", anchor=f"{anchor}.force",
            text=_("Force is turned on for %(name)s: objects may be deleted and made again.")
            % {"name": name},
        )  # fmt: skip
