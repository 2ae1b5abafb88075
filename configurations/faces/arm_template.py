"""An ARM template for the cluster's resource group."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces.models import FLUX_TYPE, Face, Place
from configurations.faces.secrets import Bare, Secret

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def face(bare: Bare, place: Place) -> Face:
    template: dict[str, Any] = {"$schema": SCHEMA, "contentVersion": "1.0.0.0"}
    if bare.secrets:
        template["parameters"] = {
            it.parameter: {"type": "secureString", "metadata": {"description": describe(it)}}
            for it in bare.secrets
        }
    template["resources"] = [
        {
            "type": FLUX_TYPE,
            "apiVersion": place.api_version,
            "name": literal(place.configuration_name),
            "scope": f"{place.provider}/{place.cluster_kind}/{place.cluster_name}",
            "properties": _values(bare.properties),
        }
    ]
    return Face(
        code="arm",
        label=_("ARM"),
        language="json",
        text=json.dumps(template, indent=2, ensure_ascii=False) + "\n",
        file_name=f"{place.file_stem}.json",
    )


def describe(secret: Secret) -> str:
    """The description of a secret's parameter or variable."""
    return f"{secret.name}, base64" if secret.is_base64 else secret.name


def literal(text: str) -> str:
    """A text that ARM takes as it is: one in [ ] would be an expression, [[ says it is none."""
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def _values(value: Any) -> Any:
    if isinstance(value, Secret):
        return f"[parameters('{value.parameter}')]"
    if isinstance(value, dict):
        return {key: _values(it) for key, it in value.items()}
    if isinstance(value, list):
        return [_values(it) for it in value]
    return literal(value) if isinstance(value, str) else value
