from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from scrm.common.audit import audited
from scrm.common.placement import Placement
from tags.enums import SegmentKind


class Segment(models.Model):
    """A set of members: by a condition (dynamic), as it was at an instant (snapshot), or listed (static)."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    description = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=8, choices=SegmentKind, default=SegmentKind.DYNAMIC)
    condition = models.JSONField(null=True)  # a tree of scrm.common.conditions; none for static lists
    origin = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")  # what a snapshot was taken of
    version = models.PositiveIntegerField(default=1)  # counts edits; a form with an older one is a conflict
    member_count = models.BigIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    archived_at = models.DateTimeField(null=True)
    # Set when entries and exits are noted on timelines as they happen.
    watch = models.OneToOneField("tags.Watch", models.SET_NULL, null=True, related_name="segment")

    class Meta:
        triggers = [audited("member_count", "counted_at")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="dynamic", condition__isnull=False) | ~models.Q(kind="dynamic"),
                name="segment_dynamic_has_condition",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """A member of a snapshot or a static list."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("segment_id", "member_id")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="+", db_index=False)
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False, db_constraint=False)

    class Meta:
        indexes = [models.Index(fields=["member", "segment"], name="segment_of_member")]


class SegmentSize(models.Model):
    """How many members a segment had when it was counted; the last count of a shop day stays."""

    placement = Placement.REFERENCE

    pk = models.CompositePrimaryKey("segment_id", "counted_on")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="+", db_index=False)
    counted_on = models.DateField()
    members = models.BigIntegerField()
