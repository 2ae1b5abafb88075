"""Every problem has words and a next step."""

from __future__ import annotations

import pytest

from changes.models import Problem
from changes.problems import EXPLANATIONS


@pytest.mark.parametrize("problem", Problem.values)
def test_every_problem_says_what_it_means_and_what_to_do(problem: str) -> None:
    explanation = EXPLANATIONS[problem]
    assert str(explanation.means).endswith((".", "below."))
    assert str(explanation.next_step).endswith(".")
    assert not explanation.url_name or explanation.link
