"""What a step's page shows beside its form: steps, order of apply, the same thing elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from pydantic import ValidationError

from clusters.prerequisites.checks import Check, failed_of
from configurations.faces import faces_context
from configurations.faces.places import place_of
from configurations.models import Configuration, Draft
from configurations.pictures import Link, Node, Picture, draw
from configurations.reading import columns
from configurations.secrets import versions_of
from configurations.services import (
    STEPS,
    draft_name,
    draft_properties,
    draft_violations,
)
from configurations.specification import Specification
from configurations.specification.graph import cycles, layers
from configurations.specification.violations import Violation
from configurations.wizard import rows
from configurations.wizard.compose import entry_of
from configurations.wizard.forms import BasicsForm
from configurations.wizard.source_fields import KINDS
from configurations.wizard.source_form import SourceForm

LABELS: dict[str, str | Promise] = {
    "basics": gettext_lazy("Basics"),
    "source": gettext_lazy("Source"),
    "kustomizations": gettext_lazy("Kustomizations"),
    "review": gettext_lazy("Review + submit"),
}
SOURCE = "\0source"  # the key of the source's box; no kustomization can have this name


@dataclass(frozen=True)
class StepLink:
    number: int
    label: str | Promise
    url: str
    is_current: bool
    is_done: bool
    is_open: bool  # whether one may go there


def step_url(draft: Draft, step: str) -> str:
    return reverse(f"configurations:draft_{step}", args=[draft.pk])


def next_step(step: str) -> str:
    return STEPS[STEPS.index(step) + 1]


def previous_step(step: str) -> str:
    return STEPS[STEPS.index(step) - 1]


def page(request: HttpRequest, draft: Draft, step: str) -> dict[str, Any]:
    """The context that every step shares."""
    place = STEPS.index(step)
    return {
        "draft": draft,
        "step": step,
        "steps": step_links(draft, step),
        "is_edit": draft.purpose == Draft.Purpose.EDIT,
        "name": draft_name(draft),
        "cluster": draft.cluster,
        "previous": step_url(draft, STEPS[place - 1]) if place else "",
        "previous_label": LABELS[STEPS[place - 1]] if place else "",
        "unmet": _unmet(draft) if step in {"basics", "review"} else [],
        "next_label": LABELS[STEPS[place + 1]] if place + 1 < len(STEPS) else "",
        **faces(draft, request.POST.get("face") or request.GET.get("face", "")),
    }


def _unmet(draft: Draft) -> list[Check]:
    """Prerequisites of the cluster that fail, so that nobody waits for a refusal of Azure's."""
    return [] if draft.cluster is None else failed_of(draft.cluster)


def faces(draft: Draft, code: str) -> dict[str, Any]:
    """The same thing in the form that was chosen, with what is open in the editor in it.

    What is typed may not be a specification yet: then there is nothing to show.
    """
    if draft.cluster is None:
        return {}
    properties = draft_properties(draft)
    row = draft.data["kustomizations"]["open"]
    if row is not None and row["name"] and not rows.is_untouched(row):
        kustomizations = {**(properties.get("kustomizations") or {}), row["name"]: entry_of(row)}
        properties = {**properties, "kustomizations": kustomizations}
    try:
        specification = Specification.from_wire(properties)
    except ValidationError:
        return {}
    file_url = f"{reverse('configurations:draft_face', args=[draft.pk])}?"
    place = place_of(draft.cluster, draft_name(draft))
    return {**faces_context(specification, place, code), "file_url": file_url}


def step_links(draft: Draft, current: str) -> list[StepLink]:
    """All steps; one is done when it was saved and keeps its rules, open when all before are
    saved."""
    saved = set(draft.data["saved"])
    links = []
    for number, step in enumerate(STEPS, start=1):
        links.append(
            StepLink(
                number=number,
                label=LABELS[step],
                url=step_url(draft, step),
                is_current=step == current,
                is_done=step in saved and is_sound(draft, step),
                is_open=all(before in saved for before in STEPS[: number - 1]),
            )
        )
    return links


def taken_names(draft: Draft) -> set[str]:
    """The names that the cluster's configurations have."""
    names = Configuration.objects.filter(cluster=draft.cluster, gone_at=None)
    return set(names.values_list("name", flat=True))


def is_sound(draft: Draft, step: str) -> bool:
    """Whether what is saved of this step keeps the rules that the step itself can check."""
    data = draft.data
    match step:
        case "basics":
            return draft.purpose == Draft.Purpose.EDIT or BasicsForm(data["basics"]).is_valid()
        case "source":
            other_kind = data["source"]["source_kind"] not in KINDS
            return other_kind or source_form(draft, judged=True).is_valid()
        case "kustomizations":
            return bool(data["kustomizations"]["rows"]) and data["kustomizations"]["open"] is None
        case _:
            return False


def source_form(draft: Draft, judged: bool) -> SourceForm:
    """The form of the Source step; judged: with what the rules say of it."""
    data = draft.data["source"]
    versions = versions_of(data)
    if not judged:
        return SourceForm(initial=data, versions=versions)
    found = [it for it in draft_violations(draft) if step_of(it) == "source"]
    return SourceForm(data, violations=found, versions=versions)


def step_of(violation: Violation) -> str:
    """The step whose form holds the field of a broken rule."""
    first = violation.field[0] if violation.field else ""
    if first in {"name", "namespace", "scope"}:
        return "basics"
    return "kustomizations" if first == "kustomizations" else "source"


# --- Order of apply -------------------------------------------------------------------------
def order_of(draft: Draft) -> dict[str, Any]:
    """The picture of what waits for what, and the same as a list of steps."""
    data = draft.data["kustomizations"]
    entries = {row["name"]: row for row in data["rows"] if row["name"]}
    graph = {name: list(row["depends_on"]) for name, row in entries.items()}
    unsaved = data["open"] if not rows.is_untouched(data["open"]) else None
    stages = layers(graph)
    loops = cycles(graph)
    return {
        "picture": _picture(draft, entries, graph, unsaved) if entries or unsaved else None,
        "stages": stages if not loops else [],
        "loops": [" → ".join(loop) for loop in loops],
        "summary": _("a loop") if loops
        else ngettext("%(n)d step, no loop", "%(n)d steps, no loop", len(stages))
        % {"n": len(stages)},
    }  # fmt: skip


def _picture(
    draft: Draft,
    entries: Mapping[str, dict[str, Any]],
    graph: dict[str, list[str]],
    unsaved: dict[str, Any] | None,
) -> Picture:
    nodes = [_source_node(draft)]
    looped = {name for loop in cycles(graph) for name in loop}
    for name, row in entries.items():
        if unsaved is not None and row["key"] == unsaved["key"]:
            continue
        nodes.append(
            Node(name, name, row["path"] or _("root"), css="is-bad" if name in looped else "")
        )
    links = []
    for name, wanted in graph.items():
        css = "edge--hit" if name in looped else ""
        links += [Link(other, name, css) for other in wanted] or [Link(SOURCE, name)]
    if unsaved is not None:
        name = unsaved["name"] or _("new")
        key = next((k for k, row in entries.items() if row["key"] == unsaved["key"]), "\0new")
        nodes.append(Node(key, name, _("not saved yet"), icon="plus", tone="accent", css="is-new"))
        links = [link for link in links if link.target != key]
        wanted = unsaved["depends_on"] or [SOURCE]
        links += [Link(other, key, "edge--wait") for other in wanted]
    return draw(
        nodes, links, title=_("Order of apply"), text=_order_text(graph, unsaved), name="order"
    )


def _source_node(draft: Draft) -> Node:
    source = draft.data["source"]
    if source["source_kind"] not in KINDS:
        return Node(SOURCE, source["source_kind"], "", "database")
    found = columns({"sourceKind": source["source_kind"], **draft_properties(draft)})
    icon = "git-branch" if source["source_kind"] == "GitRepository" else "database"
    place = str(found["source_url"]).rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    return Node(SOURCE, str(found["reference"]) or _("reference"), place, icon=icon)


def _order_text(graph: dict[str, list[str]], unsaved: dict[str, Any] | None) -> str:
    if cycles(graph):
        return _("These wait for each other in a circle: %(loop)s.") % {
            "loop": " → ".join(cycles(graph)[0])
        }
    words = [
        (_("First %(names)s.") if place == 0 else _("Then %(names)s."))
        % {"names": ", ".join(names)}
        for place, names in enumerate(layers(graph))
    ]
    if unsaved is not None and unsaved["name"]:
        words.append(_("%(name)s is not saved yet.") % {"name": unsaved["name"]})
    return " ".join(words)
