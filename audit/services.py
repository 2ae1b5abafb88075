"""Record an event, in the same transaction as the act itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone

from audit.context import current
from audit.models import AuditEvent

GENESIS = "0" * 64
PORTAL = "Fluxgate"  # the actor's name where no person acts
_CHAIN_LOCK = 0x464C5558  # one advisory lock for the one chain (PostgreSQL)


class Actor(Protocol):
    """Whoever acts: access.User fits; None stands for the portal itself."""

    pk: Any

    def __str__(self) -> str: ...


def record(
    *,
    action: str,
    actor: Actor | None,
    object_type: str,
    object_id: object,
    object_name: str,
    environment_id: int | None = None,
    cluster_id: int | None = None,
    configuration_id: int | None = None,
    change_id: int | None = None,
    reason: str = "",
    **detail: Any,
) -> AuditEvent:
    """Append one event to the chain; must run inside the transaction of the act it describes.

    `detail` holds JSON-able facts and never a secret; `before` and `after` in it are shown as a
    comparison. Each event's hash covers its content and the hash before it, so that an edit, a
    deletion or a reorder breaks every later link. Names that are too long are cut.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit event belongs into a transaction.")
    _lock_chain()
    context = current.get()
    last = AuditEvent.objects.order_by("-id").values_list("hash", flat=True).first()
    event = AuditEvent(
        at=timezone.now(),
        action=action,
        actor_id=actor.pk if actor is not None else None,
        actor_name=_text(str(actor) if actor is not None else PORTAL)[:200],
        object_type=object_type,
        object_id=_text(str(object_id)),
        object_name=_text(str(object_name))[:300],
        environment_id=environment_id,
        cluster_id=cluster_id,
        configuration_id=configuration_id,
        change_id=change_id,
        reason=_text(str(reason)),
        detail=_stored(json.loads(json.dumps(detail, cls=DjangoJSONEncoder, allow_nan=False))),
        request_id=context.request_id[:64],
        address=_text(context.address)[:64],
        previous_hash=last or GENESIS,
    )
    event.hash = content_hash(event)
    event.save(force_insert=True)
    return event


def content_hash(event: AuditEvent) -> str:
    """SHA-256, lower-case hex, over the canonical JSON of every column but `id` and `hash`."""
    content = {
        field.attname: getattr(event, field.attname)
        for field in event._meta.concrete_fields
        if field.attname not in {"id", "hash"}
    }
    content["at"] = event.at.isoformat(timespec="microseconds")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: str) -> str:
    """`value` without what PostgreSQL or UTF-8 cannot hold: NUL and lone surrogates."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _stored(value: Any) -> Any:
    """`value` as every engine gives it back, so that its hash is the same when it is read.

    PostgreSQL's jsonb keeps numbers as decimals: 1e20 comes back as a whole number, -0.0 as 0.
    """
    if isinstance(value, dict):
        return {_text(key): _stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _lock_chain() -> None:
    """Serialise writers until commit, so that the chain never forks.

    SQLite needs nothing: its IMMEDIATE transactions already let one writer in at a time. On both,
    a fork would break the unique constraint on `previous_hash`.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
