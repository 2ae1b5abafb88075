from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from access import services
from access.models import Role, User

# User name (also the role, everywhere) and display name.
_CAST = {
    "author": "Ana Moreau (author)",
    "approver": "Kofi Mensah (approver)",
    "viewer": "Lin Zhao (viewer)",
    "admin": "Petra Novak (admin)",
}


class Command(BaseCommand):
    """Make the demo accounts that are missing and keep their passwords in the data folder.

    The file (mode 0600) lets the next start show them again. Roles are given when an account is
    made, so that what an admin changed later stays.
    """

    help = "Make the accounts author, approver, viewer and admin for trying Fluxgate out."

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(settings.DATA_DIR) / "demo-accounts.txt"
        known = _read(path)
        made: dict[str, str] = {}
        for username in _CAST:
            person = User.objects.filter(username=username).first()
            if person is None or username not in known:
                made[username] = _make(username, person)
        if not made:
            return
        passwords = {**known, **made}
        _write(path, {username: passwords[username] for username in _CAST})
        if options["verbosity"]:
            for username, password in made.items():
                self.stdout.write(f"{username}  {password}")


@transaction.atomic
def _make(username: str, person: User | None) -> str:
    """The account with its role; or, where only the password was lost, a new password."""
    if person is not None:
        return services.person_renew_password(by=None, person=person)
    person, password = services.person_create(
        by=None, username=username, display_name=_CAST[username]
    )
    services.role_give(by=None, person=person, role=Role(username), environment=None)
    return password


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _write(path: Path, passwords: dict[str, str]) -> None:
    """Replace the file at once; it never exists with a wider mode than 0600."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    width = max(map(len, passwords))
    with os.fdopen(descriptor, "w") as stream:
        for username, password in passwords.items():
            stream.write(f"{username:{width}}  {password}\n")
    new.replace(path)
