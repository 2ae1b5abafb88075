from __future__ import annotations

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "changes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import links
        from audit.models import AuditEvent

        def page_of_change(event: AuditEvent) -> str:
            from django.urls import reverse

            return reverse("changes:detail", args=[event.change_id])

        links.register_named("change", "changes:detail")
        links.register("operation", page_of_change)
