"""The frozen content of a change and its digest: what exactly was approved.

Canonical JSON follows RFC 8785: no spaces, keys sorted by UTF-16 code units, numbers as
ECMAScript writes them. Two contents are the same exactly when their digests are.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from changes.kinds import Step, Target

Content = dict[str, Any]
FORMAT = 1
_CONSTANTS = {None: "null", True: "true", False: "false"}
_quoted = json.encoder.encode_basestring  # as json.dumps does it, without ASCII escapes


def canonical(value: Any) -> str:
    """`value` as canonical JSON text; TypeError for what JSON cannot hold."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, put: Callable[[str], None]) -> None:
    """Hot: the content of a large change is a megabyte, and every operation checks it."""
    kind = type(value)
    if kind is str:
        put(_quoted(value))
    elif kind is dict:
        comma = "{"
        for key in _sorted(value):
            put(f"{comma}{_quoted(key)}:")
            _write(value[key], put)
            comma = ","
        put("}" if value else "{}")
    elif kind is list or kind is tuple:
        comma = "["
        for item in value:
            put(comma)
            _write(item, put)
            comma = ","
        put("]" if value else "[]")
    elif value is None or kind is bool:
        put(_CONSTANTS[value])
    elif kind is int:
        put(str(value))
    elif kind is float:
        put(_number(value))
    elif isinstance(value, str):  # an enumeration's member, a translated text's result
        put(_quoted(str.__str__(value)))
    else:
        raise TypeError(f"JSON cannot hold {kind.__name__}.")


def _sorted(value: dict[str, Any]) -> list[str]:
    """Keys by UTF-16 code units; for all but the rarest keys that is Python's own order."""
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"A key of JSON is text, not {key!r}.")
    if all(key.isascii() for key in value):
        return sorted(value)
    return sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def _number(value: float) -> str:
    """A float as ECMAScript writes it, so that 600.0 read back from a database is still 600."""
    if not math.isfinite(value):
        raise TypeError("JSON cannot hold a number that is not finite.")
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    power = int(exponent)
    if -7 < power < 0:  # ECMAScript writes these out: 0.000001, not 1e-6
        return format(value, f".{-power + len(mantissa.replace('.', '').lstrip('-')) - 1}f")
    return f"{mantissa.removesuffix('.0')}e{power:+d}"


def digest_of(content: Any) -> str:
    """SHA-256 of the canonical JSON, in lower-case hex."""
    return hashlib.sha256(canonical(content).encode("utf-8", "surrogatepass")).hexdigest()


def content_of(
    kind: str,
    verb: str,
    targets: Sequence[Target],
    policy_version: str,
    secret_versions: Sequence[str],
    revision: int = 1,
) -> Content:
    """Everything that an approval covers, as JSON.

    The revision is part of it, so that an approval of an earlier one never counts again.
    """
    return {
        "format": FORMAT,
        "kind": kind,
        "verb": verb,
        "revision": revision,
        "policy_version": policy_version,
        "secret_versions": sorted(set(secret_versions)),
        "targets": [target_to_json(target) for target in targets],
    }


def target_to_json(target: Target) -> dict[str, Any]:
    """A target with its steps as JSON."""
    value = asdict(target)
    value["steps"] = [asdict(step) for step in target.steps]
    return value


def target_from_json(value: Mapping[str, Any]) -> Target:
    """The target that `target_to_json` wrote."""
    steps = tuple(Step(**step) for step in value["steps"])
    return Target(**{**value, "steps": steps})


def targets_of(content: Mapping[str, Any]) -> list[Target]:
    """All targets of a content, in their order."""
    return [target_from_json(value) for value in content["targets"]]


def step_at(content: Mapping[str, Any], position: int, sequence: int) -> Step:
    """One step: target by its position, step by its place in the target."""
    return Step(**content["targets"][position]["steps"][sequence])


def secret_versions_in(targets: Sequence[Target]) -> list[str]:
    """The ids of every secret version that a body refers to by {"$secret": id}, sorted."""
    found: set[str] = set()
    for target in targets:
        for step in target.steps:
            found.update(_secrets(step.body))
    return sorted(found)


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if _is_secret(value):
            yield str(value["$secret"])
        else:
            for item in value.values():
                yield from _secrets(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item)


def readable(step: Step) -> Step:
    """The step without its secrets: what a read of the resource can be compared with."""
    return replace(step, body=_without_secrets(step.body))


def _without_secrets(value: Any) -> Any:
    """Also without the containers that held nothing else."""
    if isinstance(value, Mapping):
        kept = {key: _without_secrets(item) for key, item in value.items() if not _is_secret(item)}
        return {key: item for key, item in kept.items() if item != {} or value[key] == {}}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"$secret"}
