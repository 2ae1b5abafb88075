"""Between the source as typed in a draft and ARM's JSON, for every kind, by the tables of fields.

A draft keeps the texts of all kinds side by side, so that going to another kind and back loses
nothing. A secret is only ever its mark, `{"$secret": "<version id>"}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from configurations.specification.models import SOURCE_BODIES
from configurations.wizard import shapes
from configurations.wizard.shapes import Shape
from configurations.wizard.source_fields import (
    KINDS,
    SETTINGS,
    Field,
    at,
    choices_of,
    fields_of,
    is_asked,
)

Data = dict[str, Any]
Wire = dict[str, Any]


def empty() -> Data:
    """The source of a new draft."""
    data: Data = {"source_kind": "GitRepository"}
    for kind in KINDS:
        data |= {it.name: it.default for it in choices_of(kind)}
        data |= {it.name: it.default for it in fields_of(kind)}
    return data


def data_of(properties: Mapping[str, Any], *, kept: bool = False) -> Data:
    """The texts that an edit of this resource begins with.

    `kept`: Azure may hold secrets that the portal does not know. Where it holds none, SSH without
    a key means the pair that Flux makes.
    """
    data = empty()
    kind = str(properties.get("sourceKind") or "GitRepository")
    data["source_kind"] = kind
    if kind not in KINDS:
        return data
    data |= {it.name: it.read(properties) for it in choices_of(kind)}
    for field in fields_of(kind):
        value = at(properties, *field.path)
        data[field.name] = shapes.typed(field.shape, field.missing if value is None else value)
    if not kept and data["sign_in"] == "ssh_key" and not data["ssh_private_key"]:
        data["sign_in"] = "ssh_generated"
    return data


def write(wire: Wire, source: Data, base: Mapping[str, Any] | None) -> None:
    """Put the source into the properties `wire`, which start as a copy of `base`.

    What was not altered keeps the very form that Azure gave it, and what the wizard does not know
    stays. The bodies of other kinds go.
    """
    kind = source["source_kind"]
    if kind not in KINDS:
        return
    own = SOURCE_BODIES[kind]
    for body in SOURCE_BODIES.values():
        if body != own and wire.get(body) is not None:
            del wire[body]
    if base is None or wire.get("sourceKind") or kind != "GitRepository":
        wire["sourceKind"] = kind
    wire[own] = dict(wire.get(own) or {})
    wire.pop(SETTINGS, None)
    for field, is_wanted in _all_fields(kind, source):
        _put(wire, field, source.get(field.name) if is_wanted else None, base)
    for choice in choices_of(kind):
        chosen = source.get(choice.name) if is_asked(choice, source) else ""
        paths = dict.fromkeys(path for path, _value in choice.writes.values())
        for path in paths:
            ours = {value for other, value in choice.writes.values() if other == path}
            wanted = choice.writes.get(str(chosen))
            if wanted is not None and wanted[0] == path:
                _set(wire, path, wanted[1])
            elif at(wire, *path) in ours:
                _set(wire, path, None)
    _tidy(wire[own], at(base or {}, own) or {})


def _all_fields(kind: str, source: Data) -> Iterator[tuple[Field, bool]]:
    """Each field and whether it is wanted; two may share a path, so the wanted come last."""
    fields = [(it, is_asked(it, source)) for it in fields_of(kind)]
    yield from sorted(fields, key=lambda it: it[1])


def _put(wire: Wire, field: Field, text: Any, base: Mapping[str, Any] | None) -> None:
    before = at(base or {}, *field.path)
    if base is not None and not field.is_secret:
        known = shapes.typed(field.shape, field.missing if before is None else before)
        nothing = False if field.shape is Shape.FLAG else ""
        if known == (nothing if text is None else text):
            return
    value = shapes.wire(field.shape, text)
    if field.shape is Shape.FLAG and field.missing is True and text is False:
        value = False
    _set(wire, field.path, value)


def _set(wire: Wire, path: tuple[str, ...], value: Any) -> None:
    """Write at a path, or take away what is there for None."""
    part = wire
    for key in path[:-1]:
        if value is None and not isinstance(part.get(key), Mapping):
            return
        part[key] = dict(part.get(key) or {})
        part = part[key]
    if value is None:
        part.pop(path[-1], None)
    else:
        part[path[-1]] = deepcopy(value)


def _tidy(body: Wire, base: Mapping[str, Any]) -> None:
    """Take out objects that held something and hold nothing now."""
    for key in [key for key, value in body.items() if value == {} and base.get(key) != {}]:
        del body[key]
