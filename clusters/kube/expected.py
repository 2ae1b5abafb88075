"""What the tutorial expects to find on a cluster with Flux, held against what was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from clusters.kube.tables import FLUX_NAMESPACE, Shown

_ALWAYS = ("fluxconfig-agent", "fluxconfig-controller")
# Controller -> whether the extension installs it unless its settings say otherwise.
_CONTROLLERS = {
    "source-controller": True,
    "kustomize-controller": True,
    "helm-controller": True,
    "notification-controller": True,
    "image-automation-controller": False,
    "image-reflector-controller": False,
}
_CRDS = (
    "fluxconfigs.clusterconfig.azure.com",
    "gitrepositories.source.toolkit.fluxcd.io",
    "buckets.source.toolkit.fluxcd.io",
    "helmrepositories.source.toolkit.fluxcd.io",
    "helmcharts.source.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
)


@dataclass(frozen=True)
class Check:
    """One thing that should be there."""

    name: str
    ok: bool
    detail: str


def checks_of(
    view: str, tables: Sequence[Shown], *, namespaces: Iterable[str], settings: Mapping[str, str]
) -> list[Check]:
    """What the tab's tables show of it; [] where nothing is expected, or not all rows are known.

    `namespaces`: those of the cluster's configurations; `settings`: the extension's.
    """
    if not tables or any(it["continued"] or it["problem"] for it in tables):
        return []
    match view:
        case "namespaces":
            return _namespaces(tables[0], {FLUX_NAMESPACE, *namespaces})
        case "flux-pods":
            return _pods(tables[0], _controllers(settings))
        case "crds":
            found = {row[0] for row in tables[0]["rows"]}
            return [_present(name, name in found) for name in _CRDS]
    return []


def _present(name: str, found: bool) -> Check:
    return Check(name, found, _("is there") if found else _("is missing"))


def _namespaces(table: Shown, expected: set[str]) -> list[Check]:
    states = {row[0]: row[1] if len(row) > 1 else "" for row in table["rows"]}
    return [
        Check(name, states.get(name) == "Active", states.get(name) or _("is missing"))
        for name in sorted(expected)
    ]


def _controllers(settings: Mapping[str, str]) -> list[str]:
    wanted = [
        name
        for name, default in _CONTROLLERS.items()
        if str(settings.get(f"{name}.enabled", default)).lower() == "true"
    ]
    return [*_ALWAYS, *wanted]


def _pods(table: Shown, controllers: Iterable[str]) -> list[Check]:
    checks = []
    for name in controllers:
        rows = [row for row in table["rows"] if row[0].startswith(f"{name}-")]
        running = [row for row in rows if _is_running(row)]
        detail = " ".join(rows[0][1:3]) if rows else _("is missing")
        checks.append(Check(name, bool(running), " ".join((running or [[]])[0][1:3]) or detail))
    return checks


def _is_running(row: Sequence[str]) -> bool:
    """READY says that every container is, and STATUS is Running."""
    ready, _slash, all_of_them = row[1].partition("/")
    return row[2] == "Running" and ready == all_of_them and ready != "0"
