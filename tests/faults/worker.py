"""The portal's Celery application with the journal kind: `celery -A tests.faults.worker`."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

import tests.factories.changes  # noqa: E402, F401 (registers the journal kind)
from portal.celery import app  # noqa: E402, F401 (celery looks for it)
