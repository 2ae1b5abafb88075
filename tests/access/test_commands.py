"""Commands that make accounts."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from access.models import Role, RoleAssignment, User
from access.rights import Act, rights_of
from audit.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def accounts(data: Path) -> dict[str, str]:
    lines = (data / "demo-accounts.txt").read_text().splitlines()
    return dict(line.split() for line in lines)


def demo() -> str:
    out = StringIO()
    call_command("setup_demo", stdout=out)
    return out.getvalue()


def test_the_demo_accounts_can_sign_in(data: Path) -> None:
    printed = demo()
    found = accounts(data)
    assert list(found) == ["author", "approver", "viewer", "admin"]
    for name, password in found.items():
        assert f"{name}  {password}" in printed
        user = authenticate(username=name, password=password)
        assert user is not None
        assert [(a.role, a.environment) for a in user.assignments.all()] == [(name, None)]
    assert stat.S_IMODE((data / "demo-accounts.txt").stat().st_mode) == 0o600


def test_a_second_start_changes_and_prints_nothing(data: Path) -> None:
    demo()
    before, events = accounts(data), AuditEvent.objects.count()
    RoleAssignment.objects.filter(user__username="viewer").delete()
    assert demo() == ""
    assert accounts(data) == before
    assert AuditEvent.objects.count() == events
    assert not RoleAssignment.objects.filter(user__username="viewer").exists()


def test_a_lost_file_gives_new_passwords(data: Path) -> None:
    demo()
    before = accounts(data)
    (data / "demo-accounts.txt").unlink()
    demo()
    after = accounts(data)
    assert not set(before.values()) & set(after.values())
    assert authenticate(username="author", password=after["author"])


def test_a_lost_database_gives_new_accounts(data: Path) -> None:
    demo()
    User.objects.all().delete()
    demo()
    assert authenticate(username="admin", password=accounts(data)["admin"])


def test_make_admin_generates_a_password() -> None:
    out = StringIO()
    call_command("make_admin", "root", "--generate", stdout=out)
    password = out.getvalue().rsplit("Password: ", 1)[1].strip()
    user = authenticate(username="root", password=password)
    assert isinstance(user, User)
    assert rights_of(user).scope(Act.ADMINISTER) is None
    assert password not in repr(list(AuditEvent.objects.values()))


def test_make_admin_reads_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("correct horse battery\n"))
    call_command("make_admin", "root", "--password-stdin", stdout=StringIO())
    assert authenticate(username="root", password="correct horse battery")


@pytest.mark.parametrize("password", ["short", "password1234", ""])
def test_make_admin_refuses_a_weak_password(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(password + "\n"))
    with pytest.raises(CommandError):
        call_command("make_admin", "root", "--password-stdin", stdout=StringIO())
    assert not User.objects.exists()


def test_make_admin_lets_a_locked_out_admin_in_again() -> None:
    User.objects.create_user("root", password="x", is_active=False)
    call_command("make_admin", "root", "--generate", stdout=StringIO())
    user = User.objects.get(username="root")
    assert user.is_active
    assert user.assignments.filter(role=Role.ADMIN, environment=None).exists()
