from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from members.enums import EarningState, EarningTrigger
from scrm.common.audit import audited
from scrm.common.placement import Placement


class EarningRule(models.Model):
    """What earns points: orders or events. What it says stands in its versions, when each counts in its periods."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60)
    currency = models.ForeignKey("members.PointsCurrency", models.PROTECT, related_name="+")
    trigger = models.CharField(max_length=8, choices=EarningTrigger)
    state = models.CharField(max_length=8, choices=EarningState, default=EarningState.DRAFT)
    version = models.IntegerField(default=1)  # the newest
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="earning_rule_name"),
            models.CheckConstraint(condition=models.Q(trigger__in=EarningTrigger.values), name="earning_rule_trigger"),
            models.CheckConstraint(condition=models.Q(state__in=EarningState.values), name="earning_rule_state"),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="earning_rule_version"),
        ]

    def __str__(self) -> str:
        return self.name


class EarningRuleVersion(models.Model):
    """What a rule says. Append-only: an edit makes the next one."""

    placement = Placement.REFERENCE

    rule = models.ForeignKey(EarningRule, models.PROTECT, related_name="versions")
    number = models.IntegerField()
    definition = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="earning_version_once"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="earning_version_number"),
        ]


class EarningPeriod(models.Model):
    """From when until when a version counts: for facts that happened then. Periods of a rule do not overlap (0020)."""

    placement = Placement.REFERENCE

    rule = models.ForeignKey(EarningRule, models.PROTECT, related_name="periods")
    version = models.ForeignKey(EarningRuleVersion, models.PROTECT, related_name="periods")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at=None) | models.Q(ends_at__gt=models.F("starts_at")),
                name="earning_period_has_length",
            ),
            models.UniqueConstraint(
                fields=["rule"], condition=models.Q(ends_at=None), name="earning_period_one_is_open"
            ),
        ]


class EarningBudget(models.Model):
    """How many points a rule with a programme budget has given. One row a rule, locked by whoever gives."""

    placement = Placement.REFERENCE

    rule = models.OneToOneField(EarningRule, models.PROTECT, primary_key=True, related_name="budget")
    used = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(used__gte=0), name="earning_budget_not_negative")]


class PointsEarning(models.Model):
    """What a fact earns in a currency, and how much of that is booked.

    `gross` is what its rules give, `points` what is left of it after refunds, `booked` what the ledger has earned less
    reversed under `source`: more than `points` only where the currency's policy takes back less than asked.
    `lines` explain the gross points. `kept` is what was true when the fact first counted, so that it stays true.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "source")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        "members.PointsCurrency", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    source = models.CharField(max_length=80)  # "order:<id>" or "event:<id>", as in the ledger
    occurred_at = models.DateTimeField()
    amount = models.BigIntegerField()  # minor units, of the fact
    net = models.BigIntegerField()  # what is left of it after refunds
    gross = models.BigIntegerField()
    points = models.BigIntegerField()
    booked = models.BigIntegerField()
    revision = models.IntegerField()  # how often it was booked: numbers the references
    lines = models.JSONField()
    kept = models.JSONField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    points__gte=0, points__lte=models.F("gross"), booked__gte=0, revision__gte=0,
                    net__gte=0, net__lte=models.F("amount"),
                ),
                name="points_earning_adds_up",
            ),
        ]  # fmt: skip
        indexes = [
            # For limits per day and month.
            models.Index(fields=["member", "currency", "occurred_at"], name="points_earning_in_time"),
        ]


class EarningTrial(models.Model):
    """A dry run: what a version would have given for past orders, beside the rules that are in force. Books nothing."""

    placement = Placement.LOCAL

    rule = models.ForeignKey(EarningRule, models.CASCADE, related_name="trials")
    version = models.ForeignKey(EarningRuleVersion, models.PROTECT, related_name="+")
    job = models.ForeignKey("common.Job", models.SET_NULL, null=True, related_name="+")
    from_on = models.DateField()
    until_on = models.DateField()  # the last day
    result = models.JSONField(null=True)  # when it has finished
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(until_on__gte=models.F("from_on")), name="earning_trial_range")
        ]
