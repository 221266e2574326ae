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
    # The group of the company's tags in WeCom that this one mirrors.
    wecom_group_id = models.CharField(max_length=64, blank=True)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(
                fields=["wecom_group_id"], condition=~models.Q(wecom_group_id=""), name="tag_group_mirrored_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    placement = Placement.REFERENCE

    group = models.ForeignKey(TagGroup, models.PROTECT, related_name="tags")
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, choices=TagKind, default=TagKind.MANUAL)
    description = models.CharField(max_length=200, blank=True)
    colour = models.CharField(max_length=12, choices=Colour, blank=True)  # empty: the group's
    owner = models.ForeignKey("common.User", models.SET_NULL, null=True, blank=True, related_name="+")
    # Days after which an assignment lapses; none: never.
    valid_days = models.PositiveIntegerField(null=True, blank=True)
    # The tag of the company in WeCom that this one mirrors.
    wecom_tag_id = models.CharField(max_length=64, blank=True)
    # A merged tag stays as a signpost, archived, so that its history keeps its name.
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["group", "name"], name="tag_named_once"),
            models.UniqueConstraint(
                fields=["wecom_tag_id"], condition=~models.Q(wecom_tag_id=""), name="tag_mirrored_once"
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into=None) | models.Q(archived_at__isnull=False),
                name="tag_merged_is_archived",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_colour(self) -> str:
        return self.colour or self.group.colour


class MemberTag(models.Model):
    """A tag on a member, with where it came from and why."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "tag_id")
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=16, choices=TagKind, default=TagKind.MANUAL)
    reason = models.CharField(max_length=200, blank=True)
    # The weight as it was at `weight_at`; it halves every `half_life_days`. Without a half-life it stays.
    weight = models.FloatField(default=1.0, db_default=1.0)
    weight_at = models.DateTimeField(null=True)
    half_life_days = models.FloatField(null=True)
    assigned_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["tag", "member"], name="member_tag_by_tag"),
            models.Index(
                fields=["expires_at"], condition=models.Q(expires_at__isnull=False), name="member_tag_lapsing"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(half_life_days=None) | models.Q(half_life_days__gt=0, weight_at__isnull=False),
                name="member_tag_decays_from_an_instant",
            )
        ]


class TagStatistic(models.Model):
    """How many members had a tag at the end of a shop day, and how many gained and lost it that day."""

    placement = Placement.REFERENCE

    pk = models.CompositePrimaryKey("tag_id", "counted_on")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="+", db_index=False)
    counted_on = models.DateField()
    members = models.BigIntegerField()
    added = models.BigIntegerField(default=0)
    removed = models.BigIntegerField(default=0)
