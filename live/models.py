"""Versions of what pages show (design.md section 6)."""

from __future__ import annotations

from django.db import models


class ScopeVersion(models.Model):
    """A counter that each write bumps whose effect a page of this scope could show.

    Scopes are plain names: "configurations", "configuration:12", "changes", "change:7",
    "clusters", "cluster:3", "audit".
    """

    scope = models.CharField(max_length=80, unique=True)
    version = models.BigIntegerField(default=1)
    bumped_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.scope} {self.version}"
