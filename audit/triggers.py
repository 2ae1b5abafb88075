"""Triggers by which the database itself keeps audit events append-only.

Migration 0002 installs them. A later migration that makes SQLite build the table anew (almost
any change of a column does) drops them with the old table and must install them again.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_TABLE = "audit_auditevent"
_MESSAGE = "Audit events are append-only."

_REFUSE = f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"

_SQLITE = {
    "audit_event_no_update": f"BEFORE UPDATE ON {_TABLE} {_REFUSE}",
    "audit_event_no_delete": f"BEFORE DELETE ON {_TABLE} {_REFUSE}",
    # INSERT OR REPLACE deletes the row in its way without firing the trigger above.
    "audit_event_no_replace": (
        f"BEFORE INSERT ON {_TABLE} WHEN EXISTS (SELECT 1 FROM {_TABLE} WHERE "  # noqa: S608
        f"id = NEW.id OR hash = NEW.hash OR previous_hash = NEW.previous_hash) {_REFUSE}"
    ),
}
_POSTGRESQL = {
    "audit_event_no_update": f"BEFORE UPDATE OR DELETE ON {_TABLE} FOR EACH ROW",
    "audit_event_no_truncate": f"BEFORE TRUNCATE ON {_TABLE} FOR EACH STATEMENT",
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers; those that exist already are replaced."""
    remove(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in _SQLITE.items():
                cursor.execute(f"CREATE TRIGGER {name} {body}")
        elif connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{_MESSAGE}' "
                "USING ERRCODE = 'restrict_violation'; END $$"
            )
            for name, when in _POSTGRESQL.items():
                cursor.execute(
                    f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION audit_event_append_only()"
                )
                # ALWAYS: also in a session that has set session_replication_role to replica.
                cursor.execute(f"ALTER TABLE {_TABLE} ENABLE ALWAYS TRIGGER {name}")


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers; used to undo the migration, and by tests that empty the tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        elif connection.vendor == "postgresql":
            for name in _POSTGRESQL:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {_TABLE}")
            cursor.execute("DROP FUNCTION IF EXISTS audit_event_append_only()")
