from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scrm.common.placement import Placement


class JobState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Finished")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Job(models.Model):
    """Long work that a person started or waits for: an import, an export, a recomputation."""

    placement = Placement.LOCAL

    kind = models.CharField(max_length=32)
    label = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=JobState, default=JobState.QUEUED)
    params = models.JSONField(default=dict)
    # Where the work stands, for resuming after a crash; its shape belongs to the kind.
    checkpoint = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    result_url = models.CharField(max_length=300, blank=True)
    error_file = models.CharField(max_length=300, blank=True)  # relative to MEDIA_ROOT
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="job_state_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "running"], finished_at=None)
                | models.Q(state__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False),
                name="job_finished_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["heartbeat_at"], condition=models.Q(state__in=["queued", "running"]), name="job_open"),
        ]

    def __str__(self) -> str:
        return self.label
