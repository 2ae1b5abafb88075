"""Flux configurations: what was approved, what Azure reports, and what is being written."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from access.models import User
from access.querysets import EnvironmentScopedQuerySet
from clusters.models import Cluster


class Compliance(models.TextChoices):
    """ARM's values (FluxComplianceState); words for people come from the look tags."""

    COMPLIANT = "Compliant", _("Compliant")
    NON_COMPLIANT = "Non-Compliant", _("Non-Compliant")
    PENDING = "Pending", _("Pending")
    SUSPENDED = "Suspended", _("Suspended")
    UNKNOWN = "Unknown", _("Unknown")


class Configuration(models.Model):
    """One fluxConfigurations resource: desired (last approved) and observed (as in ARM)."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="configurations")
    arm_id = models.CharField(max_length=800, unique=True)  # lower case
    arm_id_display = models.CharField(max_length=800)
    name = models.CharField(max_length=63)
    # Desired: properties of the last body that the portal wrote, secrets as version marks.
    desired = models.JSONField(null=True, blank=True)
    desired_change_id = models.BigIntegerField(null=True, blank=True)
    # Whether there is an approved state: written here, or adopted. Computed by the database.
    managed = models.GeneratedField(
        expression=models.ExpressionWrapper(
            models.Q(desired__isnull=False), output_field=models.BooleanField()
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    # Made elsewhere: Azure may hold secrets that we do not know and that a PUT would wipe, so
    # the portal only ever patches it.
    adopted = models.BooleanField(default=True)
    # Observed: properties as ARM sent them, without `statuses`, which are rows of their own.
    observed = models.JSONField(default=dict)
    observed_digest = models.CharField(max_length=64, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    observed_via = models.CharField(max_length=20, blank=True)  # graph, list, get
    # When `statuses` and every field were read: Resource Graph brings neither.
    read_at = models.DateTimeField(null=True, blank=True)
    system_data = models.JSONField(default=dict)
    # Lean columns for lists, copied from the observed value.
    namespace = models.CharField(max_length=253, blank=True)
    scope = models.CharField(max_length=20, blank=True)
    source_kind = models.CharField(max_length=30, blank=True)
    source_url = models.CharField(max_length=600, blank=True)
    reference = models.CharField(max_length=200, blank=True)  # "main", "v1.2.0", ">=1.0.0"
    synced_commit = models.CharField(max_length=300, blank=True)
    compliance = models.CharField(
        max_length=20, choices=Compliance.choices, default=Compliance.UNKNOWN
    )
    severity = models.PositiveSmallIntegerField(default=0)  # sort key: worst first
    provisioning_state = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    cause = models.CharField(max_length=300, blank=True)  # the worst object's message, short
    cause_code = models.CharField(max_length=60, blank=True)  # the rule book's entry for it
    suspended = models.BooleanField(default=False)
    drifted = models.BooleanField(default=False)
    drift_fields = models.JSONField(default=list)
    kustomization_count = models.PositiveSmallIntegerField(default=0)
    object_count = models.PositiveIntegerField(default=0)
    source_updated_at = models.DateTimeField(null=True, blank=True)
    status_updated_at = models.DateTimeField(null=True, blank=True)
    compliance_since = models.DateTimeField(null=True, blank=True)
    watch_until = models.DateTimeField(null=True, blank=True)  # read closely until then
    next_read_at = models.DateTimeField(null=True, blank=True, db_index=True)
    sweep_id = models.BigIntegerField(default=0)
    gone_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EnvironmentScopedQuerySet.as_manager()
    environment_path = "cluster__environment"

    class Meta:
        ordering = ["-severity", "name", "id"]
        indexes = [
            models.Index(fields=["-severity", "name", "id"]),
            models.Index(fields=["name", "id"]),
            models.Index(fields=["cluster", "name"]),
            models.Index(fields=["compliance", "name", "id"]),
            models.Index(fields=["synced_commit"]),
            # Covers the counts beside the list: they read the index and no row.
            models.Index(fields=["compliance", "drifted", "observed_at", "gone_at", "managed"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def repository(self) -> str:
        """The last part of the source's URL: what people call the repository."""
        return self.source_url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")


class ObjectStatus(models.Model):
    """One entry of `statuses`: a source, a Kustomization or a Flux object that it applied."""

    configuration = models.ForeignKey(Configuration, models.CASCADE, related_name="statuses")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=60)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253)
    compliance = models.CharField(max_length=20, choices=Compliance.choices)
    applied_by = models.CharField(max_length=600, blank=True)  # "namespace/name", "" for none
    reason = models.CharField(max_length=100, blank=True)  # of the Ready condition
    message = models.TextField(blank=True)
    conditions = models.JSONField(default=list)
    helm = models.JSONField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["configuration", "kind", "namespace", "name"], name="object_status_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Draft(models.Model):
    """A wizard that is being filled in: one row, one form and URL a step (design.md section 2).

    `data` holds what was typed, valid or not, one key a step: nothing typed is ever lost.
    """

    class Purpose(models.TextChoices):
        CREATE = "create", _("New configuration")
        EDIT = "edit", _("Change of a configuration")

    author = models.ForeignKey(User, models.CASCADE, related_name="drafts")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    cluster = models.ForeignKey(Cluster, models.CASCADE, null=True, blank=True)
    configuration = models.ForeignKey(Configuration, models.CASCADE, null=True, blank=True)
    revises_change_id = models.BigIntegerField(null=True, blank=True)  # after "request changes"
    data = models.JSONField(default=dict)
    # Live properties when an edit began; for a new one what it was brought in or revised from.
    base = models.JSONField(null=True, blank=True)
    base_digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_change_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return f"{self.purpose} draft {self.pk} of {self.author}"


class SecretVersion(models.Model):
    """One value of one secret field, write-only: pages say that it is set, by whom and when.

    Drafts, changes and the desired value hold its mark `{"$secret": "<id>"}`; the value is put in
    by the worker that sends the write. Times in UTC.
    """

    # Fernet token (clusters/secrets.py) of what ARM gets, base64 where ARM wants that.
    token = models.TextField()
    field = models.CharField(max_length=60)  # its name in the wizard, "https_key"
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="+")
    draft = models.ForeignKey(
        Draft, models.SET_NULL, null=True, blank=True, related_name="secret_versions"
    )
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.field}, version {self.pk}"


class SourceCheck(models.Model):
    """One check of the source that a draft names (source_checks/): what it asks, what was found.

    `subject` is what the result depends on and `digest` its SHA-256: a draft or change with another
    one makes the result stale. Times in UTC.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        LOST = "lost", _("Broken off")

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="source_checks")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    subject = models.JSONField()
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempt = models.PositiveIntegerField(default=0)  # who may write the result
    commit = models.CharField(max_length=64, blank=True)
    failed = models.BooleanField(default=False)
    report = models.JSONField(default=dict)  # source_checks.checking.checked
    asked_at = models.DateTimeField()
    rung_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"source check {self.pk} of draft {self.draft_id}"

    @property
    def is_lost(self) -> bool:
        """Whether its worker is gone, noted or not."""
        if self.state == self.State.RUNNING and self.lease_until is not None:
            return self.lease_until < timezone.now()
        return self.state == self.State.LOST


class SyncRequest(models.Model):
    """Somebody asked Flux to sync a configuration now (configurations/sync_now.py); the last one.

    It alters no desired state, so nobody reviews it: Flux only looks earlier than it would.
    """

    configuration = models.OneToOneField(Configuration, models.CASCADE, related_name="sync_request")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    begun_at = models.DateTimeField(null=True, blank=True)  # setting it is the claim
    done_at = models.DateTimeField(null=True, blank=True)  # it was told, or that failed
    problem = models.JSONField(default=dict, blank=True)  # {"code", "message", ...}, or {}

    def __str__(self) -> str:
        return f"sync of {self.configuration}"

    @property
    def is_open(self) -> bool:
        """No worker has answered it yet."""
        return self.done_at is None
