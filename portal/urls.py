"""Every address of the portal."""

from __future__ import annotations

from django.urls import include, path

from portal import health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("language/", views.set_language, name="set_language"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("configurations/", include("configurations.urls")),
    path("clusters/", include("clusters.urls")),
    path("changes/", include("changes.urls")),
    path("history/", include("audit.urls")),
    path("live/", include("live.urls")),
    path("", include("access.urls")),
]

handler400 = "portal.errors.bad_request"
handler403 = "portal.errors.forbidden"
handler404 = "portal.errors.not_found"
handler500 = "portal.errors.server_error"
