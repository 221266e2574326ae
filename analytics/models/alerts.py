from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from analytics.enums import AlertAgainst, AlertDirection, AlertPart
from scrm.common.audit import audited
from scrm.common.placement import Placement


class AlertRule(models.Model):
    """Tell people when a part of the members grows or shrinks by more than so many per cent."""

    placement = Placement.REFERENCE

    part = models.CharField(max_length=12, choices=AlertPart)
    # Of which model, for classes and layers.
    model = models.ForeignKey("analytics.RfmModel", models.CASCADE, null=True, related_name="+")
    key = models.CharField(max_length=20, blank=True)  # of the class, layer or stage; empty: of each
    direction = models.CharField(max_length=8, choices=AlertDirection)
    percent = models.PositiveIntegerField()
    against = models.CharField(max_length=8, choices=AlertAgainst, default=AlertAgainst.FORMER)
    # Parts that had fewer members are passed over: two of three is no alarm.
    smallest = models.PositiveIntegerField(default=10)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(percent__gte=1, percent__lte=10_000), name="alert_percent_sane"),
            models.CheckConstraint(
                condition=models.Q(part__in=["class", "layer"], model__isnull=False)
                | models.Q(part__in=["stage", "aipl"], model__isnull=True),
                name="alert_model_fits_part",
            ),
        ]


class Alert(models.Model):
    """A rule that came true at a publication."""

    placement = Placement.LOCAL

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="alerts")
    rfm_run = models.ForeignKey("analytics.RfmRun", models.CASCADE, null=True, related_name="+")
    lifecycle_run = models.ForeignKey("analytics.LifecycleRun", models.CASCADE, null=True, related_name="+")
    key = models.CharField(max_length=20)
    before = models.BigIntegerField()
    after = models.BigIntegerField()
    compared_on = models.DateField()  # the day whose figures it was compared with
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "rfm_run", "lifecycle_run", "key"], nulls_distinct=False, name="alert_once"
            )
        ]
