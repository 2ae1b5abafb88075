"""Read a configuration that was written elsewhere: the reverse of the faces.

Takes an ARM template or a resource of one, what `az … show|list` prints, `az` command lines, Flux
YAML, and the state of Terraform. Nothing is worked out that would need Azure: an expression is
left out and told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces.bring_in_command import from_commands, is_command
from configurations.faces.bring_in_flux import from_flux_yaml
from configurations.faces.bring_in_terraform import from_terraform_state
from configurations.faces.cleaning import BringInError, BroughtIn, Found, Ignored, cleaned

__all__ = ["BringInError", "BroughtIn", "Ignored", "bring_in"]

SIZE_LIMIT = 1_000_000  # characters
_REFERENCE = re.compile(r"\[\s*(parameters|variables)\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_BICEP = re.compile(r"^(?:targetScope|resource\s+\w+\s+'|param\s+\w+\s+\w+)", re.MULTILINE)
_HCL = re.compile(r'^(?:resource\s+"\w+"\s+"|terraform\s*\{|provider\s+")', re.MULTILINE)
_SPELLINGS = {"httpsCaCert": "httpsCACert"}  # as the command line writes it


def bring_in(text: str) -> list[BroughtIn]:
    """Every configuration in `text`, its form found out; BringInError where there is none."""
    if len(text) > SIZE_LIMIT:
        raise BringInError(_("Bring in at most %(n)d characters.") % {"n": SIZE_LIMIT})
    try:
        if text.lstrip().startswith(("{", "[")):
            return from_json(_read(text))
        if is_command(text):
            return from_commands(text)
        if _BICEP.search(text):
            raise BringInError(_("Bicep is not read here. Paste what az bicep build makes of it."))
        if _HCL.search(text):
            raise BringInError(
                _("Terraform's files are not read here. Paste what terraform show -json prints.")
            )
        return from_flux_yaml(text)
    except json.JSONDecodeError as error:
        raise BringInError(
            _("This is no JSON: %(reason)s in line %(line)d.")
            % {"reason": error.msg, "line": error.lineno}
        ) from error
    except RecursionError as error:
        raise BringInError(_("It is nested too deeply.")) from error


def from_json(value: Any) -> list[BroughtIn]:
    """The configurations in JSON that is read already."""
    if isinstance(value, list):
        found = [it for item in value for it in from_json(item)]
        if not found:
            raise _nothing()
        return found
    if not isinstance(value, Mapping):
        raise _nothing()
    if "terraform_version" in value or "values" in value:
        return from_terraform_state(value)
    if "resources" in value:
        return from_arm_template(value)
    if isinstance(value.get("value"), list) and "properties" not in value:
        return from_json(value["value"])  # a list as ARM answers it
    if isinstance(value.get("properties"), Mapping):
        return [from_arm_resource(value)]
    if "kustomizations" in value or "sourceKind" in value:
        return [from_az_show(value)]
    raise _nothing()


def from_arm_resource(resource: Mapping[str, Any]) -> BroughtIn:
    """A resource as ARM answers it, or the body of a PUT."""
    resource_id = resource.get("id")
    return cleaned(
        Found(
            name=_name(resource),
            properties=resource["properties"],
            cluster_id=cluster_of(resource_id) if isinstance(resource_id, str) else "",
        )
    )


def from_az_show(shown: Mapping[str, Any]) -> BroughtIn:
    """What `az k8s-configuration flux show` prints: properties and envelope on one level."""
    envelope = {"id", "name", "type", "systemData", "resourceGroup"}
    properties = {key: _spelled(it) for key, it in shown.items() if key not in envelope}
    resource_id = shown.get("id")
    return cleaned(
        Found(
            name=_name(shown),
            properties=properties,
            cluster_id=cluster_of(resource_id) if isinstance(resource_id, str) else "",
        )
    )


def cluster_of(resource_id: str) -> str:
    """The cluster's ARM id from a configuration's; "" where it is another resource's."""
    found = re.match(
        r"(.+)/providers/Microsoft\.KubernetesConfiguration/fluxConfigurations/",
        resource_id,
        re.IGNORECASE,
    )
    return found[1] if found else ""


def from_arm_template(template: Mapping[str, Any]) -> list[BroughtIn]:
    """Every fluxConfigurations resource of a template, its parameters at their defaults."""
    given = template["resources"]
    resources: Iterable[tuple[Any, Any]] = (
        given.items() if isinstance(given, Mapping) else enumerate(given)
        if isinstance(given, list) else ()
    )  # fmt: skip
    result: list[Found] = []
    others: list[Ignored] = []
    for place, resource in resources:
        path = f"resources[{place}]"
        kind = str(resource.get("type", "")) if isinstance(resource, Mapping) else ""
        if not kind.lower().endswith("/fluxconfigurations"):
            others.append(Ignored(path, _("This is no Flux configuration.")))
        elif "copy" in resource:
            others.append(Ignored(path, _("A copy loop is not worked out here.")))
        elif not isinstance(resource.get("properties"), Mapping):
            others.append(Ignored(path, _("The resource has no properties.")))
        else:
            name, reason = _resolved_name(resource, template)
            missing = [Ignored(f"{path}.name", reason)] if reason else []
            result.append(Found(name, resource["properties"], ignored=missing))
    if not result:
        raise _nothing()
    result[0].ignored += others
    return [cleaned(it, lambda text: resolve(text, template)) for it in result]


def resolve(text: str, template: Mapping[str, Any]) -> Any:
    """The value of a text in a template; LookupError with the reason where it has none.

    `[[` begins a plain text; parameters with a default and plain variables are looked up.
    """
    if not (text.startswith("[") and text.endswith("]")):
        return text
    if text.startswith("[["):
        return text[1:]
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise LookupError(_("An ARM expression is not worked out here."))
    group, name = found[1].lower(), found[2]
    table = template.get(group)
    entry = table.get(name) if isinstance(table, Mapping) else None
    if group == "parameters":
        is_secure = isinstance(entry, Mapping) and str(entry.get("type", "")).lower().startswith(
            "secure"
        )
        entry = entry.get("defaultValue") if isinstance(entry, Mapping) and not is_secure else None
    if entry is None or (isinstance(entry, str) and entry.startswith("[")):
        raise LookupError(_("The parameter %(name)s has no plain value.") % {"name": name})
    return entry


def _resolved_name(resource: Mapping[str, Any], template: Mapping[str, Any]) -> tuple[str, str]:
    """The configuration's name and, where it cannot be known, "" and the reason."""
    try:
        return str(resolve(str(resource.get("name", "")), template)).rsplit("/", 1)[-1], ""
    except LookupError as error:
        return "", str(error.args[0])


def _spelled(value: Any) -> Any:
    """The command line's spelling of a field as ARM's, dependsOn of its first version included."""
    if isinstance(value, Mapping):
        return {
            _SPELLINGS.get(str(key), key): [
                it["kustomizationName"]
                if isinstance(it, Mapping) and "kustomizationName" in it
                else it
                for it in item
            ]
            if key == "dependsOn" and isinstance(item, list)
            else _spelled(item)
            for key, item in value.items()
        }
    return value


def _name(value: Mapping[str, Any]) -> str:
    name = value.get("name")
    return name.rsplit("/", 1)[-1] if isinstance(name, str) else ""


def _nothing() -> BringInError:
    return BringInError(_("There is no Flux configuration in it."))


def _read(text: str) -> Any:
    """JSON, without what only Python takes for it and without endless numbers."""
    return json.loads(text, parse_constant=_no_constant, parse_int=_integer)


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise BringInError(_("A number has too many digits."))
    return int(digits)


def _no_constant(name: str) -> Any:
    raise BringInError(_("This is no JSON: %(name)s is no value of it.") % {"name": name})
