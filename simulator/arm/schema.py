"""The fields of a body: their kinds, since when they exist, defaults, and what is secret.

One table a type, used four ways: to refuse what the service refuses, to fill in defaults, to keep
secrets out of what is stored for reading, and to show a resource in the api-version asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.arm.errors import ArmError, bad_request
from simulator.http import Document

_JSON_NAMES = {str: "string", bool: "boolean", int: "integer", dict: "object", list: "array"}


@dataclass(frozen=True)
class Field:
    """One member of an object.

    ``kind`` is a Python type, an ``Object`` for a nested one. ``map`` and ``list`` wrap it.
    """

    kind: type | Object
    since: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    many: str = ""  # "", "map" or "list"
    read_only: bool = False
    create_only: bool = False
    secret: bool = False
    minimum: int | None = None


@dataclass(frozen=True)
class Object:
    """An object of known members; ``name`` is the service's name of its type."""

    name: str
    fields: Mapping[str, Field] = field(default_factory=dict)


def clean(
    schema: Object, body: Any, *, version: str, patch: bool = False, path: str = ""
) -> Document:
    """Return a body with canonical spelling of choices; raises for what the service refuses.

    Read-only members are dropped, as the service ignores them. With ``patch`` the create-only
    members do not exist, and null is allowed everywhere.
    """
    if not isinstance(body, dict):
        raise _wrong_kind(body, "object", path)
    cleaned: Document = {}
    for name, value in body.items():
        where = f"{path}.{name}" if path else name
        member = schema.fields.get(name)
        if (
            member is None
            or (member.since and version < member.since)
            or (patch and member.create_only)
        ):
            raise bad_request(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'Could not find "
                f"member '{name}' on object of type '{schema.name}'. Path '{where}'.'.",
            )
        if not member.read_only:
            cleaned[name] = _clean_value(member, value, version, patch, where)
    return cleaned


def _clean_value(member: Field, value: Any, version: str, patch: bool, path: str) -> Any:
    if value is None:
        return None
    if member.many == "map":
        if not isinstance(value, dict):
            raise _wrong_kind(value, "object", path)
        return {
            key: None
            if item is None
            else _clean_one(member, item, version, patch, f"{path}['{key}']")
            for key, item in value.items()
        }
    if member.many == "list":
        if not isinstance(value, list):
            raise _wrong_kind(value, "array", path)
        return [
            _clean_one(member, item, version, patch, f"{path}[{number}]")
            for number, item in enumerate(value)
        ]
    return _clean_one(member, value, version, patch, path)


def _clean_one(member: Field, value: Any, version: str, patch: bool, path: str) -> Any:
    if isinstance(member.kind, Object):
        return clean(member.kind, value, version=version, patch=patch, path=path)
    if not isinstance(value, member.kind) or (member.kind is int and isinstance(value, bool)):
        raise _wrong_kind(value, _JSON_NAMES[member.kind], path)
    if member.choices:
        found = next((c for c in member.choices if c.lower() == str(value).lower()), None)
        if found is None:
            raise bad_request(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'Error converting "
                f"value \"{value}\". Path '{path}'. Allowed values are "
                f"{', '.join(member.choices)}.'.",
            )
        return found
    if member.minimum is not None and float(str(value)) < member.minimum:
        raise bad_request(
            "InvalidRequestContent",
            f"The value of '{path}' must be at least {member.minimum}.",
        )
    return value


def _wrong_kind(value: Any, wanted: str, path: str) -> ArmError:
    found = _JSON_NAMES.get(type(value), "number" if isinstance(value, float) else "null")
    return bad_request(
        "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: 'Cannot deserialize a "
        f"JSON {found} where {wanted} is expected. Path '{path}'.'.",
    )


def fill(schema: Object, body: Document) -> Document:
    """Return the body with every member present: what was sent, else the default, else null."""
    filled: Document = {}
    for name, member in schema.fields.items():
        if member.read_only:
            continue
        value = body.get(name)
        if value is None:
            value = member.default
        elif isinstance(member.kind, Object):
            value = _fill_value(member, member.kind, value)
        filled[name] = value
    return filled


def _fill_value(member: Field, kind: Object, value: Any) -> Any:
    if member.many == "map":
        return {key: fill(kind, item) for key, item in value.items() if item is not None}
    if member.many == "list":
        return [fill(kind, item) for item in value]
    return fill(kind, value)


def merge(schema: Object, current: Document, patch: Document) -> Document:
    """Apply a JSON merge patch (RFC 7396): null removes, objects merge, all else replaces."""
    merged = dict(current)
    for name, value in patch.items():
        member = schema.fields.get(name)
        nested = member.kind if member and isinstance(member.kind, Object) else None
        before = current.get(name)
        if value is None:
            merged[name] = None
        elif member is not None and member.many == "map":
            merged[name] = _merge_map(nested, before or {}, value)
        elif nested is not None and member is not None and not member.many:
            merged[name] = merge(nested, before or {}, value)
        else:
            merged[name] = value
    return merged


def _merge_map(kind: Object | None, current: Document, patch: Document) -> Document:
    merged = dict(current)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif kind is not None:
            merged[key] = merge(kind, current.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def writable(schema: Object, document: Document) -> Document:
    """Return the members that a client sets, without those that the service reports."""
    return {name: value for name, value in document.items() if not schema.fields[name].read_only}


def split_secrets(schema: Object, body: Document) -> tuple[Document, Document]:
    """Part a filled body into what may be read back and what may not, both in the same shape."""
    shown: Document = {}
    secret: Document = {}
    for name, value in body.items():
        member = schema.fields[name]
        if member.secret:
            shown[name] = {} if member.many == "map" else None
            if value:
                secret[name] = value
        elif isinstance(member.kind, Object) and not member.many and isinstance(value, dict):
            shown[name], inner = split_secrets(member.kind, value)
            if inner:
                secret[name] = inner
        else:
            shown[name] = value
    return shown, secret


def join_secrets(shown: Document, secret: Document) -> Document:
    """The reverse of ``split_secrets``."""
    joined = dict(shown)
    for name, value in secret.items():
        before = joined.get(name)
        joined[name] = (
            join_secrets(before, value)
            if isinstance(before, dict) and isinstance(value, dict) and before
            else value
        )
    return joined


def visible(schema: Object, document: Document, version: str) -> Document:
    """Return the members that exist in an api-version."""
    seen: Document = {}
    for name, value in document.items():
        member = schema.fields.get(name)
        if member is None or (member.since and version < member.since):
            continue
        if isinstance(member.kind, Object) and isinstance(value, dict):
            if member.many == "map":
                value = {k: visible(member.kind, item, version) for k, item in value.items()}
            elif not member.many:
                value = visible(member.kind, value, version)
        seen[name] = value
    return seen


_SECRET_NAMES = re.compile(
    r"(?i)(protectedsettings|secret|password|accountkey|sastoken|accesskey|privatekey"
    r"|clientcertificate)\Z"
)


def masked(body: Any) -> Any:
    """Return a JSON value with every secret's content replaced, for the journal."""
    if isinstance(body, dict):
        return {
            name: _mask(value) if _SECRET_NAMES.search(name) and value else masked(value)
            for name, value in body.items()
        }
    if isinstance(body, list):
        return [masked(item) for item in body]
    return body


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _mask(item) for name, item in value.items()}
    return None if value is None else "***"
