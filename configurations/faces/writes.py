"""The faces of one write on a configuration: what would be sent, exactly.

A PUT is the specification in every tool's words. A PATCH and a DELETE are acts: az and REST say
them; a tool that declares states shows the state after a PATCH, and says where it differs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _
from pydantic import ValidationError

from changes.faces import Face, masked
from changes.kinds import Step
from clusters.faces import arm_endpoint_of, az_face, command, rest_face
from clusters.models import Cluster
from configurations.faces import faces_of
from configurations.faces.command_line import OPTIONS, duration, where
from configurations.faces.models import Place
from configurations.faces.places import place_of
from configurations.specification import Specification
from configurations.specification.models import SOURCE_BODIES


def faces_of_write(step: Step, wanted: Mapping[str, Any] | None, cluster: Cluster) -> list[Face]:
    """The faces of a step; `wanted`: the properties after it, None for a delete."""
    place = replace(place_of(cluster, step.resource_name), api_version=step.api_version)
    rest = rest_face(step, arm_endpoint_of(cluster.connection))
    az, declared = _declared(_base(step) if wanted is None else wanted, place)
    if wanted is None:
        return [_deleting(step, place), *map(_taken_out, declared), rest]
    if step.method == "PATCH":
        return [_patching(step, place, rest), *map(_state_after, declared), rest]
    return [*az, *declared, rest]


def _base(step: Step) -> dict[str, Any]:
    return dict((step.base or {}).get("properties") or {})


def _declared(properties: Mapping[str, Any], place: Place) -> tuple[list[Face], list[Face]]:
    """az, and the tools that declare states; not the request, which has the change's own body."""
    try:
        specification = Specification.from_wire(properties)
    except ValidationError:  # a live resource that no rule of ours knows
        return [], []
    found = faces_of(specification, place)
    return (
        [it for it in found if it.code == "az"],
        [it for it in found if it.code not in {"az", "rest"}],
    )


# --- Delete ---------------------------------------------------------------------------------
def _deleting(step: Step, place: Place) -> Face:
    force = "--force true" if step.options.get("force") else ""
    return az_face(step, command("az k8s-configuration flux delete", *where(place), force, "--yes"))


def _taken_out(face: Face) -> Face:
    """A file that declares a state deletes by no longer saying it."""
    said = {
        "azurerm": _("Take the resource out of the file: terraform apply then deletes it."),
        "azapi": _("Take the resource out of the file: terraform apply then deletes it."),
        "flux": _("Objects of Flux that Azure made come back: delete the configuration in Azure."),
    }
    note = said.get(face.code, _("A template deletes nothing in Azure's incremental mode."))
    return replace(face, text="", notes=(note,))


# --- Patch ----------------------------------------------------------------------------------
def _patching(step: Step, place: Place, rest: Face) -> Face:
    """az k8s-configuration flux update where its options say all of it, else az rest."""
    properties = masked((step.body or {}).get("properties") or {})
    kind = str(_base(step).get("sourceKind") or "GitRepository")
    options = _options(properties, kind)
    if options is not None:
        return az_face(
            step, command("az k8s-configuration flux update", *where(place), *options, "--yes")
        )
    body = shlex.quote(json.dumps(masked(step.body), ensure_ascii=False))
    url = rest.text.split("--url ", 1)[1].split("\n", 1)[0].removesuffix(" \\")
    text = command("az rest --method patch", f"--url {url}", f"--body {body}")
    note = _("az has no single command for exactly this write, so it sends the body itself.")
    return az_face(step, text, [note])


def _options(properties: Mapping[str, Any], kind: str) -> list[str] | None:
    """The options that say this patch; None where they cannot."""
    options: list[str] = []
    for key, value in properties.items():
        if key == "suspend" and isinstance(value, bool):
            options.append(f"--suspend {str(value).lower()}")
        elif key == SOURCE_BODIES.get(kind) and isinstance(value, Mapping):
            said = dict(_source_options(value, kind))
            if None in said.values() or not said:
                return None
            options += [str(it) for it in said.values()]
        else:
            return None
    return options


def _source_options(
    value: Mapping[str, Any], kind: str, path: str = ""
) -> Iterator[tuple[str, str | None]]:
    """Each leaf of a patch of the source with its option, None where az has none."""
    times = {"syncIntervalInSeconds": "--interval", "timeoutInSeconds": "--timeout"}
    for key, item in value.items():
        field = f"{path}{key}"
        name = OPTIONS.get(kind, {}).get(field)
        if isinstance(item, Mapping):
            yield from _source_options(item, kind, f"{field}.")
        elif field in times and isinstance(item, int):
            yield field, f"{times[field]} {duration(item)}"
        elif name is not None and isinstance(item, str) and item and not item.startswith("-"):
            yield field, f"--{name} {shlex.quote(item)}"
        else:
            yield field, None


def _state_after(face: Face) -> Face:
    note = _("This is the state after the change. It replaces the whole, secrets included.")
    return replace(face, notes=(note, *face.notes)) if face.text else face
