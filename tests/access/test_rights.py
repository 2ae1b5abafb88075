"""Who may do what where."""

from __future__ import annotations

import pytest

from access.models import Environment, Role, User
from access.rights import Act, rights_of
from tests.factories.access import give, make_user

pytestmark = pytest.mark.django_db


def test_a_role_in_one_environment_says_nothing_of_another(
    author: User, environment: Environment, elsewhere: Environment
) -> None:
    rights = rights_of(author)
    assert rights.may(Act.PROPOSE, environment.pk)
    assert not rights.may(Act.VIEW, elsewhere.pk)
    assert not rights.may(Act.VIEW, None)
    assert rights.scope(Act.PROPOSE) == {environment.pk}
    assert rights.scope(Act.REVIEW) == frozenset()


def test_a_role_everywhere_counts_in_every_environment_and_in_none(
    admin: User, environment: Environment
) -> None:
    rights = rights_of(admin)
    assert rights.scope(Act.ADMINISTER) is None
    assert all(rights.may(act, place) for act in Act for place in (environment.pk, None))


def test_roles_add_up(environment: Environment, elsewhere: Environment) -> None:
    user = make_user(Role.VIEWER)
    give(user, Role.APPROVER, environment)
    rights = rights_of(user)
    assert rights.may(Act.VIEW, elsewhere.pk)
    assert rights.may(Act.REVIEW, environment.pk)
    assert not rights.may(Act.REVIEW, elsewhere.pk)


def test_somebody_deactivated_may_nothing(admin: User) -> None:
    admin.is_active = False
    assert not rights_of(admin).may_anywhere(Act.VIEW)


def test_the_fingerprint_is_equal_only_for_equal_rights(environment: Environment) -> None:
    one, two = make_user(Role.AUTHOR, environment), make_user(Role.AUTHOR, environment)
    wider = make_user(Role.AUTHOR)
    assert rights_of(one).fingerprint == rights_of(two).fingerprint
    assert rights_of(one).fingerprint != rights_of(wider).fingerprint
