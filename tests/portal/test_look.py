"""States are icon + word + tone, keyed on values; times, ids and commits read as look.md says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from access.models import Environment
from changes.models import Change, Operation
from configurations.models import Compliance
from portal.templatetags import look

GIT = "9ad31c0f" + "0" * 32
SHA = "81c0e9a5" + "0" * 56


def rendered(source: str, **context: Any) -> str:
    return Template(source).render(Context(context))


@pytest.mark.parametrize(
    ("value", "icon", "tone", "word"),
    [
        ("Compliant", "circle-check-filled", "good", "Compliant"),
        ("Non-Compliant", "alert-octagon-filled", "bad", "Non-Compliant"),
        ("Pending", "progress", "busy", "Pending"),
        ("Suspended", "player-pause-filled", "held", "Suspended"),
        ("Unknown", "help-circle", "none", "Unknown"),
        ("", "help-circle", "none", "Unknown"),
        ("Novel", "help-circle", "none", "Novel"),
    ],
)
def test_compliance(value: str, icon: str, tone: str, word: str) -> None:
    html = rendered("{% compliance value %}", value=value)
    assert f"#{icon}" in html
    assert f"fg-state--{tone}" in html
    assert word in html


def test_stale_is_unknown_and_never_green() -> None:
    html = rendered('{% compliance "Compliant" stale=True %}')
    assert "Unknown" in html
    assert "clock-question" in html
    assert "fg-state--stale" in html
    assert "good" not in html


def test_a_state_is_told_by_value_not_by_word() -> None:
    with translation.override("de"):
        html = rendered('{% compliance "Non-Compliant" %}')
    assert "alert-octagon-filled" in html


def test_every_state_of_ours_has_a_look() -> None:
    assert set(look.COMPLIANCE) == set(Compliance.values)
    assert set(look.CHANGE) == set(Change.State.values)
    assert set(look.OPERATION) == set(Operation.State.values)


def test_ended_without_a_write_is_never_red() -> None:
    for state in ("rejected", "withdrawn", "expired", "superseded"):
        assert look.CHANGE[state].tone == "none"


def test_quiet_keeps_the_word_for_screen_readers() -> None:
    html = rendered('{% change_state "applying" quiet=True %}')
    assert '<span class="fg-hide">Applying</span>' in html
    assert "fg-turning" in html


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=14), "14 s ago"),
        (timedelta(minutes=12, seconds=50), "12 min ago"),
        (timedelta(hours=2, minutes=10), "2 h 10 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(hours=47, minutes=59), "47 h 59 min ago"),
        (timedelta(minutes=-4), "in 4 min"),
    ],
)
def test_relative_time_has_units_up_to_48_hours(age: timedelta, words: str) -> None:
    now = datetime(2026, 11, 23, 9, 53, tzinfo=UTC)
    assert look.relative(now - age, now) == words


def test_after_48_hours_it_is_the_date() -> None:
    now = datetime(2026, 11, 23, 9, 53, tzinfo=UTC)
    assert look.relative(now - timedelta(hours=48), now) == "21 Nov 2026"


def test_ago_holds_the_exact_time() -> None:
    moment = timezone.now() - timedelta(minutes=5)
    html = rendered("{% ago moment bare=True %}", moment=moment)
    exact = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f'datetime="{exact}" title="{exact}" data-ago="bare"' in html
    assert ">5 min</time>" in html


def test_ago_takes_azures_text_and_nothing() -> None:
    assert 'datetime="2020-01-02T03:04:05Z"' in rendered('{% ago "2020-01-02T03:04:05.6789012Z" %}')
    assert "never" in rendered("{% ago None %}")
    assert "never" in rendered('{% ago "soon" %}')


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (f"main@sha1:{GIT}", "main@9ad31c0"),
        (f"refs/heads/main@sha1:{GIT}", "refs/heads/main@9ad31c0"),
        (f"main/{GIT}", "main@9ad31c0"),
        (f"sha1:{GIT}", "9ad31c0"),
        (f"sha256:{SHA}", "81c0e9a"),
        (f"latest@sha256:{SHA}", "latest@81c0e9a"),
        (GIT, "9ad31c0"),
        ("v1.2.0", "v1.2.0"),
    ],
)
def test_commit_is_short_and_whole_in_its_title(value: str, short: str) -> None:
    html = rendered("{% commit value %}", value=value)
    assert f">{short}<" in html
    assert f'title="{value}"' in html


def test_arm_id_keeps_its_end_and_can_be_copied() -> None:
    value = "/subscriptions/6f1c/resourceGroups/rg/providers/x/fluxConfigurations/apps"
    html = rendered("{% arm_id value %}", value=value)
    assert '<span class="fg-arm__tail">/fluxConfigurations/apps</span>' in html
    assert f'data-copy="{value}"' in html


def test_values_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    for source in (
        "{% compliance value %}",
        "{% commit value %}",
        "{% arm_id value %}",
        "{% person value %}",
        "{% environment value %}",
        "{% json value %}",
        "{% copy value %}",
        "{% live value %}",
    ):
        assert "<script>" not in rendered(source, value=evil), source


def test_environment_is_a_square_and_a_word() -> None:
    env = Environment(name="production", tone="production")
    assert rendered("{% environment env %}", env=env) == (
        '<span class="fg-env fg-env--production">production</span>'
    )
    assert "no environment" in rendered("{% environment None %}")


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, 0), (0, 9, 0), (9, 9, 100), (999, 1000, 99), (1, 1000, 1), (187, 212, 88)],
)
def test_percent_never_hides_one(part: int, whole: int, shown: int) -> None:
    assert look.percent(part, whole) == shown


def test_json_is_indented_and_reachable() -> None:
    html = rendered("{% json value %}", value={"b": 1, "a": [2]})
    assert 'tabindex="0"' in html
    assert re.search(r"\{\n  &quot;b&quot;: 1", html)
