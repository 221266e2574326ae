from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from analytics.enums import RfmClass, RunState
from scrm.common.audit import audited
from scrm.common.placement import Placement


class RfmModel(models.Model):
    """How RFM is computed. Editing makes the next version; scores say which version made them."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    version = models.PositiveIntegerField(default=1)
    is_default = models.BooleanField(default=False)
    window_days = models.PositiveIntegerField(default=365)
    # The only currency whose orders count; empty: the shop's. Amounts of different currencies are never added up.
    currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    # Which orders count: {"sources": [id], "stores": [id], "regions": [id], "channels": […], "categories": […]};
    # a list that is missing or empty does not narrow. See analytics/rules/rfm_scope.py
    scope = models.JSONField(default=dict, db_default={})
    # {"cuts": {"r": {"mode": "quantile"|"typed", "values": […]}, "f": …, "m": …},
    #  "middle": {"r": {"mode": "mean"|"median"|"typed", "value": …}, …}, "layers": […], "classes": {…}};
    # see analytics/rules/rfm.py
    definition = models.JSONField(default=dict)
    nightly = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True)
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


class RfmModelVersion(models.Model):
    """What a model was in one of its versions, who made it and why; written once."""

    placement = Placement.REFERENCE

    model = models.ForeignKey(RfmModel, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    content = models.JSONField()  # name, window_days, currency, scope, definition, nightly
    note = models.CharField(max_length=200, blank=True, default="", db_default="")
    actor = models.CharField(max_length=40)  # as the audit log names them: user:7
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="rfm_version_once")]


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
    # {"cube": {"rfm": [members, net]}, "cells": {"rf": …}, "classes": …, "layers": …, "buyers", "net", "currency"}
    distribution = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True)
    # When conditions over scores had been looked at again for the members whose scores this run changed.
    followed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=models.Q(state__in=["aggregating", "publishing"]), name="rfm_one_open_run"
            )
        ]
        indexes = [models.Index(fields=["model", "-id"], name="rfm_run_of_model")]


class RfmAggregate(models.Model):
    """What the orders of a range of members add up to: columns in binary, see analytics/rules/rfm_facts.py.

    Unlogged: a crash empties it and an open run starts its ranges over. Those of the published run stay for previews.
    """

    placement = Placement.LOCAL

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(RfmRun, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    number = models.PositiveIntegerField()
    members = models.PositiveIntegerField()
    packed = models.BinaryField()


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
    layer = models.CharField(max_length=20)  # one of the model's layers
    # The run that wrote the row last.
    run = models.ForeignKey(RfmRun, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False)

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
