"""What the API of tags takes and gives."""

from __future__ import annotations

from rest_framework import serializers

from members.enums import IdentityKind
from tags.enums import Choice, Colour
from tags.models import Tag, TagGroup

MAX_MEMBERS = 1_000


class TagGroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = TagGroup
        fields = ["id", "name", "choice", "colour", "position", "wecom_group_id"]


class TagGroupIn(serializers.Serializer):
    name = serializers.CharField(max_length=40)
    choice = serializers.ChoiceField(choices=Choice.choices, default=Choice.MULTIPLE.value)
    colour = serializers.ChoiceField(choices=Colour.choices, default=Colour.BLUE.value)
    position = serializers.IntegerField(min_value=0, max_value=32_767, required=False)
    wecom_group_id = serializers.CharField(max_length=64, required=False, allow_blank=True)


class TagGroupPatch(serializers.Serializer):
    """What is to change; what is not given stays."""

    name = serializers.CharField(max_length=40, required=False)
    choice = serializers.ChoiceField(choices=Choice.choices, required=False)
    colour = serializers.ChoiceField(choices=Colour.choices, required=False)
    position = serializers.IntegerField(min_value=0, max_value=32_767, required=False)
    wecom_group_id = serializers.CharField(max_length=64, required=False, allow_blank=True)


class TagSerializer(serializers.ModelSerializer):
    group = TagGroupSerializer()
    colour = serializers.CharField(help_text="Empty: as the group.")
    merged_into_id = serializers.IntegerField(allow_null=True, help_text="The tag that this one was merged into.")
    owner_id = serializers.IntegerField(allow_null=True, help_text="The console user who answers for its meaning.")

    class Meta:
        model = Tag
        fields = [
            "id", "name", "kind", "description", "valid_days", "colour", "owner_id", "wecom_tag_id", "merged_into_id",
            "group", "archived_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class TagPatch(serializers.Serializer):
    """What is to change; what is not given stays. A new name keeps members and history."""

    name = serializers.CharField(max_length=40, required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    valid_days = serializers.IntegerField(min_value=1, max_value=3_650, required=False, allow_null=True)
    colour = serializers.ChoiceField(choices=Colour.choices, required=False, allow_blank=True)
    owner_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, allow_null=True)
    wecom_tag_id = serializers.CharField(max_length=64, required=False, allow_blank=True)


class TagIn(TagPatch):
    group_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    name = serializers.CharField(max_length=40)


class MergeIn(serializers.Serializer):
    into_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class MergeOut(serializers.Serializer):
    """What was done at once, or the job that does it."""

    moved = serializers.IntegerField(help_text="Members who had the tag.")
    rewritten = serializers.IntegerField(help_text="Conditions that name the other tag now.")
    job_id = serializers.IntegerField(allow_null=True)


class DependentSerializer(serializers.Serializer):
    kind = serializers.CharField(help_text="segment, rule, earning_rule, benefit, task, campaign, …")
    label = serializers.CharField()  # type: ignore[assignment]  # also the name of an attribute of fields
    url = serializers.CharField(help_text="Its page in the console.")


class IdentitySerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=IdentityKind.choices)
    value = serializers.CharField(max_length=160)


class TagMembersIn(serializers.Serializer):
    """Members by id, by identity, or both. `remove`: take the tag off instead."""

    member_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        max_length=MAX_MEMBERS,
        required=False,
        default=list,
    )
    identities = serializers.ListField(child=IdentitySerializer(), max_length=MAX_MEMBERS, required=False, default=list)
    reason = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    remove = serializers.BooleanField(required=False, default=False)


class TagMembersOut(serializers.Serializer):
    """How many assignments changed, and the identities that nobody has (by their place in the request)."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    unknown_identities = serializers.ListField(child=serializers.IntegerField())
