"""Shapes of the workbench's API: models, previews, moves, lifecycle limits, alert rules."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from analytics.enums import AlertAgainst, AlertDirection, AlertPart
from analytics.models import AlertRule, RfmModel, RfmModelVersion
from analytics.operations.alerts import Rule
from analytics.operations.rfm_models import Content
from analytics.operations.rfm_preview import Preview, Row
from analytics.queries.rfm_moves import Migration
from analytics.rules.lifecycle import Limits
from analytics.rules.moves import Matrix
from scrm.common.money import to_decimal

LARGEST_ID = 2**62


class ContentIn(serializers.Serializer):
    """What a model computes. `definition` and `scope` as they are answered; what is missing is as usual."""

    name = serializers.CharField(max_length=60)
    window_days = serializers.IntegerField(default=365, min_value=1, max_value=3650)
    currency = serializers.CharField(default="", allow_blank=True, max_length=3)
    scope = serializers.DictField(default=dict)
    definition = serializers.DictField(default=dict)
    nightly = serializers.BooleanField(default=True)

    def content(self) -> Content:
        values = self.validated_data
        return Content(**{name: values[name] for name in Content.__slots__})


class ChangeIn(ContentIn):
    """The whole of the next version; `version` is the one it was made from."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    note = serializers.CharField(default="", allow_blank=True, max_length=200)


class PreviewIn(ContentIn):
    name = serializers.CharField(default="preview", max_length=60)


class RestoreIn(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    from_version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class ModelSerializer(serializers.ModelSerializer):
    class Meta:
        model = RfmModel
        fields = [
            "id", "name", "version", "is_default", "window_days", "currency", "scope", "definition", "nightly",
            "archived_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class VersionSerializer(serializers.ModelSerializer):
    class Meta:
        model = RfmModelVersion
        fields = ["version", "content", "note", "actor", "at"]
        read_only_fields = fields


class RowSerializer(serializers.Serializer):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name, not the label of this one
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    net_after = serializers.CharField()


class PreviewSerializer(serializers.Serializer):
    """Members per class, layer and cell as published and as these settings would have them. Nothing is written."""

    as_of = serializers.DateField()
    exact = serializers.BooleanField()
    currency = serializers.CharField()
    buyers_before = serializers.IntegerField()
    buyers_after = serializers.IntegerField()
    cuts = serializers.DictField(child=serializers.ListField(child=serializers.IntegerField()))
    middles = serializers.DictField(child=serializers.FloatField())
    classes = RowSerializer(many=True)
    layers = RowSerializer(many=True)
    cells = RowSerializer(many=True)


def preview_answer(found: Preview) -> dict[str, Any]:
    """What `PreviewSerializer` describes."""

    def row(entry: Row) -> dict[str, Any]:
        return {
            "key": entry.key,
            "label": entry.label,
            "before": entry.before,
            "after": entry.after,
            "net_after": to_decimal(entry.net_after),
        }

    return {
        "as_of": found.as_of,
        "exact": found.exact,
        "currency": found.currency,
        "buyers_before": found.buyers_before,
        "buyers_after": found.buyers_after,
        "cuts": found.cuts,
        "middles": found.middles,
        "classes": [row(entry) for entry in found.classes],
        "layers": [row(entry) for entry in found.layers],
        "cells": [row(entry) for entry in found.cells.values()],
    }


class MovesQuery(serializers.Serializer):
    earlier = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    later = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)


class MigrationQuery(MovesQuery):
    kind = serializers.ChoiceField(choices=["layer", "class"], default="layer")


class TransitionQuery(MovesQuery):
    kind = serializers.ChoiceField(choices=["lifecycle", "aipl"], default="lifecycle")


class FlowSerializer(serializers.Serializer):
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)
    members = serializers.IntegerField()


class MovesSerializer(serializers.Serializer):
    """Members by where they were and where they are; who stayed too. "" is without orders, or not a member yet."""

    earlier = serializers.IntegerField()
    later = serializers.IntegerField()
    kind = serializers.CharField()
    moved = serializers.IntegerField()
    stayed = serializers.IntegerField()
    flows = FlowSerializer(many=True)


def moves_answer(earlier: int, later: int, kind: str, matrix: Matrix) -> dict[str, Any]:
    """What `MovesSerializer` describes."""
    return {
        "earlier": earlier,
        "later": later,
        "kind": kind,
        "moved": matrix.moved,
        "stayed": matrix.stayed,
        "flows": [
            {"before": before, "after": after, "members": members}
            for (before, after), members in sorted(matrix.counts.items())
            if members
        ],
    }


def migration_answer(found: Migration) -> dict[str, Any]:
    return moves_answer(found.earlier.pk, found.later.pk, found.kind, found.matrix)


class LimitsIn(serializers.Serializer):
    new_days = serializers.IntegerField(min_value=1, max_value=3650)
    sleeping_days = serializers.IntegerField(min_value=1, max_value=3650)
    lost_days = serializers.IntegerField(min_value=1, max_value=3650)
    returned_days = serializers.IntegerField(min_value=1, max_value=3650)
    loyal_orders = serializers.IntegerField(min_value=1, max_value=3650)
    interest_days = serializers.IntegerField(min_value=1, max_value=3650)
    activity_types = serializers.ListField(child=serializers.CharField(max_length=60), default=list, max_length=50)

    def limits(self) -> Limits:
        values = {name: self.validated_data[name] for name in Limits.__slots__}
        return Limits(**{**values, "activity_types": tuple(values["activity_types"])})


class LimitsChangeIn(LimitsIn):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class LimitsSerializer(LimitsIn):
    """The limits that tell the stages apart, in their newest version."""

    version = serializers.IntegerField()


def limits_answer(version: int, limits: Limits) -> dict[str, Any]:
    return {"version": version, **asdict(limits), "activity_types": list(limits.activity_types)}


class StagePreviewSerializer(serializers.Serializer):
    """Flows from the stages published to those that the limits would give."""

    exact = serializers.BooleanField()
    stages = FlowSerializer(many=True)
    aipl = FlowSerializer(many=True)


class AlertRuleIn(serializers.Serializer):
    """`model` for classes and layers; `key` empty: each class, layer or stage."""

    part = serializers.ChoiceField(choices=AlertPart.choices)
    model = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=LARGEST_ID)
    key = serializers.CharField(default="", allow_blank=True, max_length=20)
    direction = serializers.ChoiceField(choices=AlertDirection.choices)
    percent = serializers.IntegerField(min_value=1, max_value=10_000)
    against = serializers.ChoiceField(choices=AlertAgainst.choices, default=AlertAgainst.FORMER)
    smallest = serializers.IntegerField(default=10, min_value=0, max_value=10**9)
    enabled = serializers.BooleanField(default=True)

    def rule(self) -> Rule:
        values = dict(self.validated_data)
        model_id = values.pop("model")
        return Rule(**values, model_id=model_id)


class AlertRuleSerializer(serializers.ModelSerializer):
    class Meta:
        model = AlertRule
        fields = [
            "id", "part", "model", "key", "direction", "percent", "against", "smallest", "enabled", "created_at",
        ]  # fmt: skip
        read_only_fields = fields
