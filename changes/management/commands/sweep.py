"""Keep approved work moving without broker and workers: `manage.py sweep`."""

from __future__ import annotations

import signal
import time
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from changes.sweeping import advance_and_ring, sweep_once


class Command(BaseCommand):
    help = "Every few seconds, do what is due in the database; stops at SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=10.0, help="seconds between rounds")
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *args: Any, interval: float, once: bool, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            next_round = time.monotonic() + interval
            again = self._round(stop)
            if once:
                return
            self._between(stop, next_round, again)

    def _round(self, stop: Event) -> dict[int, float]:
        close_old_connections()
        try:
            return sweep_once(stopping=stop.is_set)
        except DatabaseError as problem:  # the database is away: it is asked again next round
            self.stderr.write(f"The database does not answer: {problem}")
            return {}

    def _between(self, stop: Event, next_round: float, again: dict[int, float]) -> None:
        """Until the next round, go on with operations for which no bell could be rung."""
        while not stop.is_set():
            now = time.monotonic()
            for operation_id in [pk for pk, at in again.items() if at <= now]:
                del again[operation_id]
                again.update(advance_and_ring(operation_id))
            wake = min([next_round, *again.values()])
            if wake >= next_round and time.monotonic() >= next_round:
                return
            stop.wait(max(0.05, wake - time.monotonic()))
