from __future__ import annotations

from django.urls import path

from audit import views

app_name = "audit"
urlpatterns = [
    path("", views.history, name="list"),
    path("export.csv", views.export_csv, name="export_csv"),
    path("export.jsonl", views.export_json_lines, name="export_json_lines"),
]
