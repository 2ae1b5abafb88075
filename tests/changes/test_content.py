"""The canonical form and the digest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changes.content import (
    canonical,
    content_of,
    digest_of,
    secret_versions_in,
    step_at,
    target_from_json,
    target_to_json,
)
from changes.kinds import Target
from tests.factories.changes import step

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def one(**values: object) -> Target:
    return Target(
        name="c",
        resource_id="/r/one",
        cluster_id=1,
        configuration_id=None,
        environment_id=1,
        steps=(step(**values),),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "é"]}, '{"a":[true,null,"é"],"b":1}'),
        (600.0, "600"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e-6, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        ("\u20ac\n", '"€\\n"'),
        # RFC 8785 sorts by UTF-16 code units: U+1F600 (D83D…) before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
    ],
)
def test_canonical_form_follows_the_rfc(value: object, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {1, 2}, b"x"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@given(JSON)
def test_a_trip_through_json_alters_no_digest(value: object) -> None:
    again = json.loads(json.dumps(value))
    assert digest_of(again) == digest_of(value)
    assert json.loads(canonical(value)) == again


def test_a_target_survives_the_trip_through_json() -> None:
    target = one(options={"force": True})
    assert target_from_json(json.loads(json.dumps(target_to_json(target)))) == target


@pytest.mark.parametrize(
    "other",
    [
        one(body={"size": 2}),
        one(base={"size": 0}),
        one(method="PATCH"),
        one(options={"force": True}),
        one(verb="update"),
        replace(one(), environment_id=2),
        replace(one(), name="d"),
    ],
)
def test_the_digest_covers_every_part_of_a_target(other: Target) -> None:
    content = content_of("journal", "create", [one()], "p", [])
    assert digest_of(content) != digest_of(content_of("journal", "create", [other], "p", []))


def test_the_digest_covers_kind_verb_policy_secrets_and_revision() -> None:
    targets = [one()]
    contents = [
        content_of("journal", "create", targets, "p", []),
        content_of("other", "create", targets, "p", []),
        content_of("journal", "update", targets, "p", []),
        content_of("journal", "create", targets, "q", []),
        content_of("journal", "create", targets, "p", ["8"]),
        content_of("journal", "create", targets, "p", [], 2),
    ]
    assert len({digest_of(content) for content in contents}) == len(contents)


def test_secret_versions_are_found_wherever_they_are() -> None:
    body = {"a": {"$secret": "8"}, "b": [{"c": {"$secret": "7"}}], "$secret": "no", "d": 1}
    assert secret_versions_in([one(body=body)]) == ["7", "8"]


def test_a_step_is_found_by_its_place() -> None:
    target = replace(one(), steps=(step("/r/one"), step("/r/two")))
    content = content_of("journal", "create", [target], "p", [])
    assert step_at(content, 0, 1) == step("/r/two")
