"""Every move of a change and of an operation: allowed ones happen, all others alter nothing."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, transaction

from access.models import Environment, User
from changes.errors import ChangeRefused
from changes.models import Change, Operation, ResourceHold, Review
from changes.states import (
    CHANGE_TRANSITIONS,
    OPEN,
    OPERATION_TRANSITIONS,
    move,
    move_operation,
)
from tests.factories.changes import approve, make_change

pytestmark = pytest.mark.django_db

# Written out by hand, beside the table of the product: a slip in one shows against the other.
CHANGE_MOVES = """
draft > in_review withdrawn expired
in_review > draft in_review approved rejected withdrawn expired
approved > scheduled applying withdrawn expired superseded
scheduled > approved applying withdrawn expired superseded
applying > applied failed superseded
applied > applying
failed > applying in_review superseded
"""
OPERATION_MOVES = """
waiting > sending succeeded failed superseded
sending > sending waiting polling succeeded failed
polling > sending succeeded failed
succeeded > polling
failed > waiting superseded
"""


def moves(text: str) -> set[tuple[str, str]]:
    return {
        (old, new)
        for line in text.strip().splitlines()
        for old, news in [line.split(" > ")]
        for new in news.split()
    }


@pytest.fixture
def change(author: User, environment: Environment) -> Change:
    return make_change(author, environment)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Change.State.values, repeat=2)))
def test_a_change_moves_as_the_table_says(change: Change, old: str, new: str) -> None:
    Change.objects.filter(pk=change.pk).update(state=old)
    change.refresh_from_db()
    if (old, new) in moves(CHANGE_MOVES):
        move(change, to=new)
        change.refresh_from_db()
        assert change.state == new
        assert ResourceHold.objects.filter(change=change).exists() == (new in OPEN)
        assert (change.finished_at is None) == (new in OPEN or new == "draft")
    else:
        with pytest.raises(ChangeRefused) as refused:
            move(change, to=new)
        assert refused.value.code == "move_refused"
        change.refresh_from_db()
        assert change.state == old


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Operation.State.values, repeat=2)))
def test_an_operation_moves_as_the_table_says(
    change: Change, approver: User, old: str, new: str
) -> None:
    operation = approve(approver, change).operations.get()
    Operation.objects.filter(pk=operation.pk).update(state=old)
    operation.refresh_from_db()
    if (old, new) in moves(OPERATION_MOVES):
        move_operation(operation, to=new)
    else:
        with pytest.raises(ChangeRefused):
            move_operation(operation, to=new)
    operation.refresh_from_db()
    assert operation.state == (new if (old, new) in moves(OPERATION_MOVES) else old)


def test_every_state_has_its_line() -> None:
    assert set(CHANGE_TRANSITIONS) == set(Change.State.values)
    assert set(OPERATION_TRANSITIONS) == set(Operation.State.values)


def test_who_comes_second_is_refused(change: Change) -> None:
    stale = Change.objects.get(pk=change.pk)
    move(change, to="rejected")
    with pytest.raises(ChangeRefused) as refused:
        move(stale, to="withdrawn")
    assert refused.value.code == "moved_meanwhile"
    change.refresh_from_db()
    assert change.state == "rejected"


def test_the_database_refuses_a_state_that_nobody_knows(change: Change) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Change.objects.filter(pk=change.pk).update(state="done")


def test_the_database_refuses_a_change_that_needs_nobody(change: Change) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Change.objects.filter(pk=change.pk).update(approvals_needed=0)


def test_the_database_refuses_a_review_by_the_author(change: Change, author: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(
            change=change,
            reviewer=author,
            author=author,
            verdict="approve",
            digest=change.digest,
            at=change.created_at,
        )
