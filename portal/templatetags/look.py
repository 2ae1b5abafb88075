"""The look of Fluxgate as template tags: icons, states as icon + word + colour, times."""

from __future__ import annotations

from django import template

register = template.Library()
