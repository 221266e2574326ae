from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from analytics.enums import ModelKey, RunState
from scrm.common.placement import Placement


class ModelScore(models.Model):
    """What one model concludes about a member. Who has too little evidence has no row: the answer is unknown."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "model")
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    model = models.CharField(max_length=12, choices=ModelKey)
    value = models.CharField(max_length=60)
    # Further values that hold as well, the best first: second and third preferred category.
    others = ArrayField(models.CharField(max_length=60), default=list, db_default=[])
    score = models.FloatField()  # its meaning belongs to the model, see analytics/rules/model_tags
    evidence = models.IntegerField()  # how many orders, lines, facts it rests on
    as_of = models.DateField()  # the shop day of the run that wrote the row; it stays while nothing differs

    class Meta:
        indexes = [models.Index(fields=["model", "value", "member"], name="model_score_by_value")]
        constraints = [
            models.CheckConstraint(condition=models.Q(model__in=ModelKey.values), name="model_score_model_known"),
            models.CheckConstraint(condition=~models.Q(value=""), name="model_score_has_value"),
        ]


class ModelRun(models.Model):
    """One computation of one model. The range from `next_id` on is still to be done: a run is resumable."""

    placement = Placement.LOCAL

    model = models.CharField(max_length=12, choices=ModelKey)
    as_of = models.DateField()  # the shop day at whose end the values hold
    state = models.CharField(max_length=12, choices=RunState, default=RunState.PUBLISHING)
    job = models.ForeignKey("common.Job", models.SET_NULL, null=True, related_name="+")
    population = models.JSONField(default=dict)  # what the model knows of everybody; frozen while the run lasts
    next_id = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)  # members whose value differs from the former run's
    known = models.BigIntegerField(null=True)
    unknown = models.BigIntegerField(null=True)
    distribution = models.JSONField(default=dict)  # members per value
    quality = models.JSONField(default=dict)  # figures of how good the model is, by its own measure
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(model__in=ModelKey.values), name="model_run_model_known"),
            models.UniqueConstraint(
                fields=["model"], condition=models.Q(state="publishing"), name="model_one_open_run"
            ),
        ]
        indexes = [models.Index(fields=["model", "-id"], name="model_run_of_model")]


class ModelValue(models.Model):
    """The tag that stands for a value. Operators may rename the tag or its group; the value stays."""

    placement = Placement.REFERENCE

    pk = models.CompositePrimaryKey("model", "value")
    model = models.CharField(max_length=12, choices=ModelKey)
    value = models.CharField(max_length=60)
    tag = models.OneToOneField("tags.Tag", models.CASCADE, related_name="+")
