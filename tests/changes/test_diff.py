"""The difference that a reviewer reads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from changes.diff import Row, after, diff, json_lines, merge
from tests.factories.changes import step

BODY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)
OBJECT = st.dictionaries(st.text(min_size=1, max_size=4), BODY, max_size=4)


def text(parts: tuple[Any, ...]) -> str:
    return "".join(part.text for part in parts)


def marked(parts: tuple[Any, ...]) -> list[str]:
    return [part.text for part in parts if part.marked]


@given(OBJECT)
def test_the_lines_are_the_json_of_the_value(value: dict[str, Any]) -> None:
    if "$secret" in value:
        return
    assert json.loads("\n".join(line.text for line in json_lines(value))) == value


@given(OBJECT, OBJECT)
def test_both_sides_are_shown_whole_and_in_order(
    base: dict[str, Any], body: dict[str, Any]
) -> None:
    rows = diff(base, body, fold=False).rows
    left = [(row.left_number, text(row.left)) for row in rows if row.left_number]
    right = [(row.right_number, text(row.right)) for row in rows if row.right_number]
    assert left == [(n, line.text) for n, line in enumerate(json_lines(base), 1)]
    assert right == [(n, line.text) for n, line in enumerate(json_lines(body), 1)]


@given(OBJECT, OBJECT)
def test_folding_hides_only_equal_lines(base: dict[str, Any], body: dict[str, Any]) -> None:
    whole, folded = diff(base, body, fold=False), diff(base, body)
    assert [r for r in whole.rows if r.kind != "same"] == [
        r for r in folded.rows if r.kind not in {"same", "fold"}
    ]
    hidden = sum(row.folded for row in folded.rows)
    assert len(whole.rows) == len(folded.rows) - sum(r.kind == "fold" for r in folded.rows) + hidden


def only(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.kind == kind]


def test_a_changed_value_is_one_row_with_its_words_marked() -> None:
    found = diff({"path": "./apps/staging", "prune": True}, {"path": "./apps/main", "prune": True})
    (row,) = only(found.rows, "both")
    assert (marked(row.left), marked(row.right)) == (["./apps/staging"], ["./apps/main"])
    assert row.path == "path"
    assert (found.added, found.removed) == (1, 1)


def test_a_comma_alone_is_no_difference() -> None:
    found = diff({"a": 1}, {"a": 1, "b": 2})
    assert (found.added, found.removed) == (1, 0)
    assert [text(row.right) for row in only(found.rows, "add")] == ['  "b": 2']


def test_secrets_are_shown_by_version() -> None:
    found = diff({"key": {"$secret": "7"}}, {"key": {"$secret": "8"}})
    (row,) = only(found.rows, "both")
    assert text(row.right) == '  "key": "•••• version 8"'
    assert marked(row.right) == ["8"]


def test_a_resource_that_does_not_exist_has_no_lines() -> None:
    assert {row.kind for row in diff(None, {"a": 1}).rows} == {"add"}
    assert {row.kind for row in diff({"a": 1}, None).rows} == {"del"}
    assert diff({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}).is_empty


def test_a_fold_names_the_keys_that_it_hides() -> None:
    base = {f"key{n:02}": n for n in range(30)}
    (first, last) = only(diff(base, {**base, "key15": "x"}).rows, "fold")
    assert first.names == "key00, key01, key02, key03, key04, …"
    assert first.folded == 13 - 1 + 1
    assert last.folded == 30 + 2 - 17 - 3


def test_a_patch_is_shown_as_what_it_leaves() -> None:
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    patch = step(base=base, body={"a": {"x": 9, "y": None}}, method="PATCH")
    assert after(patch) == {"a": {"x": 9}, "b": 3}
    assert after(step(base=base, method="DELETE")) is None
    assert after(step(base=base, body={"c": 1})) == {"c": 1}


def test_merging_follows_the_rfc() -> None:
    assert merge({"a": "b", "c": {"d": "e", "f": "g"}}, {"a": "z", "c": {"f": None}}) == {
        "a": "z",
        "c": {"d": "e"},
    }
    assert merge({"a": [{"b": "c"}]}, {"a": [1]}) == {"a": [1]}
    assert merge({"a": {"b": 1}}, {"a": {"$secret": "3"}}) == {"a": {"$secret": "3"}}
