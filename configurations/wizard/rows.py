"""The list of kustomizations in a draft: add, edit, save, move, remove. Pure functions on data.

`data` is the draft's `kustomizations` (compose.py); every function returns a new one.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from configurations.wizard.compose import EMPTY_ROW
from configurations.wizard.forms import KustomizationForm

Data = dict[str, Any]


def editor(data: Data, configuration_name: str) -> KustomizationForm | None:
    """The form of the row that is open, bound to what was typed; None where none is."""
    row = data["open"]
    if row is None:
        return None
    others = [it for it in data["rows"] if it["key"] != row["key"]]
    was = next((it["name"] for it in data["rows"] if it["key"] == row["key"]), "")
    form = KustomizationForm(
        row if data["errors"] else None,
        initial=row,
        others=others,
        configuration_name=configuration_name,
        was=was,
    )
    if data["errors"]:
        form.is_valid()
    return form


def typed(data: Data, values: Data) -> Data:
    """Keep what is in the open editor."""
    if data["open"] is None:
        return data
    return {**data, "open": {**data["open"], **values}}


def add(data: Data) -> Data:
    """Open an empty row."""
    return {**data, "open": deepcopy(EMPTY_ROW), "errors": False}


def edit(data: Data, key: str) -> Data:
    """Open a row of the list."""
    row = next((it for it in data["rows"] if it["key"] == key), None)
    return data if row is None else {**data, "open": deepcopy(row), "errors": False}


def cancel(data: Data) -> Data:
    """Close the editor and forget what was typed in it."""
    return {**data, "open": None, "errors": False}


def save(data: Data, configuration_name: str) -> Data:
    """Put the open row into the list if it keeps the rules; else it stays open with its errors."""
    if data["open"] is None:
        return data
    checked = {**data, "errors": True}
    form = editor(checked, configuration_name)
    if form is None or not form.is_valid():
        return checked
    row = {**data["open"], **form.cleaned_data}
    rows = deepcopy(data["rows"])
    if row["key"]:
        was = next(it["name"] for it in rows if it["key"] == row["key"])
        rows = [row if it["key"] == row["key"] else it for it in rows]
        for other in rows:  # who waited for the old name waits for the new one
            other["depends_on"] = [row["name"] if it == was else it for it in other["depends_on"]]
    else:
        row["key"] = _next_key(rows)
        rows.append(row)
    return {**data, "rows": rows, "open": None, "errors": False}


def remove(data: Data, key: str) -> Data:
    """Take a row out. Who waited for it still does, and its rule says so."""
    rows = [it for it in data["rows"] if it["key"] != key]
    is_open = data["open"] is not None and data["open"]["key"] == key
    return {**data, "rows": rows, "open": None if is_open else data["open"]}


def shift(data: Data, key: str, by: int) -> Data:
    """Move a row up (-1) or down (1)."""
    rows = list(data["rows"])
    place = next((at for at, it in enumerate(rows) if it["key"] == key), None)
    if place is None or not 0 <= place + by < len(rows):
        return data
    rows[place], rows[place + by] = rows[place + by], rows[place]
    return {**data, "rows": rows}


def is_untouched(row: Data | None) -> bool:
    """Whether the open row is a new one in which nothing was typed."""
    return row is not None and not row["key"] and not row["name"] and not row["path"]


def act(data: Data, action: str, configuration_name: str) -> Data:
    """Carry out what a button of the page says: "add", "save", "edit:k1", "up:k2", ..."""
    verb, _colon, key = action.partition(":")
    match verb:
        case "add":
            return add(data)
        case "edit":
            return edit(data, key)
        case "cancel":
            return cancel(data)
        case "save":
            return save(data, configuration_name)
        case "remove":
            return remove(data, key)
        case "up":
            return shift(data, key, -1)
        case "down":
            return shift(data, key, 1)
        case _:
            return data


def _next_key(rows: list[Data]) -> str:
    numbers = [int(it["key"][1:]) for it in rows if it["key"][1:].isdigit()]
    return f"k{max(numbers, default=0) + 1}"
