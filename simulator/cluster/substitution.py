"""`postBuild`: putting variables into built manifests, after the rules of `envsubst`.

Rule: flux-behaviour section 3.6.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

import yaml

from .kustomize_build import load_all
from .objects import Manifest, ObjectKey, group_of
from .source_access import read_secret
from .state import ClusterState

_NAME = re.compile(r"^[_a-zA-Z][_a-zA-Z0-9]*$")
_VARIABLE = re.compile(r"#?[_a-zA-Z][_a-zA-Z0-9]*")


class SubstitutionError(Exception):
    """Variables cannot be put in; the text is the one of kustomize-controller."""


def substitute(text: str, variables: Mapping[str, str], *, strict: bool = False) -> str:
    """Replace every `${...}` of a text. Raises SubstitutionError."""
    result, position = [], 0
    while (start := text.find("${", position)) != -1:
        if start > 0 and text[start - 1] == "$":
            end = _closing(text, start)
            result.append(text[position : start - 1] + text[start : end + 1])
        else:
            end = _closing(text, start)
            result.append(text[position:start])
            result.append(_expand(text[start + 2 : end], variables, strict))
        position = end + 1
    result.append(text[position:])
    return "".join(result)


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start + 1, len(text)):
        if text[position] == "{" and text[position - 1] == "$":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise SubstitutionError("missing closing brace")


def _expand(inner: str, variables: Mapping[str, str], strict: bool) -> str:
    found = _VARIABLE.match(inner)
    if not found:
        raise SubstitutionError("unable to parse variable name")
    name, rest = found[0], inner[found.end() :]
    if name.startswith("#"):
        return str(len(_value(name[1:], variables, strict)))
    for sign in (":=", ":-", "=", "-"):
        if rest.startswith(sign):
            kept = variables.get(name)
            if kept is None or (sign[0] == ":" and kept == ""):
                return substitute(rest[len(sign) :], variables, strict=strict)
            return kept
    value = _value(name, variables, strict)
    argument = substitute(rest, variables, strict=strict)
    return _transform(value, argument)


def _value(name: str, variables: Mapping[str, str], strict: bool) -> str:
    if strict and name not in variables:
        raise SubstitutionError(f'variable not set (strict mode): "{name}"')
    return variables.get(name, "")


def _transform(value: str, operation: str) -> str:
    match operation[:2]:
        case "":
            return value
        case "##":
            return _without_prefix(value, operation[2:], longest=True)
        case "%%":
            return _without_suffix(value, operation[2:], longest=True)
        case "//":
            old, _, new = operation[2:].partition("/")
            return value.replace(old, new) if old else value
        case "^^":
            return value.upper()
        case ",,":
            return value.lower()
    rest = operation[1:]
    match operation[0]:
        case "#":
            return _without_prefix(value, rest, longest=False)
        case "%":
            return _without_suffix(value, rest, longest=False)
        case "/":
            old, _, new = rest.partition("/")
            return value.replace(old, new, 1) if old else value
        case "^":
            return value[:1].upper() + value[1:]
        case ",":
            return value[:1].lower() + value[1:]
        case ":":
            return _slice(value, rest)
    raise SubstitutionError("unable to parse variable name")


def _slice(value: str, numbers: str) -> str:
    first, _, second = numbers.partition(":")
    try:
        start = int(first)
        length = int(second) if second else None
    except ValueError:
        raise SubstitutionError("unable to parse variable name") from None
    if start < 0:
        start = max(0, len(value) + start)
    return value[start:] if length is None else value[start : start + length]


def _without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    ends = range(len(value) + 1)
    for end in reversed(ends) if longest else ends:
        if fnmatch.fnmatchcase(value[:end], pattern):
            return value[end:]
    return value


def _without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    starts = range(len(value) + 1)
    for start in starts if longest else reversed(starts):
        if fnmatch.fnmatchcase(value[start:], pattern):
            return value[:start]
    return value


def substitute_objects(
    state: ClusterState, owner: Manifest, objects: list[Manifest]
) -> list[Manifest]:
    """Put the variables of a Kustomization into its objects; raise SubstitutionError.

    Nothing is touched when no variable is defined.
    """
    post_build = owner["spec"].get("postBuild") or {}
    if not post_build or not objects:
        return objects
    about = _shown(objects[0])
    variables = _variables(state, owner, post_build, about)
    if not variables:
        return objects
    for name in variables:
        if not _NAME.match(name):
            text = f"'{name}' var name is invalid, must match "
            text += "'^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            raise SubstitutionError(f"post build failed for '{about}': envsubst error: {text}")
    strict = state.enabled("kustomize-controller.strict-substitution-mode", default=False)
    return [_one(manifest, variables, strict) for manifest in objects]


def _one(manifest: Manifest, variables: dict[str, str], strict: bool) -> Manifest:
    metadata = manifest.get("metadata") or {}
    for where in ("labels", "annotations"):
        marks = metadata.get(where) or {}
        if marks.get("kustomize.toolkit.fluxcd.io/substitute") == "disabled":
            return manifest
    text = yaml.safe_dump(manifest, sort_keys=False, width=10**9)
    if "${" not in text:
        return manifest
    try:
        replaced = substitute(text, variables, strict=strict)
    except SubstitutionError as failure:
        text = f"envsubst error: variable substitution failed: {failure}"
        raise SubstitutionError(f"post build failed for '{_shown(manifest)}': {text}") from None
    try:
        document: Any = load_all(replaced)[0]
    except yaml.YAMLError as error:
        text = f"post build failed for '{_shown(manifest)}': YAMLToJSON: yaml: {error}"
        raise SubstitutionError(text) from None
    result: Manifest = document
    return result


def _variables(
    state: ClusterState, owner: Manifest, post_build: Manifest, about: str
) -> dict[str, str]:
    namespace = owner["metadata"]["namespace"]
    variables: dict[str, str] = {}
    for ref in post_build.get("substituteFrom") or []:
        kind, name = ref["kind"], ref["name"]
        if kind == "Secret":
            found = read_secret(state, namespace, name)
        else:
            manifest = state.store.get(ObjectKey("", "ConfigMap", namespace, name))
            found = None if manifest is None else manifest.get("data") or {}
        if found is None:
            if ref.get("optional"):
                continue
            text = f"substitute from '{kind}/{name}' error: {kind.lower()}s \"{name}\" not found"
            raise SubstitutionError(f"post build failed for '{about}': {text}")
        variables |= found
    variables |= post_build.get("substitute") or {}
    return {name: str(value).replace("\n", "") for name, value in variables.items()}


def _shown(manifest: Manifest) -> str:
    group = group_of(manifest) or "[noGrp]"
    version = str(manifest["apiVersion"]).rpartition("/")[2]
    return f"{manifest['kind']}.{version}.{group}/{manifest['metadata']['name']}"
