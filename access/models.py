"""People, and what they may do where (design.md section 3)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Somebody who signs in; `display_name` is what pages and events show."""

    display_name = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return self.display_name or self.get_full_name() or self.username


class Environment(models.Model):
    """The scope to which roles and policies are given; clusters belong to one, or to none."""

    class Tone(models.TextChoices):
        """The small square beside the name (look.md: environments never use state colours)."""

        PRODUCTION = "production"
        STAGING = "staging"
        DEVELOPMENT = "development"
        EDGE = "edge"
        DEMO = "demo"

    name = models.SlugField(max_length=60, unique=True)
    description = models.CharField(max_length=200, blank=True)
    tone = models.CharField(max_length=20, choices=Tone.choices, default=Tone.DEVELOPMENT)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person may do: viewer sees, author also proposes, approver also reviews."""

    VIEWER = "viewer", _("Viewer")
    AUTHOR = "author", _("Author")
    APPROVER = "approver", _("Approver")
    ADMIN = "admin", _("Admin")


class RoleAssignment(models.Model):
    """A role of a person in one environment, or everywhere (`environment` is None)."""

    user = models.ForeignKey(User, models.CASCADE, related_name="assignments")
    role = models.CharField(max_length=20, choices=Role.choices)
    environment = models.ForeignKey(
        Environment, models.CASCADE, null=True, blank=True, related_name="assignments"
    )

    class Meta:
        ordering = ["user_id", "role"]
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "environment"], name="assignment_once"),
            # SQLite has no NULLS NOT DISTINCT.
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=models.Q(environment=None),
                name="assignment_everywhere_once",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="assignment_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role} {self.environment or 'everywhere'}"


class SignInFailures(models.Model):
    """Failed sign-ins of late for one account, one address, or both (access/signin.py).

    The name is kept as a keyed hash only: people type their password into the wrong field.
    """

    class Scope(models.TextChoices):
        BOTH = "both"
        ACCOUNT = "account"
        ADDRESS = "address"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    key = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="sign_in_failures_once")
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key[:8]} {self.count}"
