"""What the API of segments and conditions takes and gives."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tags.models import Segment


class SegmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Segment
        fields = [
            "id", "name", "description", "kind", "condition", "origin_id", "version",
            "created_at", "updated_at", "archived_at",
        ]  # fmt: skip
        read_only_fields = fields


class ConditionField(serializers.JSONField):
    """A tree of the condition language; see /conditions/schema."""

    def to_internal_value(self, data: Any) -> Any:
        # Checked by the operation, which names each faulty leaf.
        return data


class SegmentIn(serializers.Serializer):
    name = serializers.CharField(max_length=60)
    description = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    condition = ConditionField()


class PreviewIn(serializers.Serializer):
    condition = ConditionField()


class PreviewOut(serializers.Serializer):
    """Exact at `as_of`, of the members that the caller may see."""

    total = serializers.IntegerField()
    everyone = serializers.IntegerField()
    reachable = serializers.DictField(child=serializers.IntegerField())
    sample_ids = serializers.ListField(child=serializers.IntegerField())
    as_of = serializers.DateTimeField()
    sentence = serializers.CharField()


class SegmentMembersOut(serializers.Serializer):
    items = serializers.ListField(child=serializers.IntegerField())
    next_cursor = serializers.CharField(allow_null=True)
