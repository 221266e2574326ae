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
        fields = ["id", "name", "choice", "colour", "position"]


class TagGroupIn(serializers.Serializer):
    name = serializers.CharField(max_length=40)
    choice = serializers.ChoiceField(choices=Choice.choices, default=Choice.MULTIPLE.value)
    colour = serializers.ChoiceField(choices=Colour.choices, default=Colour.BLUE.value)
    position = serializers.IntegerField(min_value=0, max_value=32_767, default=0)


class TagSerializer(serializers.ModelSerializer):
    group = TagGroupSerializer()

    class Meta:
        model = Tag
        fields = ["id", "name", "kind", "description", "valid_days", "group", "archived_at", "created_at"]


class TagIn(serializers.Serializer):
    group_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    name = serializers.CharField(max_length=40)
    description = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    valid_days = serializers.IntegerField(min_value=1, max_value=3_650, required=False, allow_null=True, default=None)


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
