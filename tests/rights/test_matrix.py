"""Every address, every role: nobody reaches what they may not, and no address is forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

import tests.rights
from access.models import Environment, Role, User
from tests.factories.access import client_of, make_user
from tests.rights.matrix import CAST, Row, Scene

pytestmark = pytest.mark.django_db

ROWS: list[Row] = [
    row
    for module in sorted(found.name for found in pkgutil.iter_modules(tests.rights.__path__))
    if module.startswith("rows_")
    for row in importlib.import_module(f"tests.rights.{module}").ROWS
]
WRITES = [row for row in ROWS if row.method == "post"]


@pytest.fixture
def scene(
    environment: Environment,
    elsewhere: Environment,
    viewer: User,
    author: User,
    approver: User,
    admin: User,
    outsider: User,
) -> Scene:
    people = {
        "viewer": viewer,
        "author": author,
        "approver": approver,
        "admin": admin,
        "outsider": outsider,
        "local": make_user(Role.ADMIN, environment, username="local"),
    }
    return Scene(environment=environment, elsewhere=elsewhere, people=people)


def ask(client: Client, row: Row, scene: Scene) -> Any:
    address = reverse(row.url, args=row.args(scene))
    return getattr(client, row.method)(address, row.data(scene))


@pytest.mark.parametrize("who", CAST)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_role_gets_what_the_matrix_says(row: Row, who: str, scene: Scene) -> None:
    answer = ask(client_of(scene.people[who]), row, scene)
    assert answer.status_code == row.expected(who)
    if row.done is not None:
        assert row.done(scene) == (who in row.allowed)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_without_a_session_only_the_open_pages_answer(row: Row, scene: Scene) -> None:
    answer = ask(Client(), row, scene)
    sent_to_sign_in = answer.status_code == 302 and "/sign-in/" in answer.url
    assert sent_to_sign_in != row.open_to_all
    assert row.done is None or not row.done(scene)


@pytest.mark.parametrize("row", WRITES, ids=str)
def test_a_write_refuses_a_forged_form(row: Row, scene: Scene) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(scene.admin)
    if row.url != "access:sign_in":  # whoever is signed in is only sent on
        assert ask(client, row, scene).status_code == 403


@pytest.mark.parametrize(
    "row", [row for row in WRITES if not any(r.url == row.url and r.method == "get" for r in ROWS)],
    ids=str,
)  # fmt: skip
def test_a_link_writes_nothing(row: Row, scene: Scene) -> None:
    answer = client_of(scene.admin).get(reverse(row.url, args=row.args(scene)))
    assert answer.status_code == 405


def test_every_address_has_a_row() -> None:
    assert set(_names(get_resolver())) - {row.url for row in ROWS} == set()


def test_every_row_has_an_address() -> None:
    assert {row.url for row in ROWS} - set(_names(get_resolver())) == set()


def _names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    """Names with namespace of all addresses; one without a name goes by its route."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _names(entry, inner)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name or entry.pattern}"
