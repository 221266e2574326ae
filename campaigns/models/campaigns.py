from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from campaigns.enums import CampaignState, ChannelKind, MissingValue, QuietAction
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Campaign(models.Model):
    """One message to one audience."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=80)
    segment = models.ForeignKey("tags.Segment", models.PROTECT, related_name="+")
    template = models.ForeignKey("campaigns.MessageTemplate", models.PROTECT, null=True, related_name="+")
    account = models.ForeignKey("campaigns.ChannelAccount", models.PROTECT, related_name="+")
    channel = models.CharField(max_length=16, choices=ChannelKind)
    # The content as it was when the campaign started: editing the template later changes nothing sent.
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(max_length=20_000, blank=True)
    state = models.CharField(max_length=12, choices=CampaignState, default=CampaignState.DRAFT)
    scheduled_at = models.DateTimeField(null=True, blank=True)  # none: when started by hand
    control_percent = models.PositiveSmallIntegerField(default=0)
    respects_cap = models.BooleanField(default=True)
    cap_touches = models.PositiveSmallIntegerField(default=5)
    cap_days = models.PositiveSmallIntegerField(default=7)  # calendar days in the shop's zone, today included
    missing_value = models.CharField(max_length=8, choices=MissingValue, default=MissingValue.BLANK)
    quiet_action = models.CharField(max_length=8, choices=QuietAction, default=QuietAction.HOLD)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    audience_size = models.BigIntegerField(null=True)  # members the audience had when it was fixed
    stop_reason = models.CharField(max_length=200, blank=True)
    # The stable code of what stopped it by itself ("broken_segment"); empty when a person did.
    stop_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited("audience_size")]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=CampaignState.values), name="campaign_state_known"),
            models.CheckConstraint(
                condition=models.Q(control_percent__gte=0, control_percent__lte=50),
                name="campaign_control_sane",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="scheduled") | models.Q(scheduled_at__isnull=False),
                name="campaign_scheduled_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["scheduled_at"], condition=models.Q(state="scheduled"), name="campaign_due"),
            models.Index(fields=["-id"], condition=models.Q(state__in=["preparing", "sending"]), name="campaign_open"),
        ]

    def __str__(self) -> str:
        return self.name


class ChunkState(models.TextChoices):
    READY = "ready"
    CLAIMED = "claimed"
    DONE = "done"


class CampaignChunk(models.Model):
    """About a thousand recipients, claimed by one worker at a time. A claim is a lease: it lapses, it is never lost."""

    placement = Placement.LOCAL

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    first_member_id = models.BigIntegerField()
    last_member_id = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=ChunkState, default=ChunkState.READY)
    # Each claim has its own number; a worker whose lease lapsed finds another one here and writes nothing.
    lease = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)  # quiet hours: when to look again

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "number"], name="chunk_once")]
        indexes = [
            models.Index(fields=["campaign", "number"], condition=~models.Q(state="done"), name="chunk_open"),
        ]
