"""Variables of postBuild, form by form."""

from __future__ import annotations

import pytest

from simulator.cluster.substitution import SubstitutionError, substitute

VARIABLES = {"name": "cluster-one", "empty": "", "path": "/a/b/c.tar.gz", "word": "hELLO"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${name}", "cluster-one"),
        ("x-${name}-y", "x-cluster-one-y"),
        ("${unknown}", ""),
        ("${unknown:=fallback}", "fallback"),
        ("${empty:=fallback}", "fallback"),
        ("${empty:-fallback}", "fallback"),
        ("${empty=fallback}", ""),
        ("${empty-fallback}", ""),
        ("${unknown-fallback}", "fallback"),
        ("${unknown=fallback}", "fallback"),
        ("${unknown:=${name}}", "cluster-one"),
        ("${name:8}", "one"),
        ("${name:0:7}", "cluster"),
        ("${path#/*/}", "b/c.tar.gz"),
        ("${path##*/}", "c.tar.gz"),
        ("${path%.*}", "/a/b/c.tar"),
        ("${path%%.*}", "/a/b/c"),
        ("${name/e/E}", "clustEr-one"),
        ("${name//e/E}", "clustEr-onE"),
        ("${word^}", "HELLO"),
        ("${word^^}", "HELLO"),
        ("${name^}", "Cluster-one"),
        ("${word,,}", "hello"),
        ("${word,}", "hELLO"),
        ("${#name}", "11"),
        ("$${name}", "${name}"),
        ("$name costs $5", "$name costs $5"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${name", "missing closing brace"),
        ("${}", "unable to parse variable name"),
        ("${-x}", "unable to parse variable name"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(SubstitutionError, match=message):
        substitute(text, VARIABLES)


def test_strict_mode_refuses_unknown_variables() -> None:
    with pytest.raises(SubstitutionError, match=r'variable not set \(strict mode\): "unknown"'):
        substitute("${unknown}", VARIABLES, strict=True)
