"""Terraform with the azapi provider: ARM's own body, every field of it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from configurations.faces import hcl
from configurations.faces.models import FLUX_TYPE, Face, Place
from configurations.faces.secrets import Bare


def face(bare: Bare, place: Place) -> Face:
    settings = hcl.Block("terraform")
    settings.block("required_providers").put(
        "azapi", {"source": "Azure/azapi", "version": "~> 2.0"}
    )
    resource = hcl.Block("resource", ["azapi_resource", place.identifier])
    resource.put("type", f"{FLUX_TYPE}@{place.api_version}")
    resource.put("parent_id", place.cluster_id)
    resource.put("name", place.configuration_name)
    resource.put("body", {"properties": bare.properties})
    blocks = [settings, *map(hcl.variable, bare.secrets), resource]
    return Face(
        code="azapi",
        label=_("azapi"),
        language="hcl",
        text="\n".join(map(str, blocks)),
        file_name=f"{place.file_stem}-azapi.tf",
        notes=state_notes(bare),
    )


def state_notes(bare: Bare) -> tuple[str, ...]:
    return (_("Terraform keeps secrets in its state."),) if bare.secrets else ()
