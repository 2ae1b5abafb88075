"""Changes, their targets and reviews, and the operations that carry them out.

`changes` is a general engine for reviewed writes: it knows nothing of Flux or Azure, only the
kinds that are registered with it (changes/kinds.py). States move by compare-and-swap through
changes/states.py, and each invariant is also a constraint here.
"""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from access.models import Environment, User
from access.querysets import EnvironmentScopedQuerySet


class ChangeQuerySet(EnvironmentScopedQuerySet):
    """A change is visible to those who may see every one of its targets."""

    def _in_scope(self, scope: frozenset[int] | None) -> Self:
        if scope is None:
            return self
        hidden = ChangeTarget.objects.filter(
            models.Q(environment__isnull=True) | ~models.Q(environment_id__in=scope)
        )
        return self.exclude(pk__in=hidden.values("change_id"))


class Change(models.Model):
    """A proposal to write to Azure: what is asked, of which targets, and what became of it."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        IN_REVIEW = "in_review", _("In review")
        APPROVED = "approved", _("Approved")
        SCHEDULED = "scheduled", _("Scheduled")
        APPLYING = "applying", _("Applying")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")
        SUPERSEDED = "superseded", _("Superseded")

    class Verb(models.TextChoices):
        CREATE = "create", _("Create")
        UPDATE = "update", _("Update")
        SUSPEND = "suspend", _("Suspend")
        RESUME = "resume", _("Resume")
        SEND_AGAIN = "send_again", _("Send again")
        DELETE = "delete", _("Delete")
        INSTALL = "install", _("Install")
        REGISTER = "register", _("Register")

    kind = models.CharField(max_length=60)  # name of a registered kind: "flux_configuration", ...
    verb = models.CharField(max_length=20, choices=Verb.choices)
    title = models.CharField(max_length=200)
    reason = models.TextField()
    author = models.ForeignKey(User, models.PROTECT, related_name="changes")
    # Whoever else wrote a part of any revision: set a secret in it, asked for the new base.
    # They may not review it either.
    editors = models.ManyToManyField(User, related_name="edited_changes", blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.IN_REVIEW)
    # The frozen content (changes/content.py): canonical JSON and its SHA-256, in lower-case hex.
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)  # grows when it is submitted again
    policy_version = models.CharField(max_length=40, default="default-1")
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField()
    expires_at = models.DateTimeField()  # of the review, then of the approval
    approved_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    moved_at = models.DateTimeField()  # the last move of `state`
    superseded_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)

    objects = ChangeQuerySet.as_manager()
    environment_path = "targets__environment"

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "-id"]), models.Index(fields=["author", "-id"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "draft",
                        "in_review",
                        "approved",
                        "scheduled",
                        "applying",
                        "applied",
                        "failed",
                        "rejected",
                        "withdrawn",
                        "expired",
                        "superseded",
                    ]
                ),
                name="change_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(approvals_needed__gte=1), name="change_needs_a_second_person"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class ChangeTarget(models.Model):
    """One cluster that a change touches, as it was when the change was submitted."""

    change = models.ForeignKey(Change, models.CASCADE, related_name="targets")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=200)  # of the cluster, as the reviewer read it
    # Lower-case ARM id of the main resource.
    resource_id = models.CharField(max_length=700, db_index=True)
    cluster_id = models.BigIntegerField(null=True, db_index=True)  # clusters.Cluster
    configuration_id = models.BigIntegerField(null=True, db_index=True)
    environment = models.ForeignKey(
        Environment, models.SET_NULL, null=True, blank=True, related_name="change_targets"
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["change", "resource_id"], name="change_target_once")
        ]

    def __str__(self) -> str:
        return f"{self.change_id} {self.name}"


class ResourceHold(models.Model):
    """An open change holds each resource it would write; no second one may ask for the same.

    Rows live while the change is in review, approved, scheduled or applying (changes/states.py).
    """

    resource_id = models.CharField(max_length=700, unique=True)  # lower-case ARM id
    change = models.ForeignKey(Change, models.CASCADE, related_name="holds")

    def __str__(self) -> str:
        return f"{self.resource_id} by {self.change_id}"


class Review(models.Model):
    """What somebody decided or said about one digest of a change."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", _("Approved")
        REQUEST_CHANGES = "request_changes", _("Requested changes")
        REJECT = "reject", _("Rejected")
        COMMENT = "comment", _("Commented")

    change = models.ForeignKey(Change, models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="reviews")
    # Copied so that the database itself can refuse a review of one's own change.
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    comment = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict="comment") | ~models.Q(reviewer=models.F("author")),
                name="review_by_somebody_else",
            ),
            models.UniqueConstraint(
                fields=["change", "reviewer", "digest"],
                condition=models.Q(verdict="approve"),
                name="approve_once_per_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} {self.verdict} {self.change_id}"


class Problem(models.TextChoices):
    """Why an operation waits or ended without its effect: a named state with a next step."""

    WRONG_CONNECTION = "wrong_connection", _("The connection is wrong")
    SIGN_IN_LOST = "sign_in_lost", _("The sign-in to Azure is lost")
    UNREACHABLE = "unreachable", _("Azure does not answer")
    THROTTLED = "throttled", _("Azure asks to slow down")
    BUSY = "busy", _("Another operation runs on the resource")
    PROVIDER_NOT_REGISTERED = "provider_not_registered", _("A resource provider is not registered")
    FORBIDDEN = "forbidden", _("The portal's identity may not do this")
    CLUSTER_GONE = "cluster_gone", _("The cluster is gone")
    BASE_MOVED = "base_moved", _("The live resource moved since the approval")
    REFUSED = "refused", _("Azure refused the request")
    OPERATION_FAILED = "operation_failed", _("Azure accepted the write and then failed")
    STUCK = "stuck", _("The operation does not end")
    DIGEST_MISMATCH = "digest_mismatch", _("The content is not what was approved")
    RIGHTS_LOST = "rights_lost", _("An approver has lost the right to approve")
    APPROVAL_EXPIRED = "approval_expired", _("The approval has expired")
    SECRET_LOST = "secret_lost", _("A secret cannot be read")
    FAULT = "fault", _("Fluxgate met a fault of its own")


class Operation(models.Model):
    """One ARM write on one resource; the row is the truth, a worker's message only rings.

    `fence` grows with every claim; each write-back names the fence it holds, so that a worker
    which was paused past its lease changes nothing. Times in UTC.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Sending")
        POLLING = "polling", _("Polling")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        SUPERSEDED = "superseded", _("Superseded")

    change = models.ForeignKey(Change, models.PROTECT, related_name="operations")
    target = models.ForeignKey(ChangeTarget, models.PROTECT, related_name="operations")
    sequence = models.PositiveSmallIntegerField()  # within the target: a later one waits for it
    kind = models.CharField(max_length=60)
    verb = models.CharField(max_length=20, choices=Change.Verb.choices)
    resource_id = models.CharField(max_length=700)  # lower-case ARM id
    resource_name = models.CharField(max_length=200)
    # What one write at a time may hold: the resource, or what Azure locks for it (kinds.lane_of).
    lane = models.CharField(max_length=700)
    digest = models.CharField(max_length=64)  # of the change content it was approved for
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    problem = models.CharField(max_length=40, choices=Problem.choices, blank=True)
    problem_code = models.CharField(max_length=200, blank=True)
    problem_message = models.TextField(blank=True)
    problem_since = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)  # writes begun, throttled ones apart
    failures = models.PositiveIntegerField(default=0)  # in a row: the pause grows with it
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField()  # not to be claimed before
    client_request_id = models.CharField(max_length=64, blank=True)
    correlation_id = models.CharField(max_length=100, blank=True)
    operation_url = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)  # intent written, before the call
    accepted_at = models.DateTimeField(null=True, blank=True)  # ARM's answer to the write
    finished_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=40, blank=True)  # "adopted", "already_so": how it succeeded
    # A second worker may have written as well: read back and compare before calling it done.
    verify = models.BooleanField(default=False)
    # Where the base moved: the resource and digest found instead, for the next review.
    live = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["target__position", "sequence", "id"]
        indexes = [models.Index(fields=["state", "next_at"])]
        constraints = [
            # At most one write in flight on a resource, whoever asks for it.
            models.UniqueConstraint(
                fields=["lane"],
                condition=models.Q(state__in=["sending", "polling"]),
                name="one_operation_in_flight",
            ),
            models.UniqueConstraint(
                fields=["target", "sequence", "digest"], name="operation_sequence_once"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["waiting", "sending", "polling", "succeeded", "failed", "superseded"]
                ),
                name="operation_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.resource_name} ({self.state})"


class Outbox(models.Model):
    """A bell that has to be rung after commit; the sweep rings what a crash left behind."""

    topic = models.CharField(max_length=40)  # "operation"; its key is the row's id
    key = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class WorkerBeat(models.Model):
    """The last progress of a part that must not stand still (performance text, 2.3 no. 9)."""

    name = models.CharField(max_length=80, primary_key=True)
    progress_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
