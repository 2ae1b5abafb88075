"""`manage.py rotate_secrets`: put every stored secret under the newest encryption key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from clusters.secrets import SecretUnreadable, encrypted_columns, rotate


class Command(BaseCommand):
    """Safe to run beside the portal and to repeat; older keys can go when it says 0 unreadable."""

    help = "Encrypt every stored secret again, under the first of FLUXGATE_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        done = unreadable = 0
        for model, field in encrypted_columns():
            for pk, token in self._tokens(model, field):
                try:
                    fresh = rotate(token)
                except SecretUnreadable:
                    unreadable += 1
                    self.stderr.write(f"{model._meta.label} {pk}: no key opens it.")
                    continue
                # Only where nobody has set another one meanwhile.
                rows = model._default_manager.filter(pk=pk, **{field: token})
                done += rows.update(**{field: fresh})
        self.stdout.write(f"{done} secrets under the newest key, {unreadable} unreadable.")
        if unreadable:
            raise CommandError("Enter the unreadable secrets again, or bring their key back.")

    def _tokens(self, model: type[Model], field: str) -> Any:
        rows = model._default_manager.exclude(**{field: ""}).order_by("pk")
        return rows.values_list("pk", field).iterator()
