"""What workers do when the bell rings; ids only, the database says the rest."""

from __future__ import annotations

from celery import shared_task

from changes.sweeping import advance_and_ring, sweep_once


@shared_task(ignore_result=True)
def operation_advance(operation_id: int) -> None:
    """Move one operation on, and ring again for when it wants to be looked at."""
    advance_and_ring(operation_id)


@shared_task(ignore_result=True)
def sweep() -> None:
    """What beat asks for every 10 s, beside the sweep process."""
    sweep_once(name="beat")
