from __future__ import annotations

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from access import services
from access.models import Role, User


class Command(BaseCommand):
    """Make an admin everywhere: the first one, or one for whom everybody else is locked out.

    The password is asked for, read from standard input (`--password-stdin`) or generated and
    printed (`--generate`); it never is an argument, which other users of the host could see.
    """

    help = "Make somebody an admin everywhere, and set their password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help="asked for when left out")
        parser.add_argument("--name", default="", help="as pages and the history show it")
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--password-stdin", action="store_true")
        source.add_argument("--generate", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"] or input("User name: ").strip()
        try:
            User.username_validator(username)
            password = None if options["generate"] else _password(options["password_stdin"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        password = _make(username, options["name"] or username, password)
        self.stdout.write(f"{username} is an admin everywhere.")
        if options["generate"]:
            self.stdout.write(f"Password: {password}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Password (again): "):
            raise ValidationError("The two passwords differ. Nothing was changed.")
    validate_password(password)
    return password


@transaction.atomic
def _make(username: str, name: str, password: str | None) -> str:
    person = User.objects.filter(username__iexact=username).first()
    if person is None:
        person, password = services.person_create(
            by=None, username=username, display_name=name, password=password
        )
    else:
        password = services.person_renew_password(by=None, person=person, password=password)
    services.role_give(by=None, person=person, role=Role.ADMIN, environment=None)
    return password
