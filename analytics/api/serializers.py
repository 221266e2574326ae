"""Shapes of the analytics API. Amounts are decimal strings."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from analytics.models import RfmRun
from analytics.queries.lifecycle import Distribution
from analytics.queries.rfm import Board, Part
from analytics.queries.summary import Summary
from scrm.common.money import to_decimal


class SummaryQuery(serializers.Serializer):
    source = serializers.CharField(required=False, max_length=40)  # type: ignore[assignment]
    paid_only = serializers.BooleanField(required=False, default=True)


class SummarySerializer(serializers.Serializer):
    """All-time totals. `revenue` is gross: `refunds` are told beside it and not subtracted."""

    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    paid_only = serializers.BooleanField()
    buyers = serializers.IntegerField()
    orders = serializers.IntegerField()
    revenue = serializers.CharField()
    refunds = serializers.CharField()
    refund_count = serializers.IntegerField()
    currency = serializers.CharField()
    first_order_at = serializers.DateTimeField(allow_null=True)
    last_order_at = serializers.DateTimeField(allow_null=True)
    as_of = serializers.DateTimeField()

    def to_representation(self, instance: Summary) -> dict[str, Any]:
        found: dict[str, Any] = super().to_representation(instance)
        return found | {"revenue": to_decimal(instance.revenue), "refunds": to_decimal(instance.refunds)}


class ModelQuery(serializers.Serializer):
    model = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class PartSerializer(serializers.Serializer):
    members = serializers.IntegerField()
    net = serializers.CharField()
    share = serializers.FloatField()


class CellSerializer(PartSerializer):
    r = serializers.IntegerField()
    f = serializers.IntegerField()


class RfmSerializer(serializers.Serializer):
    """The published distribution of one model over the members the caller sees."""

    model = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    as_of = serializers.DateField()
    published_at = serializers.DateTimeField()
    buyers = serializers.IntegerField()
    members = serializers.IntegerField()
    net = serializers.CharField()
    cuts = serializers.DictField()
    cells = CellSerializer(many=True)
    classes = serializers.DictField(child=PartSerializer())
    layers = serializers.DictField(child=PartSerializer())


def part(found: Part) -> dict[str, Any]:
    return {"members": found.members, "net": to_decimal(found.net), "share": round(found.share, 6)}


def rfm_answer(board: Board, *, model: int, name: str) -> dict[str, Any]:
    """What `RfmSerializer` describes."""
    return {
        "model": model,
        "name": name,
        "version": board.model_version,
        "as_of": board.as_of,
        "published_at": board.published_at,
        "buyers": board.buyers,
        "members": board.members,
        "net": to_decimal(board.net),
        "cuts": board.cuts,
        "cells": [{"r": r, "f": f, **part(cell)} for (r, f), cell in board.cells.items()],
        "classes": {name_: part(found) for name_, found in board.classes.items()},
        "layers": {name_: part(found) for name_, found in board.layers.items()},
    }


class LifecycleSerializer(serializers.Serializer):
    """Members per stage, over the members the caller sees. Nulls before the first run."""

    as_of = serializers.DateField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    members = serializers.IntegerField()
    stages = serializers.DictField(child=serializers.IntegerField())
    aipl = serializers.DictField(child=serializers.IntegerField())

    def to_representation(self, instance: Distribution) -> dict[str, Any]:
        found: dict[str, Any] = super().to_representation(instance)
        return found


class RunIn(serializers.Serializer):
    model = serializers.IntegerField(required=False, min_value=1, max_value=2**62)
    as_of = serializers.DateField(required=False)


class RunSerializer(serializers.ModelSerializer):
    class Meta:
        model = RfmRun
        fields = [
            "id", "model", "model_version", "as_of", "state", "job", "buyers", "changed", "error",
            "started_at", "published_at",
        ]  # fmt: skip
        read_only_fields = fields
