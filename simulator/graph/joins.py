"""The join operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from simulator.graph import values
from simulator.graph.expressions import Row
from simulator.graph.tokens import QueryError

Join = Callable[[list[Row], list[Row]], list[Row]]
_KINDS = ("innerunique", "inner", "leftouter", "leftanti", "leftsemi")


def joined(
    kind: str, left: list[str], right: list[str], pairs: list[tuple[str, str]]
) -> tuple[Join, list[str]]:
    """Return the function that joins two sets of rows, and the columns of the result.

    Columns of the right side whose name the left side has too get a ``1`` behind their name.
    """
    if kind not in _KINDS:
        raise QueryError(f"The join kind '{kind}' is not supported.")
    for left_name, right_name in pairs:
        if left_name not in left or right_name not in right:
            raise QueryError(f"join: the column '{left_name}' is not on both sides.")
    if kind in ("leftanti", "leftsemi"):
        return _filtering(kind == "leftsemi", pairs), left
    names = {name: f"{name}1" if name in left else name for name in right}
    return _combining(kind, names, pairs), left + list(names.values())


def _filtering(wanted: bool, pairs: list[tuple[str, str]]) -> Join:
    def join(rows: list[Row], others: list[Row]) -> list[Row]:
        keys = {_key(other, [r for _, r in pairs]) for other in others}
        return [row for row in rows if (_key(row, [n for n, _ in pairs]) in keys) is wanted]

    return join


def _combining(kind: str, names: dict[str, str], pairs: list[tuple[str, str]]) -> Join:
    left_names, right_names = [left for left, _ in pairs], [right for _, right in pairs]
    nothing: Row = dict.fromkeys(names.values())

    def join(rows: list[Row], others: list[Row]) -> list[Row]:
        if kind == "innerunique":
            rows = list({_key(row, left_names): row for row in reversed(rows)}.values())[::-1]
        index: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        for other in others:
            index[_key(other, right_names)].append({names[k]: v for k, v in other.items()})
        result: list[Row] = []
        for row in rows:
            partners = index.get(_key(row, left_names), [])
            if not partners and kind == "leftouter":
                partners = [nothing]
            result += [{**row, **partner} for partner in partners]
        return result

    return join


def _key(row: Row, names: list[str]) -> tuple[object, ...]:
    return tuple(values.hashable(row[name]) for name in names)
