"""What the API of segments and conditions takes and gives."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from tags.api.tag_serializers import MAX_MEMBERS, IdentitySerializer
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
    """With a condition a dynamic segment; with `kind` "static" an empty list, to which members are added."""

    name = serializers.CharField(max_length=60)
    description = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    kind = serializers.ChoiceField(choices=["dynamic", "static"], default="dynamic")
    condition = ConditionField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["kind"] == "dynamic") != ("condition" in attrs):
            raise serializers.ValidationError({"condition": _("A dynamic segment has a condition, a list has none.")})
        return attrs


class SegmentPatch(serializers.Serializer):
    """`version` is the one that was read: a change that somebody else made since then is a conflict.

    `excluded_ids` are segments whose members are left out; an empty list takes them in again.
    """

    version = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=60, required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    condition = ConditionField(required=False)
    excluded_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), max_length=100, required=False
    )


class SnapshotIn(serializers.Serializer):
    """The whole segment, or a random sample: `percent` of its members, or `size` of them."""

    name = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)
    percent = serializers.DecimalField(max_digits=6, decimal_places=3, required=False, default=None)
    size = serializers.IntegerField(min_value=1, required=False, default=None)
    salt = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)


class SnapshotOut(serializers.Serializer):
    """`job_id`: the members of a large segment are still being written by this job."""

    segment = SegmentSerializer()
    job_id = serializers.IntegerField(allow_null=True)


class SplitIn(serializers.Serializer):
    parts = serializers.IntegerField()
    salt = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)


class SegmentItemsOut(serializers.Serializer):
    items = SegmentSerializer(many=True)


class FollowIn(serializers.Serializer):
    followed = serializers.BooleanField()


class ListMembersIn(serializers.Serializer):
    """Members by id, by identity, or both. `remove`: take them off the list instead."""

    member_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        max_length=MAX_MEMBERS,
        required=False,
        default=list,
    )
    identities = serializers.ListField(child=IdentitySerializer(), max_length=MAX_MEMBERS, required=False, default=list)
    remove = serializers.BooleanField(required=False, default=False)


class ListMembersOut(serializers.Serializer):
    """How many members changed, and the identities that nobody has (by their place in the request)."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    unknown_identities = serializers.ListField(child=serializers.IntegerField())


class OverlapRowOut(serializers.Serializer):
    """`common[i]`: how many members it shares with the i-th of the usable segments; `fault`: why it is not usable."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    common = serializers.ListField(child=serializers.IntegerField())
    fault = serializers.CharField()


class RegionOut(serializers.Serializer):
    """Members in exactly the segments `inside`, of those of the diagram, and the condition that selects them."""

    inside = serializers.ListField(child=serializers.IntegerField())
    members = serializers.IntegerField()
    condition = ConditionField()


class OverlapOut(serializers.Serializer):
    as_of = serializers.DateTimeField()
    segments = OverlapRowOut(many=True)
    regions = RegionOut(many=True)


class DependentOut(serializers.Serializer):
    kind = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()


class DependentsOut(serializers.Serializer):
    items = DependentOut(many=True)


class SizeOut(serializers.Serializer):
    counted_on = serializers.DateField()
    members = serializers.IntegerField()


class SizesOut(serializers.Serializer):
    """The last count of each shop day, oldest first, and who entered and left in the last 7 days, if noted."""

    items = SizeOut(many=True)
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


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
