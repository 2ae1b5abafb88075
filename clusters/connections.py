"""Keep connections: add, change, switch, remove, and the one that the environment names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from access.models import User
from audit.services import record
from clusters.models import Connection, KubernetesReading
from clusters.secrets import SecretUnreadable, decrypt, encrypt
from clusters.sync import sync_soon
from live.services import bump

# What people may read of a connection, also in the history; its secret is not among it.
FACTS = (
    "name",
    "cloud",
    "arm_endpoint",
    "authority",
    "ca_file",
    "tenant_id",
    "subscription_ids",
    "sign_in",
    "client_id",
    "certificate_path",
    "api_version",
    "reads",
    "enabled",
    "kubernetes",
)


@transaction.atomic
def connection_create(
    *, by: User | None, values: Mapping[str, Any], secret: str = "", from_environment: bool = False
) -> Connection:
    """A new connection; its first sweep begins with the next tick. `values`: FACTS."""
    connection = Connection(**values, from_environment=from_environment)
    _set_secret(connection, secret, by)
    connection.save()
    _record("connection.created", by, connection, after=facts(connection))
    bump("connections")
    return connection


@transaction.atomic
def connection_change(
    *, by: User | None, connection: Connection, values: Mapping[str, Any], secret: str = ""
) -> bool:
    """Other facts, another secret ("" keeps the one that is set); whether anything changed.

    A secret for another tenant, client or way to sign in is dropped unless a new one is given.
    """
    locked = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
    before = facts(locked)
    for name, value in values.items():
        setattr(locked, name, value)
    after = facts(locked)
    identity = ("cloud", "arm_endpoint", "authority", "tenant_id", "sign_in", "client_id")
    secret_dropped = False
    if secret:
        _set_secret(locked, secret, by)
    elif locked.secret_encrypted and any(before[it] != after[it] for it in identity):
        # It would be sent to whoever answers at the new address.
        locked.secret_encrypted, locked.secret_set_at, locked.secret_set_by = "", None, None
        secret_dropped = True
    if before == after and not secret:
        return False
    locked.save()
    _record(
        "connection.changed",
        by,
        locked,
        before=before,
        after=after,
        secret="changed" if secret else "dropped" if secret_dropped else "kept",
    )
    sync_soon(locked.pk, sweep=True)
    bump("connections")
    return True


def connection_switch(*, by: User, connection: Connection, enabled: bool) -> bool:
    """Stop reading and writing through it, or begin again; what was seen stays on the pages."""
    return connection_change(by=by, connection=connection, values={"enabled": enabled})


def kubernetes_switch(*, by: User, connection: Connection, on: bool) -> bool:
    """Let workers read this connection's clusters through their Kubernetes API, or no longer."""
    changed = connection_change(by=by, connection=connection, values={"kubernetes": on})
    if changed and not on:
        KubernetesReading.objects.filter(cluster__connection=connection).delete()
    return changed


@transaction.atomic
def connection_remove(*, by: User, connection: Connection) -> None:
    """Forget the connection, its clusters and what was seen on them. Azure is not touched."""
    locked = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
    _record(
        "connection.removed",
        by,
        locked,
        before=facts(locked),
        clusters=locked.clusters.filter(gone_at=None).count(),
    )
    locked.delete()
    bump("connections", "clusters", "configurations")


def ensure_connection_from_settings() -> Connection | None:
    """Make the connection that FLUXGATE_AZURE_* names, or bring it up to date; None: none named.

    Idempotent. It is found again by its origin, so that another name in the environment renames it.
    """
    azure = settings.AZURE
    if not azure["cloud"]:
        return None
    values: dict[str, Any] = {name: azure[name] for name in FACTS if name in azure}
    values["subscription_ids"] = [it.strip().lower() for it in azure["subscriptions"] if it.strip()]
    if settings.AZURE_KUBERNETES is not None:
        values["kubernetes"] = settings.AZURE_KUBERNETES
    secret = str(azure["client_secret"])
    known = Connection.objects.filter(from_environment=True).first()
    known = known or Connection.objects.filter(name=azure["name"]).first()
    if known is None:
        return connection_create(by=None, values=values, secret=secret, from_environment=True)
    Connection.objects.filter(pk=known.pk).update(from_environment=True)
    new_secret = secret if secret != _readable_secret(known) else ""
    connection_change(by=None, connection=known, values=values, secret=new_secret)
    return Connection.objects.get(pk=known.pk)


def facts(connection: Connection) -> dict[str, Any]:
    """What the history may keep of a connection."""
    return {name: getattr(connection, name) for name in FACTS}


def _readable_secret(connection: Connection) -> str:
    try:
        return decrypt(connection.secret_encrypted)
    except SecretUnreadable:
        return ""


def _set_secret(connection: Connection, secret: str, by: User | None) -> None:
    if secret:
        connection.secret_encrypted = encrypt(secret)
        connection.secret_set_at = timezone.now()
        connection.secret_set_by = by


def _record(action: str, by: User | None, connection: Connection, **detail: Any) -> None:
    record(
        action=action,
        actor=by,
        object_type="connection",
        object_id=connection.pk,
        object_name=connection.name,
        **detail,
    )
