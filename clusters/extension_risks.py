"""What a reviewer of an extension's install, update or delete should not miss.

Everything is told from the frozen content and from the rows; configurations are reached by their
relation, as this floor does not import theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from changes.content import targets_of
from changes.diff import after
from changes.kinds import Risk, Step, Target
from changes.models import Change
from clusters.extension_beta import concerned_by_beta
from clusters.extension_compare import installed_version
from clusters.extension_settings.catalogue import CONTROLLERS
from clusters.extension_settings.checks import is_on
from clusters.extension_settings.versions import is_older, loses_beta_apis, newest
from clusters.models import Cluster
from clusters.prerequisites.risks import prerequisite_risks

_NEEDED_BY_ALL = ("source-controller", "kustomize-controller")
_SETTINGS = "properties.configurationSettings."


def risks_of(change: Change) -> list[Risk]:
    """Worst first."""
    targets = targets_of(change.content)
    rows = Cluster.objects.select_related("connection")
    clusters = rows.in_bulk([it.cluster_id for it in targets if it.cluster_id])
    found: list[Risk] = list(prerequisite_risks(clusters.values()))
    for target in targets:
        cluster = clusters.get(target.cluster_id or 0)
        if cluster is None:
            continue
        found.extend(_of_target(cluster, target))
        found.extend(_of_row(cluster))
    return sorted(found, key=lambda risk: risk.tone != "bad")


def cluster_risks(cluster: Cluster) -> list[Risk]:
    """What stands in the way of an extension on this cluster."""
    return [*_of_row(cluster), *prerequisite_risks([cluster])]


def _of_row(cluster: Cluster) -> list[Risk]:
    found: list[Risk] = []
    if cluster.flux_v1:
        text = _("Flux v1 is on %(cluster)s: Azure installs no microsoft.flux beside it")
        found.append(_risk("flux_v1", text, cluster, "bad", "versions"))
    if cluster.identity_kind == "ServicePrincipal":
        text = _("%(cluster)s uses a service principal: Azure refuses extensions there")
        found.append(_risk("service_principal", text, cluster, "bad", "user-x"))
    if cluster.connectivity in {"Offline", "Expired"}:
        text = _("%(cluster)s is offline: it takes the extension within 48 h, or never")
        found.append(_risk("offline", text, cluster, "warn", "plug-connected-x"))
    if cluster.power_state == "Stopped":
        text = _("%(cluster)s is stopped: nothing installs until it runs")
        found.append(_risk("stopped", text, cluster, "warn", "player-pause"))
    return found


def needing(cluster: Cluster, controller: str) -> list[str]:
    """Names of the configurations that need this controller; all of them need the first two.

    Which Helm releases there are is known from what Azure reports; image automation is not
    reported, so nobody is named for it.
    """
    rows = cluster.configurations.filter(gone_at=None)
    if controller == "helm-controller":
        rows = rows.filter(statuses__kind="HelmRelease").distinct()
    elif controller not in _NEEDED_BY_ALL:
        return []
    return sorted(rows.values_list("name", flat=True))


def _install(step: Step) -> Iterator[Risk]:
    yield Risk(
        code="controllers",
        text=_("Flux gets cluster-admin rights in the namespace flux-system"),
        icon="shield-half",
    )
    properties = (step.body or {}).get("properties") or {}
    if properties.get("autoUpgradeMinorVersion") is False:
        text = _("Held to version %(version)s: it gets no fixes by itself")
        yield Risk(code="pinned", text=text % {"version": properties.get("version")}, icon="lock")
    else:
        yield Risk(
            code="auto_upgrade", text=_("Azure upgrades minor versions by itself"), icon="package"
        )
    if not is_on(_settings(step.body), "multiTenancy.enforce"):
        text = _("Multi-tenancy is off: configurations reach other namespaces")
        yield Risk(code="tenancy_off", text=text, tone="bad", icon="lock-open")


def _of_target(cluster: Cluster, target: Target) -> Iterator[Risk]:
    for step in target.steps:
        if step.kind != "flux_extension":
            continue
        if step.verb == Change.Verb.INSTALL:
            yield from _install(step)
        elif step.verb == Change.Verb.DELETE:
            yield from _delete(cluster, step)
        elif step.verb == Change.Verb.UPDATE:
            yield from _switched_off(cluster, step)
            yield from _version(cluster, step)
            yield from _trust(cluster, step)
            text = _("Controllers on %(cluster)s restart; nothing is reconciled meanwhile")
            yield _risk("restart", text, cluster, "warn", "refresh")


def _delete(cluster: Cluster, step: Step) -> Iterator[Risk]:
    text = _("Flux leaves %(cluster)s: nothing from Git is applied or repaired there")
    yield _risk("delete", text, cluster, "bad", "trash")
    if step.options.get("force"):
        text = _("By force: Azure forgets it, and its pods may stay on %(cluster)s")
        yield _risk("force", text, cluster, "bad", "alert-octagon")


def _switched_off(cluster: Cluster, step: Step) -> Iterator[Risk]:
    before, later = _settings(step.base), _settings(after(step))
    for name in CONTROLLERS:
        key = f"{name}.enabled"
        if not is_on(before, key) or is_on(later, key):
            continue
        names = needing(cluster, name)
        if names:
            text = _("%(controller)s goes off, and %(names)s on %(cluster)s need it") % {
                "controller": name,
                "names": _few(names),
                "cluster": cluster.name,
            }
        else:
            text = _("%(controller)s goes off on %(cluster)s") % {
                "controller": name,
                "cluster": cluster.name,
            }
        yield Risk(
            code="controller_off",
            text=text,
            tone="bad" if names else "warn",
            icon="power",
            anchor=_SETTINGS + key,
        )


def _version(cluster: Cluster, step: Step) -> Iterator[Risk]:
    asked = (step.body or {}).get("properties") or {}
    installed, wanted = installed_version(step.base), str(asked.get("version") or "")
    goal = wanted or (newest(()) if asked.get("autoUpgradeMinorVersion") else "")
    if is_older(wanted, installed):
        text = _("Downgrade from %(installed)s to %(wanted)s: Azure does not promise that it works")
        yield Risk(
            code="downgrade",
            text=text % {"installed": installed, "wanted": wanted},
            tone="bad",
            icon="arrow-down",
            anchor="properties.version",
        )
    elif loses_beta_apis(installed, goal):
        text = _(
            "From 1.23.0 on the beta interfaces of Flux are gone: manifests on %(cluster)s that "
            "name v1beta1, v1beta2, v2beta1 or v2beta2 fail"
        )
        names = [it.name for it in concerned_by_beta(cluster)]
        if names:
            text += _("; Flux objects come from %(names)s") % {"names": _few(names)}
        yield _risk("beta_apis", text, cluster, "warn", "alert-triangle", "properties.version")
    if asked.get("autoUpgradeMinorVersion") is False:
        text = _("%(cluster)s is held to one version: it gets no fixes by itself")
        anchor = "properties.autoUpgradeMinorVersion"
        yield _risk("pinned", text, cluster, "warn", "lock", anchor)


def _trust(cluster: Cluster, step: Step) -> Iterator[Risk]:
    before, later = _settings(step.base), _settings(after(step))
    key = "multiTenancy.enforce"
    if is_on(before, key) and not is_on(later, key):
        text = _("Multi-tenancy goes off: configurations on %(cluster)s reach other namespaces")
        yield _risk("tenancy_off", text, cluster, "bad", "lock-open", _SETTINGS + key)
    key = "workloadIdentity.enable"
    if is_on(before, key) and not is_on(later, key):
        text = _("Workload identity goes off: sources on %(cluster)s that sign in with it fail")
        yield _risk("workload_identity_off", text, cluster, "warn", "key", _SETTINGS + key)
    for name in ("source-controller", "image-automation-controller"):
        key = f"{name}.ssh-host-key-args"
        if _accepts_ssh_rsa(later.get(key, "")) and later.get(key) != before.get(key):
            text = _("ssh-rsa is accepted again on %(cluster)s; it counts as broken")
            yield _risk("ssh_rsa", text, cluster, "warn", "key", _SETTINGS + key)


def _accepts_ssh_rsa(arguments: str) -> bool:
    return "ssh-rsa" in arguments.rpartition("=")[2].split(",")


def _settings(resource: Mapping[str, Any] | None) -> dict[str, str]:
    return dict(((resource or {}).get("properties") or {}).get("configurationSettings") or {})


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    if len(names) <= 3:
        return shown
    return _("%(names)s and %(more)d more") % {"names": shown, "more": len(names) - 3}


def _risk(code: str, text: str, cluster: Cluster, tone: str, icon: str, anchor: str = "") -> Risk:
    named = text % {"cluster": cluster.name}
    return Risk(code=code, text=named, tone=tone, icon=icon, anchor=anchor)
