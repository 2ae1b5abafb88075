"""Addresses of the Flux extension; clusters/urls.py includes them."""

from __future__ import annotations

from django.urls import path

from clusters import extension_views as views

urlpatterns = [
    path("<int:pk>/extension/", views.extension, name="extension"),
    path("<int:pk>/extension/delete/", views.extension_delete, name="extension_delete"),
    path("openshift/", views.openshift, name="openshift"),
]
