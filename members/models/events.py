from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import usual_name
from scrm.common.audit import audited
from scrm.common.placement import Placement


class EventType(models.Model):
    """A kind of event: declared, or registered when first seen. `name` is what the brand calls it."""

    placement = Placement.REFERENCE

    key = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=60, blank=True)
    icon = models.CharField(max_length=32, blank=True)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name or usual_name(self.key) or self.key


class Event(models.Model):
    """A fact about a member. An event's identity is (source, message id): sending it again changes nothing.

    No foreign key is checked per row here: the intake resolved all three ids in the same transaction, and members,
    sources and types are never deleted. That check would halve the intake.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    source = models.ForeignKey(
        "members.Source", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    type = models.ForeignKey(EventType, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    message_id = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    amount = models.BigIntegerField(null=True)  # minor units, where the event is about money
    properties = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "source", "message_id"], name="event_once"),
        ]
        indexes = [
            models.Index(fields=["member", "-occurred_at"], name="event_of_member"),
            # What conditions ask of a member: how often, when last. One who browses much has few of most types.
            models.Index(fields=["member", "type", "-occurred_at"], name="event_of_type"),
            # Entries into and exits from each segment, counted by day. Their message id is "segment.entered:5:…".
            models.Index(
                models.Func("message_id", models.Value(":"), models.Value(2), function="split_part"),
                "occurred_at",
                condition=models.Q(message_id__startswith="segment."),
                name="event_of_segment",
            ),
        ]
