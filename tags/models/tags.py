from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from scrm.common.audit import audited
from scrm.common.placement import Placement
from tags.enums import Choice, Colour, TagKind


class TagGroup(models.Model):
    placement = Placement.REFERENCE

    name = models.CharField(max_length=40, unique=True)
    choice = models.CharField(max_length=8, choices=Choice, default=Choice.MULTIPLE)
    colour = models.CharField(max_length=12, choices=Colour, default=Colour.BLUE)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    placement = Placement.REFERENCE

    group = models.ForeignKey(TagGroup, models.PROTECT, related_name="tags")
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, choices=TagKind, default=TagKind.MANUAL)
    description = models.CharField(max_length=200, blank=True)
    # Days after which an assignment lapses; none: never.
    valid_days = models.PositiveIntegerField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [models.UniqueConstraint(fields=["group", "name"], name="tag_named_once")]

    def __str__(self) -> str:
        return self.name


class MemberTag(models.Model):
    """A tag on a member, with where it came from and why."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "tag_id")
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=16, choices=TagKind, default=TagKind.MANUAL)
    reason = models.CharField(max_length=200, blank=True)
    weight = models.FloatField(default=1.0, db_default=1.0)
    assigned_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["tag", "member"], name="member_tag_by_tag")]
