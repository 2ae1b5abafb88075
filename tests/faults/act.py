"""Acts of people, in a process of its own as the web's would be: `python -m tests.faults.act`.

prepare                  people and an environment
approve COUNT [BODY]     propose and approve COUNT changes, each on a resource of its own;
                         prints the seconds that the slowest approval took
"""

from __future__ import annotations

import sys
import time

import tests.faults.worker  # noqa: F401 (sets Django up)
from access.models import Environment, Role, RoleAssignment, User
from tests.factories.changes import approve, step, submit, target


def prepare() -> None:
    environment = Environment.objects.create(name="production")
    for role in (Role.AUTHOR, Role.APPROVER):
        user = User.objects.create(username=str(role.value))
        RoleAssignment.objects.create(user=user, role=role, environment=environment)


def approve_changes(count: int) -> None:
    environment = Environment.objects.get()
    author, approver = (User.objects.get(username=name) for name in ("author", "approver"))
    for number in range(count):
        body = {"size": 1}
        change = submit(author, target(environment, step(f"/r/{number}", body=body)))
        started = time.monotonic()
        approve(approver, change)
        print(f"{time.monotonic() - started:.3f}")


def main(act: str, *arguments: str) -> None:
    if act == "prepare":
        prepare()
    elif act == "approve":
        approve_changes(int(arguments[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
