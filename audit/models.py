"""Append-only events: who did what, when and why (design.md sections 2 and 3)."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One thing that somebody, or a worker on somebody's behalf, did.

    Rows are only ever inserted: database triggers refuse UPDATE and DELETE. People and objects
    are kept as text beside their ids, so that a story stays readable when they are gone.
    """

    at = models.DateTimeField(db_index=True)
    action = models.CharField(max_length=80, db_index=True)  # audit.actions, "change.approved"
    actor_id = models.BigIntegerField(null=True, db_index=True)  # access.User; None: the portal
    actor_name = models.CharField(max_length=200)
    object_type = models.CharField(max_length=40)  # "change", "configuration", "cluster", ...
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=300)
    environment_id = models.BigIntegerField(null=True, db_index=True)  # access.Environment
    cluster_id = models.BigIntegerField(null=True, db_index=True)
    configuration_id = models.BigIntegerField(null=True, db_index=True)
    change_id = models.BigIntegerField(null=True, db_index=True)
    reason = models.TextField(blank=True)
    detail = models.JSONField(default=dict)  # facts of the act: digest, verb, code, before, after
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64, unique=True)  # unique: the chain cannot fork
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"]),
            models.Index(fields=["action", "-id"]),
            models.Index(fields=["actor_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_name}"
