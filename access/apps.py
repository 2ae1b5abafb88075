from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the history what it may show whom, and where people and environments are."""
        from access import history
        from audit import links, viewers

        viewers.register(history.Knowledge())
        links.register_named("person", "access:person")
        links.register_named("environment", "access:environment_edit")
