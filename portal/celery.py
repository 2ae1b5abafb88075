"""The Celery application: workers are rung through it; the database holds the truth."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("fluxgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
