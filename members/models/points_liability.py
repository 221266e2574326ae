from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from scrm.common.placement import Placement


class PointsLiability(models.Model):
    """What members held of a currency at the end of a shop day's count, and what it would cost to redeem it all."""

    placement = Placement.LOCAL

    currency = models.ForeignKey("members.PointsCurrency", models.CASCADE, related_name="+")
    day = models.DateField()
    available = models.BigIntegerField()  # what is in arrears is not deducted: others' points are owed all the same
    pending = models.BigIntegerField()
    held = models.BigIntegerField()
    arrears = models.BigIntegerField()
    members = models.BigIntegerField()  # who have any
    cost = models.BigIntegerField()  # minor units, at the currency's cost of that day
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "day"], name="points_liability_daily"),
            models.CheckConstraint(
                condition=Q(available__gte=0, pending__gte=0, held__gte=0, arrears__gte=0, members__gte=0, cost__gte=0),
                name="points_liability_not_negative",
            ),
        ]


class PointsCohort(models.Model):
    """What became of the points that were earned in a shop month: the parts add up to what was earned."""

    placement = Placement.LOCAL

    currency = models.ForeignKey("members.PointsCurrency", models.CASCADE, related_name="+")
    month = models.DateField()  # its first day
    earned = models.BigIntegerField()
    used = models.BigIntegerField()  # spent, taken away by hand, or moved
    expired = models.BigIntegerField()
    reversed = models.BigIntegerField()
    outstanding = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "month"], name="points_cohort_monthly"),
            models.CheckConstraint(
                condition=Q(earned=F("used") + F("expired") + F("reversed") + F("outstanding")),
                name="points_cohort_adds_up",
            ),
        ]


class PointsExpiry(models.Model):
    """How many of the points that members hold expire in a shop month unless they are used before."""

    placement = Placement.LOCAL

    currency = models.ForeignKey("members.PointsCurrency", models.CASCADE, related_name="+")
    month = models.DateField()  # its first day
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "month"], name="points_expiry_monthly"),
            models.CheckConstraint(condition=Q(amount__gte=1), name="points_expiry_amount"),
        ]
