"""Addresses of the Flux extension; clusters/urls.py includes them."""

from __future__ import annotations

from django.urls import path

from clusters import extension_views as views
from clusters import federated_views

urlpatterns = [
    path("<int:pk>/install/", views.extension_install, name="install"),
    path("<int:pk>/extension/", views.extension, name="extension"),
    path("<int:pk>/extension/delete/", views.extension_delete, name="extension_delete"),
    path(
        "<int:pk>/workload-identity/", federated_views.workload_identity, name="workload_identity"
    ),
    path(
        "<int:pk>/workload-identity/read/",
        federated_views.workload_identity_read,
        name="workload_identity_read",
    ),
    path(
        "<int:pk>/workload-identity/end/",
        federated_views.workload_identity_end,
        name="workload_identity_end",
    ),
    path("openshift/", views.openshift, name="openshift"),
]
