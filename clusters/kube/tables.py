"""What is shown of a cluster: five views, each with its tables, in the words of `kubectl get`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clusters.kube.door import KubernetesDoor, KubernetesProblem

PAGE = 100
FLUX_NAMESPACE = "flux-system"
_SOURCE, _KUSTOMIZE = "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
_HELM, _AZURE = "helm.toolkit.fluxcd.io", "clusterconfig.azure.com"


class Shown(TypedDict):
    """One table as it was read; all cells are text."""

    key: str
    columns: list[str]
    rows: list[list[str]]
    owners: list[str]  # beside rows: "NAMESPACE/NAME" of the Flux object that a row comes from
    continued: str  # opaque, for the part that follows; "" at the end
    left: int | None  # rows that follow, where the server says so
    missing: bool  # the cluster does not know this kind
    problem: dict[str, str]  # {} or {"code", "message", ...}: this table alone was refused


@dataclass(frozen=True)
class Table:
    """One kind of object. `namespace` pins the table to one namespace."""

    key: str  # also the plural of its path
    group: str = ""
    version: str = "v1"  # "" asks the cluster which versions it serves
    namespaced: bool = True
    namespace: str = ""
    page: int = PAGE

    @property
    def command(self) -> str:
        """The kubectl command that shows the same."""
        return f"kubectl get {self.key}" + (
            f" -n {self.namespace}" if self.namespace else " -A" if self.namespaced else ""
        )


@dataclass(frozen=True)
class View:
    """One tab."""

    key: str
    label: str | Promise
    tables: tuple[Table, ...]

    @property
    def filters(self) -> bool:
        """Whether a namespace can be chosen."""
        return any(it.namespaced and not it.namespace for it in self.tables)

    def only(self, key: str) -> tuple[Table, ...]:
        """The table of that name, or all of them."""
        return tuple(it for it in self.tables if it.key == key) or self.tables


def _flux(key: str, group: str) -> Table:
    return Table(key, group, "")


VIEWS = {
    view.key: view
    for view in (
        View("namespaces", _("Namespaces"), (Table("namespaces", namespaced=False),)),
        View("flux-pods", _("Flux pods"), (Table("pods", namespace=FLUX_NAMESPACE),)),
        View(
            "crds",
            _("CRDs"),
            (
                Table(
                    "customresourcedefinitions",
                    "apiextensions.k8s.io",
                    namespaced=False,
                    page=250,
                ),
            ),
        ),
        View(
            "flux",
            _("Flux objects"),
            (
                _flux("fluxconfigs", _AZURE),
                _flux("gitrepositories", _SOURCE),
                _flux("buckets", _SOURCE),
                _flux("ocirepositories", _SOURCE),
                _flux("helmrepositories", _SOURCE),
                _flux("helmcharts", _SOURCE),
                _flux("helmreleases", _HELM),
                _flux("kustomizations", _KUSTOMIZE),
            ),
        ),
        View(
            "workloads",
            _("Workloads"),
            (
                Table("deployments", "apps"),
                Table("statefulsets", "apps"),
                Table("services"),
                Table("pods"),
            ),
        ),
    )
}


def read_table(
    door: KubernetesDoor, table: Table, *, namespace: str = "", after: str = ""
) -> Shown:
    """One table of at most `table.page` rows. A refusal of it alone is kept in it.

    Raises KubernetesProblem where no table of this cluster can be had.
    """
    query: dict[str, str | int] = {"limit": table.page}
    if after:
        query["continue"] = after
    try:
        for path in paths(door, table, namespace):
            try:
                return _shown(table, door.table(path, query))
            except KubernetesProblem as problem:
                if problem.code != "not_found":
                    raise
    except KubernetesProblem as problem:
        if problem.code not in ("forbidden", "page_gone", "too_large"):
            raise
        facts = {"code": problem.code, "message": problem.message, **problem.facts}
        return _empty(table) | {"problem": facts}
    return _empty(table) | {"missing": True}


def paths(door: KubernetesDoor, table: Table, namespace: str) -> Iterator[str]:
    """Where the kind may be, the cluster's preferred version first; none where it is unknown."""
    where = table.namespace or (namespace if table.namespaced else "")
    rest = f"namespaces/{where}/{table.key}" if where else table.key
    if not table.group:
        yield f"/api/{table.version}/{rest}"
        return
    for version in [table.version] if table.version else versions(door, table.group):
        yield f"/apis/{table.group}/{version}/{rest}"


def versions(door: KubernetesDoor, group: str) -> list[str]:
    """The versions of an API group that the cluster serves, preferred first; [] for none."""
    try:
        found = door.get(f"/apis/{group}")
    except KubernetesProblem as problem:
        if problem.code == "not_found":
            return []
        raise
    served = [str(it.get("version")) for it in found.get("versions") or []]
    preferred = str((found.get("preferredVersion") or {}).get("version") or "")
    return sorted(served, key=lambda version: version != preferred)


def _empty(table: Table) -> Shown:
    return {
        "key": table.key, "columns": [], "rows": [], "owners": [], "continued": "", "left": None,
        "missing": False, "problem": {},
    }  # fmt: skip


def _shown(table: Table, answer: dict[str, Any]) -> Shown:
    """The columns that kubectl prints without -o wide, and the namespace before them."""
    columns = [it for it in answer.get("columnDefinitions") or [] if isinstance(it, dict)]
    if answer.get("kind") != "Table" or not columns:
        raise KubernetesProblem("not_kubernetes", "It does not answer with tables.")
    kept = [position for position, it in enumerate(columns) if not it.get("priority")]
    with_namespace = table.namespaced and not table.namespace
    rows, owners = [], []
    for row in answer.get("rows") or []:
        cells = row.get("cells") or []
        shown = [_text(cells[it]) if it < len(cells) else "" for it in kept]
        metadata = (row.get("object") or {}).get("metadata") or {}
        rows.append([_text(metadata.get("namespace")), *shown] if with_namespace else shown)
        owners.append(_text(_owner(metadata)))
    metadata = answer.get("metadata") or {}
    left = metadata.get("remainingItemCount")
    titles = [str(columns[it].get("name") or "").upper() for it in kept]
    return _empty(table) | {
        "columns": ["NAMESPACE", *titles] if with_namespace else titles,
        "rows": rows[: table.page],
        "owners": owners[: table.page],
        "continued": str(metadata.get("continue") or "").replace("\x00", ""),
        "left": left if isinstance(left, int) else None,
    }


def _owner(metadata: dict[str, Any]) -> str:
    """The Kustomization or HelmRelease that made it, by Flux's labels; else the object itself."""
    labels = metadata.get("labels") or {}
    for group in (_KUSTOMIZE, _HELM):
        if labels.get(f"{group}/name"):
            return f"{labels.get(f'{group}/namespace', '')}/{labels[f'{group}/name']}"
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _text(cell: object) -> str:
    """As text; PostgreSQL keeps no NUL."""
    return "" if cell is None else str(cell)[:300].replace("\x00", "")
