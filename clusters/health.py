"""Whether a connection works, as its last reads and its test say: one event a change of state."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from audit.services import record
from clusters.models import Connection
from live.services import bump


@transaction.atomic
def connection_problem(
    *, connection_id: int, problem: str, code: str = "", message: str = ""
) -> None:
    """Note what is wrong; "" for nothing. Writes an event when the named problem changes."""
    connection = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
    before = connection.problem
    now = timezone.now()
    if (problem, code[:100], message) == (
        before,
        connection.problem_code,
        connection.problem_message,
    ):
        return
    connection.problem = problem
    connection.problem_code = code[:100]
    connection.problem_message = message
    if problem != before:
        connection.problem_since = now if problem else None
        record(
            action="connection.problem" if problem else "connection.recovered",
            actor=None,
            object_type="connection",
            object_id=connection.pk,
            object_name=connection.name,
            problem=problem,
            was=before,
            code=code,
            message=message[:500],
        )
    connection.save(update_fields=["problem", "problem_code", "problem_message", "problem_since"])
    bump("connections", *(["clusters"] if problem != before else []))


def problem_from_shards(connection: Connection) -> None:
    """The connection has the problem of its first shard that has one."""
    shard = connection.shards.exclude(problem="").order_by("position").first()
    if shard is None:
        connection_problem(connection_id=connection.pk, problem="")
    else:
        connection_problem(
            connection_id=connection.pk,
            problem=shard.problem,
            code=shard.problem_code,
            message=shard.problem_message,
        )
