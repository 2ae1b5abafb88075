"""People and environments for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

import factory
from django.test import Client

from access.models import Environment, Role, RoleAssignment, User

_numbers = count(1)


class EnvironmentFactory(factory.django.DjangoModelFactory):
    """An environment named environment-N."""

    class Meta:
        model = Environment

    name = factory.Sequence(lambda n: f"environment-{n}")


class UserFactory(factory.django.DjangoModelFactory):
    """Somebody without any role and, unless `password` is given, without a password."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person-{n}")
    display_name = factory.LazyAttribute(lambda user: user.username.replace("-", " ").title())

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)


def make_user(
    role: Role | str | None = None, environment: Environment | None = None, **fields: Any
) -> User:
    """A person with this role in `environment`, or everywhere when it is None.

    Without a role: somebody who may sign in and see nothing.
    """
    if role is not None:
        fields.setdefault("username", f"{role}-{next(_numbers)}")
    user: User = UserFactory(**fields)
    if role is not None:
        give(user, role, environment)
    return user


def give(user: User, role: Role | str, environment: Environment | None = None) -> None:
    """One more role; what was cached of the person's rights is forgotten."""
    RoleAssignment.objects.create(user=user, role=role, environment=environment)
    vars(user).pop("_rights", None)


def client_of(user: User | None) -> Client:
    """A test client signed in as `user` (None: nobody)."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client
