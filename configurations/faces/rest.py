"""The REST call to Azure Resource Manager, with az rest or with curl."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from configurations.faces.models import Face, Place
from configurations.faces.secrets import Bare, Secret

_END = "JSON"  # no line of indented JSON can be this word


def face(bare: Bare, place: Place) -> Face:
    body = json.dumps({"properties": _values(bare.properties)}, indent=2, ensure_ascii=False)
    file_name = f"{place.file_stem}.body.json"
    file, url = shlex.quote(file_name), shlex.quote(put_url(place))
    text = (
        f"cat > {file} <<'{_END}'\n{body}\n{_END}\n\n"
        f"az rest --method put \\\n  --url {url} \\\n  --body {shlex.quote('@' + file_name)}\n\n"
        f"# {_('The same with curl')}\n"
        f"curl --fail-with-body --request PUT \\\n  --url {url} \\\n"
        f'  --header "Authorization: Bearer $(az account get-access-token'
        f' --resource {shlex.quote(place.arm_endpoint)} --query accessToken --output tsv)" \\\n'
        f"  --header 'Content-Type: application/json' \\\n"
        f"  --data-binary {shlex.quote('@' + file_name)}\n"
    )
    return Face(
        code="rest",
        label=_("REST"),
        language="shell",
        text=text,
        file_name=f"{place.file_stem}-put.sh",
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
