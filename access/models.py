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
            models.UniqueConstraint(
                fields=["user", "role", "environment"],
                name="assignment_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="assignment_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role} {self.environment or 'everywhere'}"
