from __future__ import annotations

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kinds known to the engine, due work to its sweep, pages to the history."""
        from audit import links
        from changes import kinds, sweeping
        from clusters.extension_kind import FluxExtensionKind
        from clusters.federated_kind import FederatedCredentialKind
        from clusters.flux_v1 import flux_v1_overdue
        from clusters.identity_readings import identity_readings_overdue
        from clusters.kube.reading import readings_overdue as kubernetes_overdue
        from clusters.prerequisites.readings import readings_overdue
        from clusters.provider_kind import ProviderRegistrationKind
        from clusters.secrets import register_encrypted
        from clusters.sync import sync_overdue
        from clusters.testing import tests_overdue

        register_encrypted("clusters.Connection", "secret_encrypted")
        register_encrypted("clusters.StoredKubeconfig", "access_encrypted")
        kinds.register(FluxExtensionKind())
        kinds.register(FederatedCredentialKind())
        kinds.register(ProviderRegistrationKind())
        sweeping.register(tests_overdue)
        sweeping.register(sync_overdue)
        sweeping.register(identity_readings_overdue)
        sweeping.register(flux_v1_overdue)
        sweeping.register(readings_overdue)
        sweeping.register(kubernetes_overdue)
        links.register_named("cluster", "clusters:detail")
        links.register_named("connection", "clusters:connection")
