from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from scrm.common.audit import audited
from scrm.common.placement import Placement


class CheckInCalendar(models.Model):
    """What checking in day after day gives.

    `ladder` holds, for each day of a cycle of `cycle_days`, the rewards of that day of a streak; after the last it
    begins again. `gift` is given besides when a cycle is full. Missed days can be made up, `makeups_per_month` of them,
    at most `back_days` back, for a card or for `makeup_price` points (0: for cards only).
    """

    placement = Placement.REFERENCE

    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    enabled = models.BooleanField(default=True)
    cycle_days = models.IntegerField(default=7)
    ladder = models.JSONField(default=list)
    gift = models.JSONField(default=list)
    makeups_per_month = models.IntegerField(default=0)
    makeup_price = models.BigIntegerField(default=0)
    back_days = models.IntegerField(default=7)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    cycle_days__gte=1, cycle_days__lte=31, makeups_per_month__gte=0, makeups_per_month__lte=31,
                    makeup_price__gte=0, back_days__gte=0, back_days__lte=366, version__gte=1,
                ),
                name="checkin_calendar_in_range",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class CheckIn(models.Model):
    """A member checked in on a day of the shop, or made that day up afterwards. `streak` ends on this day."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "calendar_id", "day")
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    calendar = models.ForeignKey(CheckInCalendar, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    streak = models.IntegerField()
    source = models.CharField(max_length=24)  # "api", "page"
    made_up = models.BooleanField(default=False)
    occurred_at = models.DateTimeField()  # when; of a day that was made up, its beginning
    booked_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(streak__gte=1), name="checkin_streak")]


class CheckInReward(models.Model):
    """A step of the ladder that was given: which day of the cycle (`step`; 0: its gift), the `number`th time that day.

    What a streak has earned is counted against what was given on its days, so that making up a day never gives twice.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "calendar_id", "day", "step", "number")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    calendar = models.ForeignKey(
        CheckInCalendar, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    day = models.DateField()
    step = models.IntegerField()
    number = models.IntegerField()
    given_at = models.DateTimeField()
    set_off = models.BooleanField(default=False)  # against what a longer streak earned

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(step__gte=0, number__gte=1), name="checkin_reward_step"),
        ]
