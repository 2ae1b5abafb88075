"""Versions grow with every bump, once a scope and transaction, and the bell rings after commit."""

from __future__ import annotations

import pytest
from django.db import transaction

from live import services
from live.models import ScopeVersion

pytestmark = pytest.mark.django_db


def test_a_scope_that_was_never_bumped_has_version_zero() -> None:
    assert services.versions("changes", "change:7") == {"changes": 0, "change:7": 0}


def test_bump_raises_only_the_named_scopes() -> None:
    services.bump("changes", "change:7")
    services.bump("changes")
    assert services.versions("changes", "change:7", "clusters") == {
        "changes": 2,
        "change:7": 1,
        "clusters": 0,
    }


def test_a_scope_named_twice_is_bumped_once() -> None:
    services.bump("changes", "changes")
    assert services.versions("changes") == {"changes": 1}


def test_nothing_to_bump_asks_nothing(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        services.bump()


def test_bump_of_known_scopes_costs_two_queries(django_assert_num_queries: object) -> None:
    services.bump("a", "b", "c")
    with django_assert_num_queries(2):  # type: ignore[operator]
        services.bump("c", "a", "b")


def test_a_rolled_back_bump_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    rung: list[list[str]] = []
    monkeypatch.setattr(services, "publish", rung.append)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        with transaction.atomic():
            services.bump("changes")
            transaction.set_rollback(True)
        services.bump("clusters")
    assert rung == [["clusters"]]
    assert not ScopeVersion.objects.filter(scope="changes").exists()
