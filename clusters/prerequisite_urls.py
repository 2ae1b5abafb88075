"""Addresses of the prerequisites; clusters/urls.py includes them."""

from __future__ import annotations

from django.urls import path

from clusters import prerequisite_views as views

urlpatterns = [
    path("<int:pk>/prerequisites/", views.prerequisites, name="prerequisites"),
    path("<int:pk>/prerequisites/check/", views.prerequisites_check, name="prerequisites_check"),
    path("<int:pk>/prerequisites/endpoints.csv", views.endpoints_csv, name="endpoints_csv"),
    path("<int:pk>/prerequisites/endpoints.yaml", views.endpoints_job, name="endpoints_job"),
    path(
        "connections/<int:pk>/prerequisites/",
        views.connection_prerequisites,
        name="connection_prerequisites",
    ),
    path(
        "connections/<int:pk>/prerequisites/check/",
        views.connection_prerequisites_check,
        name="connection_prerequisites_check",
    ),
    path(
        "connections/<int:pk>/prerequisites/endpoints.csv",
        views.connection_endpoints_csv,
        name="connection_endpoints_csv",
    ),
    path(
        "connections/<int:pk>/prerequisites/endpoints.yaml",
        views.connection_endpoints_job,
        name="connection_endpoints_job",
    ),
]
