from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from analytics.enums import RfmClass, RfmLayer, RunState
from scrm.common.audit import audited
from scrm.common.placement import Placement


class RfmModel(models.Model):
    """How RFM is computed. Editing makes the next version; scores say which version made them."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    version = models.PositiveIntegerField(default=1)
    is_default = models.BooleanField(default=False)
    window_days = models.PositiveIntegerField(default=365)
    # Only orders of this source; none: of every source.
    source = models.ForeignKey("members.Source", models.PROTECT, null=True, blank=True, related_name="+")
    # {"cuts": {"r": {"mode": "quantile"|"typed", "values": […]}, "f": …, "m": …},
    #  "middle": {"r": {"mode": "mean"|"median"|"typed", "value": …}, …}, "layers": […]}; see analytics/rules/rfm.py
    definition = models.JSONField(default=dict)
    nightly = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=models.Q(is_default=True), name="rfm_one_default"),
            models.CheckConstraint(
                condition=models.Q(window_days__gte=1, window_days__lte=3650), name="rfm_window_sane"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RfmRun(models.Model):
    """One computation, published whole: readers see the former run until every score of this one stands."""

    placement = Placement.LOCAL

    model = models.ForeignKey(RfmModel, models.CASCADE, related_name="runs")
    model_version = models.PositiveIntegerField()
    as_of = models.DateField()  # the shop day at whose end the scores hold
    state = models.CharField(max_length=12, choices=RunState, default=RunState.AGGREGATING)
    job = models.ForeignKey("common.Job", models.SET_NULL, null=True, related_name="+")
    # The id ranges still to add up, as [low, high] pairs done; the run is resumable.
    ranges_total = models.PositiveIntegerField(default=0)
    ranges_done = ArrayField(models.PositiveIntegerField(), default=list)
    cuts = models.JSONField(default=dict)  # the cut points used, per dimension
    middles = models.JSONField(default=dict)
    buyers = models.BigIntegerField(null=True)
    changed = models.BigIntegerField(null=True)
    distribution = models.JSONField(default=dict)  # {"cells": …, "classes": …, "layers": …} with counts and net amounts
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=models.Q(state__in=["aggregating", "publishing"]), name="rfm_one_open_run"
            )
        ]
        indexes = [models.Index(fields=["model", "-id"], name="rfm_run_of_model")]


class RfmAggregate(models.Model):
    """Scratch rows of a running computation: what each buyer's orders add up to. Emptied at publication.

    Unlogged and, in the database, without any index: rows are only ever written once and read all together.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("run_id", "member_id")
    run = models.ForeignKey(RfmRun, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    last_paid_at = models.DateTimeField()
    frequency = models.IntegerField()
    monetary = models.BigIntegerField()


class RfmScore(models.Model):
    """A member's published scores. Members without a counting order in the window have no row (layer: prospect)."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("model_id", "member_id")
    model = models.ForeignKey(RfmModel, models.CASCADE, related_name="+", db_index=False)
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    last_paid_at = models.DateTimeField()
    frequency = models.IntegerField()
    monetary = models.BigIntegerField()  # net paid amount in the window, minor units
    r = models.SmallIntegerField()
    f = models.SmallIntegerField()
    m = models.SmallIntegerField()
    rfm_class = models.CharField(max_length=20, choices=RfmClass)
    layer = models.CharField(max_length=20, choices=RfmLayer)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(r__gte=1, r__lte=5, f__gte=1, f__lte=5, m__gte=1, m__lte=5),
                name="rfm_scores_in_range",
            )
        ]
        indexes = [
            models.Index(fields=["model", "r", "f", "member"], name="rfm_by_cell"),
            models.Index(fields=["model", "rfm_class", "member"], name="rfm_by_class"),
            models.Index(fields=["model", "layer", "member"], name="rfm_by_layer"),
        ]


class RfmChange(models.Model):
    """A member's move between classes or layers in one run; what migration is drawn from."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    run = models.ForeignKey(RfmRun, models.CASCADE, related_name="+")
    class_before = models.CharField(max_length=20, blank=True)
    class_after = models.CharField(max_length=20, blank=True)
    layer_before = models.CharField(max_length=20, blank=True)
    layer_after = models.CharField(max_length=20, blank=True)

    class Meta:
        indexes = [models.Index(fields=["member", "run"], name="rfm_change_of_member")]
