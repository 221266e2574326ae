from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from campaigns.enums import ChannelKind, MessageState
from scrm.common.placement import Placement


class Message(models.Model):
    """One send to one member on one channel. Every audience member ends in exactly one state, with a reason.

    The row stands as `pending` from the moment the audience is fixed; `claimed` is committed before the hand-over,
    so a message whose worker died in between is `unknown`, never sent again by itself.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    campaign = models.ForeignKey("campaigns.Campaign", models.PROTECT, related_name="+", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    channel = models.CharField(max_length=16, choices=ChannelKind)
    occurrence = models.CharField(max_length=32, default="", blank=True)  # of a recurring send: its date
    state = models.CharField(max_length=10, choices=MessageState, default=MessageState.PENDING)
    reason = models.CharField(max_length=24, blank=True)  # SkipReason, FailReason or UnknownReason
    detail = models.CharField(max_length=200, blank=True)
    lease = models.PositiveIntegerField(default=0)  # of the chunk claim that claimed it
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)  # hand-overs that the provider put off
    provider_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "member", "channel", "occurrence"], name="message_once"),
            models.CheckConstraint(condition=models.Q(state__in=MessageState.values), name="message_state_known"),
            models.CheckConstraint(
                condition=~models.Q(state__in=["failed", "skipped"]) | ~models.Q(reason=""),
                name="message_end_has_reason",
            ),
        ]
        indexes = [
            # The frequency cap: touches of a member in the last days.
            models.Index(
                fields=["member", "handed_at"],
                condition=models.Q(handed_at__isnull=False),
                name="message_touches",
            ),
            models.Index(fields=["campaign", "state", "member"], name="message_by_state"),
        ]


class ShortLink(models.Model):
    """A link in a campaign's content; messages carry it signed with their own id."""

    placement = Placement.REFERENCE

    campaign = models.ForeignKey("campaigns.Campaign", models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    url = models.URLField(max_length=2000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "position"], name="short_link_once")]
