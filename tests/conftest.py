"""What every test shares: the cast, and no way out to the network."""

from __future__ import annotations

import atexit
import ipaddress
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client

from access.models import Environment, Role, User


def pytest_configure() -> None:
    """Hash passwords quickly: tests check who may sign in, not how slow guessing is.

    Static files come from their source folders; the folder of collected ones only has to exist.
    SQLite gets a file, in memory where the system has such a folder: its shared in-memory mode
    answers two threads with "table is locked" where a file lets the second one wait.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    database = connections.databases["default"]
    if database["ENGINE"].endswith("sqlite3"):
        memory = Path("/dev/shm")
        folder = tempfile.mkdtemp(prefix="fluxgate-", dir=memory if memory.is_dir() else None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        database["TEST"]["NAME"] = str(Path(folder) / "test.sqlite3")


# --- No network but loopback ----------------------------------------------------------------
def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return str(host).endswith(".localhost")


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse names and addresses beyond this machine, so that no test depends on the network."""
    patch = pytest.MonkeyPatch()
    resolve, connect, connect_ex = (
        socket.getaddrinfo,
        socket.socket.connect,
        socket.socket.connect_ex,
    )

    def guard(family: int, address: Any) -> None:
        if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise ConnectionRefusedError(f"Tests reach only this machine, not {address[0]}.")

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        # 0.0.0.0 and :: are where a test server listens, not somewhere that it calls.
        if not _is_local(host) and host not in ("0.0.0.0", "::"):
            raise socket.gaierror(socket.EAI_NONAME, f"Tests resolve no name but localhost: {host}")
        return resolve(host, *args, **kwargs)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        guard(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        guard(self.family, address)
        return connect_ex(self, address)

    patch.setattr(socket, "getaddrinfo", guarded_resolve)
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    patch.undo()


# --- The append-only history ----------------------------------------------------------------
@pytest.fixture(autouse=True, scope="session")
def flush_may_empty_the_history() -> Iterator[None]:
    """Between transactional tests the tables are emptied: lift the triggers for that moment.

    While a test runs they are in force, as in production.
    """
    from django.core.management.commands.flush import Command

    from audit import triggers

    flush = Command.handle

    def flush_without_triggers(self: Command, **options: Any) -> None:
        connection = connections[options["database"]]
        triggers.remove(connection)
        try:
            flush(self, **options)
        finally:
            triggers.install(connection)

    patch = pytest.MonkeyPatch()
    patch.setattr(Command, "handle", flush_without_triggers)
    yield
    patch.undo()


# --- What a process keeps -------------------------------------------------------------------
@pytest.fixture(autouse=True)
def nothing_is_cached() -> None:
    """Kept bodies and counts belong to a database that has been rolled back since."""
    cache.clear()


# --- The cast -------------------------------------------------------------------------------
@pytest.fixture
def environment(db: None) -> Environment:
    """The environment in which viewer, author and approver hold their roles."""
    from tests.factories.access import EnvironmentFactory

    return EnvironmentFactory(name="production", tone=Environment.Tone.PRODUCTION)


@pytest.fixture
def elsewhere(db: None) -> Environment:
    """A foreign environment: of the cast only admin and outsider see it."""
    from tests.factories.access import EnvironmentFactory

    return EnvironmentFactory(name="elsewhere")


def _member(role: Role, environment: Environment | None) -> User:
    from tests.factories.access import make_user

    return make_user(role, environment, username=str(role.value), display_name=role.value.title())


@pytest.fixture
def viewer(environment: Environment) -> User:
    """Sees `environment`."""
    return _member(Role.VIEWER, environment)


@pytest.fixture
def author(environment: Environment) -> User:
    """Proposes in `environment`."""
    return _member(Role.AUTHOR, environment)


@pytest.fixture
def approver(environment: Environment) -> User:
    """Reviews in `environment`."""
    return _member(Role.APPROVER, environment)


@pytest.fixture
def admin(db: None) -> User:
    """Administers everywhere."""
    return _member(Role.ADMIN, None)


@pytest.fixture
def outsider(elsewhere: Environment) -> User:
    """Reviews in `elsewhere`, and has no role in `environment`."""
    from tests.factories.access import make_user

    return make_user(Role.APPROVER, elsewhere, username="outsider", display_name="Outsider")


@pytest.fixture
def client_of(db: None) -> Callable[[User | None], Client]:
    """A function that gives a test client signed in as somebody."""
    from tests.factories.access import client_of

    return client_of
