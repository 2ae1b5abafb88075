from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.chain import Fault, verify

_WHY = {
    Fault.CONTENT: "its content was altered after it was written",
    Fault.LINK: "the event before it was removed, added or reordered",
}


class Command(BaseCommand):
    """Check the audit history and print its head; note that elsewhere to notice a cut end."""

    help = "Check that no audit event was altered, removed or reordered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="from_id", type=int, help="start at this event's id")
        parser.add_argument("--head", default="", help="a head printed earlier; it must be there")

    def handle(self, *args: Any, from_id: int | None, head: str, **options: Any) -> None:
        report = verify(from_id, noted_head=head)
        if report.fault:
            raise CommandError(
                f"Event {report.broken_id} is broken: {_WHY[report.fault]}. "
                f"The {report.checked} events before it hold."
            )
        if not report.ok:
            raise CommandError(f"The noted head is not in the history: {head}. Its end was cut.")
        self.stdout.write(f"{report.checked} events hold. Head: {report.head}")
