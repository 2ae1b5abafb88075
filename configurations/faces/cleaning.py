"""From ARM's JSON of anybody's making to a specification and a list of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ValidationError

from configurations.specification import Specification, desired_part
from configurations.specification.wire import SECRETS

SECRETS_IN = {
    "servicePrincipal": frozenset({"clientCertificate"}),
    "tlsConfig": frozenset({"clientCertificate", "privateKey", "caCertificate"}),
}
_VERBATIM = frozenset({"substitute", "verificationConfig"})  # maps whose keys are data
_GONE = object()
_UNFIT = gettext_lazy("The text holds a character that cannot be kept.")
_ROUNDS = 5  # a piece that is taken out can uncover the fault of the one around it


class BringInError(ValueError):
    """Nothing can be read from the text; the message is translated and for people."""


@dataclass(frozen=True)
class Ignored:
    """What was left out: `path` within the text that was given, `why` translated.

    `is_secret`: somebody has to enter it again.
    """

    path: str
    why: str
    is_secret: bool = False


@dataclass(frozen=True)
class BroughtIn:
    """One configuration that was read. `name` and `cluster_id` are "" where the text has none.

    The specification is typed, not judged: configurations.specification.violations_of says what
    is wrong with it.
    """

    name: str
    cluster_id: str
    specification: Specification
    ignored: tuple[Ignored, ...] = ()


@dataclass
class Found:
    """One configuration on its way in, by ARM's names."""

    name: str
    properties: Mapping[str, Any]
    cluster_id: str = ""
    ignored: list[Ignored] = field(default_factory=list)


Resolve = Callable[[str], Any]
"""A text of the body to its value; LookupError with the reason where it has none."""


def cleaned(found: Found, resolve: Resolve | None = None) -> BroughtIn:
    """Without what Azure writes itself, secrets, unknown fields and values of a wrong type."""
    ignored = list(found.ignored)
    wire = _pruned(desired_part(found.properties), "", "", ignored, resolve)
    for _round in range(_ROUNDS):
        try:
            specification = Specification.from_wire(wire)
            break
        except ValidationError as error:
            places = {tuple(it["loc"]) for it in error.errors(include_url=False)}
            for place in sorted(places, key=str):
                ignored.append(Ignored(_dotted(place), _("The value has a wrong type.")))
            wire = _without(wire, places)
    else:
        raise BringInError(_("This is no Flux configuration."))
    unknown = set(_extras(specification, ()))
    for place in sorted(unknown):
        ignored.append(Ignored(_dotted(place), _("This field is not known here.")))
    if unknown:
        specification = Specification.from_wire(_without(wire, unknown))
    name, cluster_id = (it if is_text(it) else "" for it in (found.name, found.cluster_id))
    return BroughtIn(name, cluster_id, specification, tuple(ignored))


def _pruned(
    value: Any, path: str, inside: str, ignored: list[Ignored], resolve: Resolve | None
) -> Any:
    """Without nulls and secrets, texts resolved; _GONE pieces never leave their container."""
    if isinstance(value, Mapping):
        result = {}
        for key, item in value.items():
            key = str(key)
            where = f"{path}.{key}" if path else key
            if item is None:
                continue
            if not is_text(key):
                ignored.append(Ignored(path, str(_UNFIT)))
                continue
            if inside not in _VERBATIM and _is_secret(key, inside):
                names = [f"{where}.{it}" for it in item] if isinstance(item, Mapping) else [where]
                if item != "":
                    ignored += [secret_left_out(name) for name in names]
                continue
            kept = _pruned(item, where, key, ignored, resolve)
            if kept is not _GONE:
                result[key] = kept
        return result
    if isinstance(value, list):
        kept_items = [
            _pruned(item, f"{path}[{place}]", inside, ignored, resolve)
            for place, item in enumerate(value)
            if item is not None
        ]
        return [it for it in kept_items if it is not _GONE]
    if isinstance(value, str) and not is_text(value):
        ignored.append(Ignored(path, str(_UNFIT)))
        return _GONE
    if isinstance(value, str) and resolve is not None:
        try:
            return resolve(value)
        except LookupError as error:
            ignored.append(Ignored(path, str(error.args[0])))
            return _GONE
    return value


def secret_left_out(path: str) -> Ignored:
    return Ignored(path, _("Secrets are not brought in: enter it anew."), is_secret=True)


def is_text(value: str) -> bool:
    """Whether every database takes it: no NUL, no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _is_secret(key: str, inside: str) -> bool:
    return key in SECRETS or key in SECRETS_IN.get(inside, frozenset())


def _without(value: Any, places: set[tuple[Any, ...]], here: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _without(item, places, (*here, key))
            for key, item in value.items()
            if (*here, key) not in places
        }
    if isinstance(value, list):
        return [
            _without(item, places, (*here, place))
            for place, item in enumerate(value)
            if (*here, place) not in places
        ]
    return value


def _extras(part: Any, here: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The fields that no model knows; within a list they are told by their place."""
    if isinstance(part, BaseModel):
        for key in part.model_extra or {}:
            yield (*here, key)
        for name, info in type(part).model_fields.items():
            yield from _extras(getattr(part, name), (*here, info.alias or name))
    elif isinstance(part, dict):
        for key, item in part.items():
            yield from _extras(item, (*here, key))
    elif isinstance(part, list):
        for place, item in enumerate(part):
            yield from _extras(item, (*here, place))  # type: ignore[arg-type]


def _dotted(place: tuple[Any, ...]) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
