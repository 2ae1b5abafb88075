"""The REST call to Azure Resource Manager, with az rest or with curl."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from clusters.faces import call_face
from configurations.faces.models import Face, Place
from configurations.faces.secrets import Bare, Secret


def face(bare: Bare, place: Place) -> Face:
    return call_face(
        method="PUT",
        url=put_url(place),
        body={"properties": _values(bare.properties)},
        file_stem=place.file_stem,
        endpoint=place.arm_endpoint,
        notes=(
            _("Azure answers 201 or 200 and goes on working: follow Azure-AsyncOperation."),
            *([_("Replace what is in < > in the body.")] if bare.secrets else []),
        ),
    )


def put_url(place: Place) -> str:
    """The absolute URL that a PUT goes to."""
    path = quote(place.resource_id, safe="/-._~()")
    return f"{place.arm_endpoint}{path}?api-version={quote(place.api_version, safe='')}"


def _values(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.placeholder
    if isinstance(value, dict):
        return {key: _values(it) for key, it in value.items()}
    return [_values(it) for it in value] if isinstance(value, list) else value
