"""One event in the chain, in the transaction of its act, and never altered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from access.models import User
from audit import triggers
from audit.chain import Fault, verify
from audit.models import AuditEvent
from audit.services import GENESIS, record


def event(name: str = "thing", **detail: Any) -> AuditEvent:
    return record(
        action="change.approved",
        actor=None,
        object_type="change",
        object_id=1,
        object_name=name,
        **detail,
    )


@pytest.mark.django_db
def test_events_are_chained_and_hold_when_read_back() -> None:
    first, second, third = event("one"), event("two"), event("three")
    assert first.previous_hash == GENESIS
    assert second.previous_hash == first.hash
    report = verify()
    assert (report.ok, report.checked, report.head) == (True, 3, third.hash)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        1.0,
        -0.0,
        1e20,
        1.5e300,
        1e-7,
        0.1,
        2**70,
        "nul\0 and \ud800 lone",
        {"2": [None, True]},
        {1: "key"},
        "häß 中文 \u2028",
    ],
)
def test_any_fact_hashes_the_same_when_read_back(value: object) -> None:
    event(fact=value)
    assert verify().ok


@pytest.mark.django_db
def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError):
        event(fact=float("nan"))
    with pytest.raises(TypeError):
        event(fact=object())


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        event()
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_with_its_act_when_that_is_rolled_back() -> None:
    with transaction.atomic():
        kept = event("kept")
    with transaction.atomic():
        event("undone")
        transaction.set_rollback(True)
    with transaction.atomic():
        assert event("next").previous_hash == kept.hash
    assert verify().checked == 2


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain() -> None:
    start, failed = threading.Barrier(4), []

    def write() -> None:
        start.wait()
        try:
            for number in range(10):
                with transaction.atomic():
                    event(f"event {number}")
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    report = verify()
    assert (report.ok, report.checked) == (True, 40)


def _update() -> None:
    AuditEvent.objects.update(reason="rewritten")


def _delete() -> None:
    AuditEvent.objects.all().delete()


def _raw_delete() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent")


def _replace() -> None:
    """SQLite's own way around a delete trigger; PostgreSQL has the upsert."""
    row = AuditEvent.objects.get()
    names = [field.column for field in AuditEvent._meta.concrete_fields]
    row.reason = "rewritten"
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in AuditEvent._meta.concrete_fields
    ]
    places = ", ".join(["%s"] * len(names))
    columns = ", ".join(f'"{name}"' for name in names)
    if connection.vendor == "sqlite":
        statement = f"INSERT OR REPLACE INTO audit_auditevent ({columns}) VALUES ({places})"
    else:
        statement = (
            f"INSERT INTO audit_auditevent ({columns}) VALUES ({places}) "
            "ON CONFLICT (id) DO UPDATE SET reason = 'rewritten'"
        )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.django_db
@pytest.mark.parametrize("tamper", [_update, _delete, _raw_delete, _replace])
def test_the_database_refuses_to_alter_an_event(tamper: Callable[[], None]) -> None:
    event()
    with pytest.raises(DatabaseError), transaction.atomic():
        tamper()
    assert AuditEvent.objects.get().reason == ""


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no TRUNCATE")
def test_the_database_refuses_to_empty_the_history() -> None:
    event()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_auditevent CASCADE")
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db
def test_the_chain_cannot_fork() -> None:
    first = event()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent(
            at=first.at,
            action="x",
            actor_name="x",
            object_type="x",
            object_id="x",
            object_name="x",
            previous_hash=GENESIS,
            hash="1" * 64,
        ).save(force_insert=True)


# --- Whoever gets past the triggers breaks the chain ------------------------------------------
@pytest.fixture
def unguarded(db: None) -> list[AuditEvent]:
    """Three events whose triggers an attacker with the owner's rights has dropped."""
    events = [event("one"), event("two"), event("three")]
    triggers.remove(connection)
    return events


def test_an_edit_is_found(unguarded: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=unguarded[1].pk).update(actor_name="Somebody else")
    report = verify()
    assert (report.broken_id, report.fault) == (unguarded[1].pk, Fault.CONTENT)
    assert report.checked == 1


def test_a_removed_event_is_found(unguarded: list[AuditEvent]) -> None:
    unguarded[1].delete()
    report = verify()
    assert (report.broken_id, report.fault) == (unguarded[2].pk, Fault.LINK)


def test_a_cut_end_is_found_by_a_noted_head(unguarded: list[AuditEvent]) -> None:
    head = verify().head
    unguarded[2].delete()
    assert verify().ok
    assert not verify(noted_head=head).ok


def test_verify_from_the_middle_trusts_what_is_before(unguarded: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=unguarded[0].pk).update(reason="x")
    assert verify(unguarded[1].pk).checked == 2
    assert verify(unguarded[1].pk).ok


def test_the_command_names_the_first_broken_event(unguarded: list[AuditEvent]) -> None:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert out.getvalue() == f"3 events hold. Head: {unguarded[2].hash}\n"
    AuditEvent.objects.filter(pk=unguarded[1].pk).update(reason="x")
    with pytest.raises(CommandError, match=f"Event {unguarded[1].pk} is broken"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_an_actor_keeps_its_name(admin: User) -> None:
    found = record(
        action="x.done", actor=admin, object_type="x", object_id=1, object_name="n" * 400
    )
    assert (found.actor_id, found.actor_name, len(found.object_name)) == (admin.pk, "Admin", 300)
