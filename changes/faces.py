"""The steps of a change in the words of other tools, as far as their kinds know them.

A face says exactly what would be sent. Secrets are marks in a change; a face has a placeholder for
each. Pure but for what a kind reads from the database to know where Azure is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from changes.content import targets_of
from changes.kinds import Faced, Step, Target, registered
from changes.models import Change

SHOWN_STEPS = 20
_TYPES = {
    "json": "application/json",
    "shell": "text/x-shellscript",
    "yaml": "application/yaml",
}


@dataclass(frozen=True)
class Face:
    """The same thing in one tool's words.

    `text` is "" where the tool cannot say it at all. `language` names the grammar (json, bicep,
    hcl, shell, yaml, http). `notes` are translated sentences about what this face leaves out or
    says in another way.
    """

    code: str
    label: str
    language: str
    text: str
    file_name: str
    notes: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """For the download."""
        return f"{_TYPES.get(self.language, 'text/plain')}; charset=utf-8"


@dataclass(frozen=True)
class StepFaces:
    """One step of the target at `place` and its faces; `code` is the open one."""

    place: int
    number: int
    step: Step
    faces: Sequence[Face]
    code: str

    @property
    def query(self) -> str:
        """The beginning of the download's query string."""
        return f"?target={self.place}&step={self.number}&"


def faces_of(target: Target) -> list[list[Face]]:
    """The faces of every step of a target, in their order; each has one at least."""
    said: dict[int, Sequence[Face]] = {}
    for name in {step.kind for step in target.steps}:
        kind: object = registered().get(name)
        if isinstance(kind, Faced):
            said |= kind.faces(target)
    return [
        list(said.get(place) or [request_face(step)]) for place, step in enumerate(target.steps)
    ]


def card_of(change: Change, *, target: int, code: str) -> dict[str, Any]:
    """What templates/changes/_faces.html shows: one target, each of its steps in one form.

    An unknown target means the first, an unknown form the first of each step.
    """
    targets = targets_of(change.content)
    place = target if 0 <= target < len(targets) else 0
    steps = [
        StepFaces(place, number, step, faces, open_one(faces, code).code)
        for number, (step, faces) in enumerate(
            zip(targets[place].steps, faces_of(targets[place]), strict=True)
        )
    ]
    return {
        "target": targets[place],
        "place": place,
        "count": len(targets),
        "previous": place - 1 if place else None,
        "next": place + 1 if place + 1 < len(targets) else None,
        "steps": steps[:SHOWN_STEPS],
        "hidden": max(0, len(steps) - SHOWN_STEPS),
    }


def open_one(faces: Sequence[Face], code: str) -> Face:
    """The face of this code, else the first."""
    return next((it for it in faces if it.code == code), faces[0])


def download_of(face: Face) -> HttpResponse:
    """The face as a file; Http404 where the tool cannot say it."""
    if not face.text:
        raise Http404
    response = HttpResponse(face.text, content_type=face.content_type)
    response["Content-Disposition"] = f'attachment; filename="{face.file_name}"'
    response["Cache-Control"] = "no-store"
    return response


# --- What every kind can say ----------------------------------------------------------------
def request_face(step: Step) -> Face:
    """The request itself: for a kind that has no other words."""
    text = f"{step.method} {step.resource_id}?api-version={step.api_version}\n"
    if step.body is not None:
        text += f"Content-Type: application/json\n\n{json_text(masked(step.body))}\n"
    return Face(
        code="http",
        label=_("HTTP"),
        language="http",
        text=text,
        file_name=f"{file_stem(step.resource_name)}-{step.method.lower()}.http",
    )


def json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def masked(value: Any, name: str = "") -> Any:
    """`value` with a placeholder for every mark of a secret."""
    if isinstance(value, Mapping):
        if set(value) == {"$secret"}:
            return placeholder(name)
        return {key: masked(item, str(key)) for key, item in value.items()}
    return [masked(item, name) for item in value] if isinstance(value, list | tuple) else value


def placeholder(name: str) -> str:
    """ "<https-key>" for httpsKey, to be replaced by hand."""
    return f"<{'-'.join(words_of(name))}>"


def words_of(name: str) -> list[str]:
    """The words of a field's name: ["https", "key"]; never empty."""
    return [it.lower() for it in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)] or ["secret"]


def file_stem(name: str) -> str:
    """A resource's name, fit for a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "configuration"
