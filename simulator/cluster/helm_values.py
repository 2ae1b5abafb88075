"""The values of a HelmRelease, and what else it needs before it can act."""

from __future__ import annotations

from typing import Any

import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from .chart_catalogue import Chart
from .objects import Manifest, ObjectKey
from .source_access import read_secret
from .state import ClusterState


class ValuesError(Exception):
    """Values cannot be read; the text is the one of helm-controller."""


def values_of(state: ClusterState, release: Manifest) -> Manifest:
    """Merge `valuesFrom` in order, then `values`. Raises ValuesError."""
    namespace = release["metadata"]["namespace"]
    merged: Manifest = {}
    for ref in release["spec"].get("valuesFrom") or []:
        kind, name = ref["kind"], ref["name"]
        field = ref.get("valuesKey") or "values.yaml"
        about = f"could not resolve {kind} chart values reference '{namespace}/{name}'"
        about += f" with key '{field}'"
        content = _content(state, kind, namespace, name)
        if content is None or field not in content:
            if ref.get("optional"):
                continue
            absent = f'{kind.lower()}s "{name}" not found'
            fault = absent if content is None else f"missing key '{field}' in {kind} referenced"
            raise ValuesError(f"{about}: {fault}")
        merged = _merge(merged, _read(ref, content[field], about))
    return _merge(merged, release["spec"].get("values") or {})


def schema_fault(chart: Chart, values: Manifest) -> str:
    """Return what Helm says of values that the chart's schema refuses; nothing when it takes them.

    The words for types and missing properties are those of Helm's library; those of rarer rules
    are the ones of ours.
    """
    if chart.schema is None:
        return ""
    found = Draft7Validator(chart.schema).iter_errors(_merge(chart.values, values))
    lines = [
        f"- at '/{'/'.join(map(str, error.absolute_path))}': {_in_helms_words(error)}"
        for error in sorted(found, key=lambda error: list(map(str, error.absolute_path)))
    ]
    if not lines:
        return ""
    head = "values don't meet the specifications of the schema(s) in the following chart(s):"
    return "\n".join([head, f"{chart.name}:", *lines])


def _in_helms_words(error: Any) -> str:
    match error.validator:
        case "type":
            wanted = error.validator_value
            wanted = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"got {_type_name(error.instance)}, want {wanted}"
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            shown = ", ".join(f"'{name}'" for name in missing)
            return f"missing propert{'y' if len(missing) == 1 else 'ies'} {shown}"
    return str(error.message)


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return "null" if value is None else names.get(type(value), "object")


def _content(state: ClusterState, kind: str, namespace: str, name: str) -> dict[str, str] | None:
    if kind == "Secret":
        return read_secret(state, namespace, name)
    manifest = state.store.get(ObjectKey("", "ConfigMap", namespace, name))
    return None if manifest is None else dict(manifest.get("data") or {})


def _read(ref: Manifest, text: str, about: str) -> Manifest:
    if ref.get("targetPath"):
        value: Any = text
        for part in reversed(str(ref["targetPath"]).split(".")):
            value = {part: value}
        found: Manifest = value
        return found
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValuesError(f"{about}: unable to read values: {error}") from None
    return document if isinstance(document, dict) else {}


def _merge(low: Manifest, high: Manifest) -> Manifest:
    result = dict(low)
    for name, value in high.items():
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _merge(old, value) if both and old is not None else value
    return result
