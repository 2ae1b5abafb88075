"""Acts on people, their roles and environments: each in one transaction with its event.

`by` is who acts; None is the command line of the host. Only people who administer everywhere
administer people, so that nobody gives what they lack.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from access.checks import require_everywhere
from access.errors import AccessRefusedError
from access.models import Environment, Role, RoleAssignment, User
from access.rights import Act
from audit.services import record
from live.services import bump

# No 0, O, 1, l, I: an initial password is read aloud and typed once.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def generate_password() -> str:
    """Five groups of four characters, about 115 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _n in range(4)) for _group in range(5))
    return "-".join(groups)


@transaction.atomic
def person_create(
    *, by: User | None, username: str, display_name: str, password: str | None = None
) -> tuple[User, str]:
    """Somebody new without a role; returns them with the initial password, to be shown once."""
    _require_admin(by)
    password = password or generate_password()
    if User.objects.filter(username__iexact=username).exists():
        raise AccessRefusedError(_("There is already somebody with this user name."))
    person = User.objects.create_user(username, password=password, display_name=display_name)
    _record("person.created", by, person, username=username, display_name=display_name)
    return person, password


@transaction.atomic
def person_deactivate(*, by: User | None, person: User) -> None:
    """End all their sessions and refuse new ones; roles and history stay."""
    _require_admin(by)
    _keep_an_admin(without=person)
    person.is_active = False
    # Also changes the hash that sessions carry: an old one does not come back with the account.
    person.set_unusable_password()
    person.save(update_fields=["is_active", "password"])
    _record("person.deactivated", by, person, before={"active": True}, after={"active": False})


@transaction.atomic
def person_renew_password(*, by: User | None, person: User, password: str | None = None) -> str:
    """A new initial password, to be shown once; ends all sessions and activates the account."""
    _require_admin(by)
    password = password or generate_password()
    was_active = person.is_active
    person.is_active = True
    person.set_password(password)
    person.save(update_fields=["is_active", "password"])
    if was_active:
        _record("person.password_renewed", by, person)
    else:
        _record("person.activated", by, person, before={"active": False}, after={"active": True})
    return password


@transaction.atomic
def password_change(*, person: User, password: str) -> None:
    """One's own new password; every session but the caller's ends."""
    person.set_password(password)
    person.save(update_fields=["password"])
    _record("person.password_changed", person, person)


@transaction.atomic
def role_give(
    *, by: User | None, person: User, role: Role, environment: Environment | None
) -> None:
    """A role in one environment, or everywhere (None); giving it twice changes nothing."""
    _require_admin(by)
    if not person.is_active:
        raise AccessRefusedError(_("This person is deactivated and gets no role."))
    before = roles_in_words(person)
    try:
        with transaction.atomic():
            RoleAssignment.objects.create(user=person, role=role, environment=environment)
    except IntegrityError:
        return
    _record_role("person.role_given", by, person, role, environment, before)


@transaction.atomic
def role_take(*, by: User | None, assignment: RoleAssignment) -> None:
    """Take one role away; never the last admin's."""
    _require_admin(by)
    person, environment, role = assignment.user, assignment.environment, Role(assignment.role)
    if role == Role.ADMIN and environment is None:
        _keep_an_admin(without=person)
    before = roles_in_words(person)
    assignment.delete()
    _record_role("person.role_taken", by, person, role, environment, before)


@transaction.atomic
def environment_create(
    *, by: User | None, name: str, tone: str, description: str, position: int = 0
) -> Environment:
    """A new scope of roles and policies."""
    _require_admin(by)
    environment = Environment.objects.create(
        name=name, tone=tone, description=description, position=position
    )
    _record_environment("environment.created", by, environment, None)
    return environment


@transaction.atomic
def environment_change(
    *, by: User | None, environment: Environment, name: str, tone: str, description: str
) -> None:
    """Another name, tone or description; what belongs to the environment stays in it."""
    _require_admin(by)
    locked = Environment.objects.select_for_update().get(pk=environment.pk)
    before = _facts(locked)
    locked.name, locked.tone, locked.description = name, tone, description
    if _facts(locked) == before:
        return
    locked.save()
    _record_environment("environment.changed", by, locked, before)


def roles_in_words(person: User) -> list[str]:
    """ "author in staging", "admin everywhere": stable text for events, sorted."""
    return sorted(
        f"{assignment.role} in {assignment.environment.name}"
        if assignment.environment
        else f"{assignment.role} everywhere"
        for assignment in person.assignments.select_related("environment")
    )


def _require_admin(by: User | None) -> None:
    if by is not None:
        require_everywhere(by, Act.ADMINISTER)


def _keep_an_admin(*, without: User) -> None:
    """Refuse what would leave nobody who administers everywhere.

    The rows are locked in one order, so that two admins cannot remove each other at once.
    """
    admins = (
        RoleAssignment.objects.select_for_update()
        .filter(role=Role.ADMIN, environment=None, user__is_active=True)
        .order_by("pk")
    )
    remaining = [admin.user_id for admin in admins]
    if without.pk in remaining and len(remaining) == 1:
        raise AccessRefusedError(
            _("This is the last admin. Make somebody else an admin everywhere first.")
        )


def _record(action: str, by: User | None, person: User, **detail: Any) -> None:
    record(
        action=action,
        actor=by,
        object_type="person",
        object_id=person.pk,
        object_name=str(person),
        **detail,
    )
    bump("people")


def _record_role(
    action: str,
    by: User | None,
    person: User,
    role: Role,
    environment: Environment | None,
    before: list[str],
) -> None:
    vars(person).pop("_rights", None)
    record(
        action=action,
        actor=by,
        object_type="person",
        object_id=person.pk,
        object_name=str(person),
        environment_id=environment.pk if environment else None,
        role=role.value,
        where=environment.name if environment else "everywhere",
        before={"roles": before},
        after={"roles": roles_in_words(person)},
    )
    bump("people")


def _facts(environment: Environment) -> dict[str, str]:
    return {
        "name": environment.name,
        "tone": environment.tone,
        "description": environment.description,
    }


def _record_environment(
    action: str, by: User | None, environment: Environment, before: dict[str, str] | None
) -> None:
    record(
        action=action,
        actor=by,
        object_type="environment",
        object_id=environment.pk,
        object_name=environment.name,
        environment_id=environment.pk,
        before=before,
        after=_facts(environment),
    )
    bump("people")
