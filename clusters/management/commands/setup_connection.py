"""`manage.py setup_connection`: what the first start needs, again at each start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from clusters.connections import ensure_connection_from_settings
from clusters.environments import setup_default_rules


class Command(BaseCommand):
    """Environments and their rules once, and the connection that FLUXGATE_AZURE_* names."""

    help = "Make or update the connection named in the environment, and the first environments."

    def handle(self, *args: Any, **options: Any) -> None:
        setup_default_rules()
        connection = ensure_connection_from_settings()
        if connection is not None and options["verbosity"] > 1:
            self.stdout.write(f"Connection {connection} is set up.")
