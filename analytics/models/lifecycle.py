from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from analytics.enums import AiplStage, RunState, Stage
from scrm.common.audit import audited
from scrm.common.placement import Placement


class LifecycleModel(models.Model):
    """The editable day limits that tell the stages apart; one row."""

    placement = Placement.REFERENCE

    version = models.PositiveIntegerField(default=1)
    # Days since the first order in which a buyer is new; days since the last order after which one sleeps, is lost.
    new_days = models.PositiveIntegerField(default=30)
    sleeping_days = models.PositiveIntegerField(default=90)
    lost_days = models.PositiveIntegerField(default=365)
    returned_days = models.PositiveIntegerField(default=30)
    # Paid orders from which a buyer is loyal (AIPL), and days in which activity shows interest.
    loyal_orders = models.PositiveIntegerField(default=3)
    interest_days = models.PositiveIntegerField(default=30)
    # Keys of the event types that show interest; none: every event of the member's own.
    activity_types = ArrayField(models.CharField(max_length=64), default=list, db_default=[])

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lost_days__gt=models.F("sleeping_days"), sleeping_days__gte=models.F("new_days")),
                name="lifecycle_limits_ordered",
            )
        ]


class LifecycleVersion(models.Model):
    """The rules in one of their versions, and who made it; written once."""

    placement = Placement.REFERENCE

    version = models.PositiveIntegerField(unique=True)
    content = models.JSONField()
    actor = models.CharField(max_length=40)
    at = models.DateTimeField(db_default=Now())


class LifecycleRun(models.Model):
    placement = Placement.LOCAL

    model_version = models.PositiveIntegerField()
    as_of = models.DateField()
    state = models.CharField(max_length=12, choices=RunState, default=RunState.PUBLISHING)
    job = models.ForeignKey("common.Job", models.SET_NULL, null=True, related_name="+")
    changed = models.BigIntegerField(null=True)
    # {"stages": …, "aipl": … (members), "net": {"stages": …, "aipl": …} (minor units), "currency",
    #  "days": {"stages": …, "aipl": …} (median days in the stage so far), "members"}
    distribution = models.JSONField(default=dict)
    started_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True)
    # When conditions over stages had been looked at again for the members whom this run moved.
    followed_at = models.DateTimeField(null=True)


class MemberStage(models.Model):
    """The stage a member is in now."""

    placement = Placement.MEMBER

    member = models.OneToOneField(
        "members.Member", models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    stage = models.CharField(max_length=12, choices=Stage)
    stage_since = models.DateField()
    aipl = models.CharField(max_length=12, choices=AiplStage)
    aipl_since = models.DateField()

    class Meta:
        indexes = [
            models.Index(fields=["stage", "member"], name="stage_members"),
            models.Index(fields=["aipl", "member"], name="aipl_members"),
        ]


class StageChange(models.Model):
    """A member's move from one stage to another."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    run = models.ForeignKey(LifecycleRun, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)  # lifecycle or aipl
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12)

    class Meta:
        indexes = [models.Index(fields=["member", "run"], name="stage_change_of_member")]
