"""Between what is typed in the wizard and ARM's JSON.

A draft's `data` has a key for each step with the texts as typed, valid or not:

    basics          name, namespace, scope
    source          source_kind and the fields of every kind (source_fields.py); `refused`: secrets
                    that were typed and not taken, by field; `kept`: Azure may hold secrets that
                    the portal does not know
    kustomizations  rows: [row], open: the row being edited or null, errors: whether to show them
    review          reason
    saved           the steps that were saved at least once

A row: key, origin (its name in Azure), name, path, depends_on, sync_interval, sync_timeout,
retry_interval, prune, force, wait, substitute, substitute_from (substitution.py). Times are
minutes or Go durations.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from configurations.reading import kustomizations_of
from configurations.specification.models import DEFAULT_SECONDS
from configurations.specification.texts import minutes_text, parse_minutes
from configurations.specification.wire import desired_part
from configurations.wizard import source, substitution

Data = dict[str, Any]
Wire = dict[str, Any]

EMPTY_ROW: Data = {
    "key": "",
    "origin": "",
    "name": "",
    "path": "",
    "depends_on": [],
    "sync_interval": "10",
    "sync_timeout": "10",
    "retry_interval": "",
    "prune": False,
    "force": False,
    "wait": True,
    "substitute": "",
    "substitute_from": "",
}
EMPTY: Data = {
    "basics": {"name": "", "namespace": "", "scope": "namespace"},
    "source": source.empty(),
    "kustomizations": {"rows": [], "open": None, "errors": False},
    "review": {"reason": ""},
    "saved": [],
}


# --- From ARM -------------------------------------------------------------------------------
def data_from(name: str, properties: Mapping[str, Any], *, kept: bool = False) -> Data:
    """The texts that an edit of this resource begins with; every step counts as saved.

    `kept`: Azure may hold secrets that the portal does not know.
    """
    data = deepcopy(EMPTY)
    data["saved"] = ["basics", "source", "kustomizations"]
    data["basics"] = {
        "name": name,
        "namespace": properties.get("namespace") or "default",
        "scope": properties.get("scope") or "cluster",
    }
    data["source"] = {**source.data_of(properties, kept=kept), "kept": kept}
    data["kustomizations"]["rows"] = [
        _row(position, name, entry)
        for position, (name, entry) in enumerate(kustomizations_of(properties).items(), start=1)
    ]
    return data


def _row(position: int, name: str, entry: Mapping[str, Any]) -> Data:
    return {
        "key": f"k{position}",
        "origin": name,
        "name": name,
        "path": entry.get("path") or "",
        "depends_on": list(entry.get("dependsOn") or []),
        "sync_interval": _minutes(entry.get("syncIntervalInSeconds"), DEFAULT_SECONDS),
        "sync_timeout": _minutes(entry.get("timeoutInSeconds"), DEFAULT_SECONDS),
        "retry_interval": _minutes(entry.get("retryIntervalInSeconds"), None),
        "prune": entry.get("prune") is True,
        "force": entry.get("force") is True,
        "wait": entry.get("wait") is not False,
        **substitution.typed(entry.get("postBuild")),
    }


def _minutes(value: object, default: int | None) -> str:
    seconds = value if isinstance(value, int) else default
    return "" if seconds is None else minutes_text(seconds)


# --- To ARM ---------------------------------------------------------------------------------
def properties_of(data: Data, base: Mapping[str, Any] | None) -> Wire:
    """The properties that the draft asks for.

    With `base` (the live properties of an edit) all that the wizard does not show stays as it
    is, and what was not altered keeps the very form that Azure gave it.
    """
    wire: Wire = deepcopy(desired_part(base)) if base else {}
    if base is None:
        wire["scope"] = data["basics"]["scope"]
        wire["namespace"] = data["basics"]["namespace"]
        wire["suspend"] = False
    source.write(wire, data["source"], base)
    wire["kustomizations"] = _kustomizations(data["kustomizations"]["rows"], wire)
    return wire


def _kustomizations(rows: list[Data], wire: Wire) -> Wire:
    known = wire.get("kustomizations") or {}
    result: Wire = {}
    for row in rows:
        base = known.get(row["origin"]) if row["origin"] else None
        entry = dict(base or {})
        _put(entry, "path", row["path"], base, "")
        _put(entry, "dependsOn", list(row["depends_on"]), base, [])
        for text, field in (
            ("sync_timeout", "timeoutInSeconds"),
            ("sync_interval", "syncIntervalInSeconds"),
        ):
            _put(entry, field, parse_minutes(row[text]), base, DEFAULT_SECONDS)
        retry = parse_minutes(row["retry_interval"]) if row["retry_interval"] else None
        _put(entry, "retryIntervalInSeconds", retry, base, None)
        _put(entry, "prune", bool(row["prune"]), base, False)
        _put(entry, "force", bool(row["force"]), base, False)
        if base is not None or not row.get("wait", True):
            _put(entry, "wait", bool(row.get("wait", True)), base, True)
        _post_build(entry, row)
        result[row["name"]] = entry
    return result


def _post_build(entry: Wire, row: Data) -> None:
    found = substitution.wire(
        row.get("substitute") or "", row.get("substitute_from") or "", entry.get("postBuild")
    )
    if found is not None:
        entry["postBuild"] = found
    elif entry.get("postBuild") is not None:
        del entry["postBuild"]


def entry_of(row: Data) -> Wire:
    """One row as ARM's JSON, whatever its name."""
    return next(iter(_kustomizations([{**row, "origin": ""}], {}).values()), {})


def _put(part: Wire, field: str, value: object, base: Wire | None, default: object = "") -> None:
    """Write what differs from the base; a new part says all but an empty value."""
    if base is not None:
        before = base.get(field)
        if (default if before in (None, "") else before) == (default if value is None else value):
            return
    if value is None:
        part.pop(field, None)
    else:
        part[field] = value
