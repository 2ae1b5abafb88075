"""Between what is typed in the wizard and ARM's JSON.

A draft's `data` has a key for each step with the texts as typed, valid or not:

    basics          name, namespace, scope
    source          source_kind, url, reference_type, branch, tag, semver, commit,
                    repository_type, local_auth_ref, sync_interval, sync_timeout
    kustomizations  rows: [row], open: the row being edited or null, errors: whether to show them
    review          reason
    saved           the steps that were saved at least once

A row: key, origin (its name in Azure), name, path, depends_on, sync_interval, sync_timeout,
retry_interval, prune, force. Times are minutes or Go durations.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from configurations.reading import kustomizations_of
from configurations.specification.models import DEFAULT_SECONDS
from configurations.specification.texts import minutes_text, parse_minutes
from configurations.specification.wire import desired_part

Data = dict[str, Any]
Wire = dict[str, Any]

REFERENCE_KINDS = ("branch", "tag", "semver", "commit")
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
}
EMPTY: Data = {
    "basics": {"name": "", "namespace": "", "scope": "namespace"},
    "source": {
        "source_kind": "GitRepository",
        "url": "",
        "reference_type": "branch",
        "branch": "main",
        "tag": "",
        "semver": "",
        "commit": "",
        "repository_type": "public",
        "local_auth_ref": "",
        "sync_interval": "10",
        "sync_timeout": "10",
    },
    "kustomizations": {"rows": [], "open": None, "errors": False},
    "review": {"reason": ""},
    "saved": [],
}


# --- From ARM -------------------------------------------------------------------------------
def data_from(name: str, properties: Mapping[str, Any]) -> Data:
    """The texts that an edit of this resource begins with; every step counts as saved."""
    data = deepcopy(EMPTY)
    data["saved"] = ["basics", "source", "kustomizations"]
    data["basics"] = {
        "name": name,
        "namespace": properties.get("namespace") or "default",
        "scope": properties.get("scope") or "cluster",
    }
    data["source"]["source_kind"] = properties.get("sourceKind") or "GitRepository"
    data["source"] |= _source_texts(properties.get("gitRepository") or {})
    data["kustomizations"]["rows"] = [
        _row(position, name, entry)
        for position, (name, entry) in enumerate(kustomizations_of(properties).items(), start=1)
    ]
    return data


def _source_texts(git: Mapping[str, Any]) -> Data:
    reference = git.get("repositoryRef") or {}
    chosen = next((kind for kind in REFERENCE_KINDS if reference.get(kind)), "branch")
    local = git.get("localAuthRef") or ""
    return {
        "url": git.get("url") or "",
        "reference_type": chosen,
        **{kind: reference.get(kind) or "" for kind in REFERENCE_KINDS},
        "repository_type": "private" if local else "public",
        "local_auth_ref": local,
        "sync_interval": _minutes(git.get("syncIntervalInSeconds"), DEFAULT_SECONDS),
        "sync_timeout": _minutes(git.get("timeoutInSeconds"), DEFAULT_SECONDS),
    }


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
        wire["sourceKind"] = "GitRepository"
        wire["suspend"] = False
    if data["source"]["source_kind"] == "GitRepository":
        wire["gitRepository"] = _git(data["source"], wire.get("gitRepository"))
    wire["kustomizations"] = _kustomizations(data["kustomizations"]["rows"], wire)
    return wire


def _git(source: Data, base: Wire | None) -> Wire:
    git = dict(base or {})
    _put(git, "url", source["url"], base)
    _put(git, "timeoutInSeconds", parse_minutes(source["sync_timeout"]), base, DEFAULT_SECONDS)
    _put(
        git, "syncIntervalInSeconds", parse_minutes(source["sync_interval"]), base, DEFAULT_SECONDS
    )
    chosen = source["reference_type"]
    reference = dict(git.get("repositoryRef") or {})
    for kind in REFERENCE_KINDS:
        value = source[kind] if kind == chosen else ""
        if value:
            reference[kind] = value
        elif reference.get(kind):
            del reference[kind]
    git["repositoryRef"] = reference
    local = source["local_auth_ref"] if source["repository_type"] == "private" else ""
    _put(git, "localAuthRef", local or None, base, None)
    return git


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
        result[row["name"]] = entry
    return result


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
