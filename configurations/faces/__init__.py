"""One specification, many faces: the same configuration in the words of other tools.

Pure: no database, no network. Secrets are never in a face; a placeholder, a parameter or a
variable stands for each. `bring_in` reads such texts back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces import (
    arm_template,
    azapi,
    azurerm,
    bicep,
    command_line,
    flux_objects,
    rest,
)
from configurations.faces.bring_in import BringInError, BroughtIn, Ignored, bring_in
from configurations.faces.models import Face, Place
from configurations.faces.secrets import bare
from configurations.specification import Specification

__all__ = [
    "FORMS",
    "BringInError",
    "BroughtIn",
    "Face",
    "Ignored",
    "Place",
    "bring_in",
    "faces_context",
    "faces_of",
]

# Code and name of every form, in the order of the tabs.
FORMS = {
    "az": "az",
    "bicep": "Bicep",
    "azurerm": "Terraform, azurerm",
    "azapi": "Terraform, azapi",
    "arm": "ARM template",
    "flux": "Flux YAML",
    "rest": "REST",
}
_MAKERS = (command_line, bicep, azurerm, azapi, arm_template, flux_objects, rest)


def faces_of(specification: Specification, place: Place) -> list[Face]:
    """Every face, in the order of the tabs: az, bicep, azurerm, azapi, arm, flux, rest.

    A draft may be incomplete: what is missing is missing or empty in the faces too.
    """
    content = bare(specification)
    found = [maker.face(content, place) for maker in _MAKERS]
    if content.password_in_url:
        note = _("The URL holds a password. It is left out here.")
        found = [replace(it, notes=(note, *it.notes)) for it in found]
    return found


def faces_context(specification: Specification, place: Place, code: str = "") -> dict[str, Any]:
    """What templates/partials/_faces.html needs; an unknown `code` means the first face."""
    faces = faces_of(specification, place)
    codes = [it.code for it in faces]
    return {"faces": faces, "face": code if code in codes else codes[0]}
