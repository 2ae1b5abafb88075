from __future__ import annotations

from django.apps import AppConfig


class ConfigurationsConfig(AppConfig):
    name = "configurations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kind known to the engine, and the close watch to its sweep."""
        from audit import links
        from changes import kinds, sweeping
        from clusters.secrets import register_encrypted
        from clusters.sync import register_fleet_reader
        from configurations.fleet import observe_fleet
        from configurations.kind import FluxConfigurationKind
        from configurations.observe import observe_due
        from configurations.removal import FluxRemovalKind
        from configurations.source_checks.services import check_sweep
        from configurations.sync_now import syncs_overdue

        register_encrypted("configurations.SecretVersion", "token")
        kinds.register(FluxConfigurationKind())
        kinds.register(FluxRemovalKind())
        sweeping.register(observe_due)
        sweeping.register(check_sweep)
        sweeping.register(syncs_overdue)
        register_fleet_reader(observe_fleet)
        links.register_named("configuration", "configurations:detail")
