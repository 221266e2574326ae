from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from members.enums import AdjustmentState
from members.models.points import LARGEST_AMOUNT
from scrm.common.audit import audited
from scrm.common.placement import Placement


class PointsAdjustment(models.Model):
    """A correction of a balance by hand: above the currency's limit it waits for a second person.

    `amount` above 0 credits, below 0 takes away. Booked once, under `reference`; a proposal that was approved is booked
    in the same transaction, so that there is no state between the two.
    """

    placement = Placement.LOCAL

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_constraint=False)
    currency = models.ForeignKey("members.PointsCurrency", models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    reference = models.CharField(max_length=120)
    file = models.CharField(max_length=100, blank=True, default="")  # relative to MEDIA_ROOT
    file_name = models.CharField(max_length=120, blank=True, default="")
    file_type = models.CharField(max_length=20, blank=True, default="")
    state = models.CharField(max_length=9, choices=AdjustmentState)
    four_eyes = models.BooleanField()  # above the limit when it was asked for
    asked_by = models.CharField(max_length=40)  # "user:7", "key:3"
    asked_at = models.DateTimeField(db_default=Now())
    decided_by = models.CharField(max_length=40, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=200, blank=True, default="")  # why it was rejected
    entry = models.BigIntegerField(null=True)  # the number of the booked entry

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=AdjustmentState.values), name="adjustment_state_known"),
            models.CheckConstraint(
                condition=Q(amount__gte=-LARGEST_AMOUNT, amount__lte=LARGEST_AMOUNT) & ~Q(amount=0),
                name="adjustment_amount",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="adjustment_has_reason"),
            models.CheckConstraint(condition=~Q(decided_by=models.F("asked_by")), name="adjustment_two_people"),
            models.CheckConstraint(
                condition=~Q(state="booked") | Q(entry__isnull=False, decided_at__isnull=False),
                name="adjustment_booked_has_entry",
            ),
            models.CheckConstraint(
                condition=~Q(state="booked", four_eyes=True, decided_by=""), name="adjustment_four_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | Q(decided_at__isnull=False) & ~Q(decided_by="") & ~Q(answer=""),
                name="adjustment_rejected_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state="proposed") | Q(decided_at=None, decided_by="", entry=None, four_eyes=True),
                name="adjustment_proposed_is_open",
            ),
            models.UniqueConstraint(fields=["member", "currency", "reference"], name="adjustment_once"),
        ]
        indexes = [models.Index(fields=["state", "-id"], name="adjustment_by_state")]

    def __str__(self) -> str:
        return f"{self.amount:+d}"
