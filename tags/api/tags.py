"""The API of tag groups and tags."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.queries import identities
from scrm.api.views import ApiView
from scrm.common import clock
from scrm.common.access import Permission
from tags.api import tag_serializers as serializers
from tags.api.lists import WritableList, valid
from tags.filtersets import TagFilterSet
from tags.models import Tag, TagGroup
from tags.operations import catalogue, tagging


class TagGroupListView(WritableList):
    permission = Permission.TAGS_VIEW
    write_permission = Permission.TAGS_EDIT
    serializer_class = serializers.TagGroupSerializer
    order = (("position", False), ("id", False))

    def get_queryset(self) -> QuerySet[TagGroup]:
        return TagGroup.objects.all()

    @extend_schema(summary="List tag groups")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Create a tag group",
        request=serializers.TagGroupIn,
        responses={201: serializers.TagGroupSerializer},
    )
    def post(self, request: Request) -> Response:
        group = catalogue.create_group(**valid(serializers.TagGroupIn(data=request.data)))
        return Response(serializers.TagGroupSerializer(group).data, status=201)


class TagListView(WritableList):
    permission = Permission.TAGS_VIEW
    write_permission = Permission.TAGS_EDIT
    serializer_class = serializers.TagSerializer
    filterset_class = TagFilterSet
    order = (("id", False),)

    def get_queryset(self) -> QuerySet[Tag]:
        return Tag.objects.select_related("group")

    @extend_schema(summary="List tags")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(summary="Create a tag", request=serializers.TagIn, responses={201: serializers.TagSerializer})
    def post(self, request: Request) -> Response:
        tag = catalogue.create_tag(**valid(serializers.TagIn(data=request.data)))
        return Response(serializers.TagSerializer(tag).data, status=201)


class TagMembersView(ApiView):
    permission = Permission.TAGS_EDIT

    @extend_schema(
        summary="Put a tag on members, or take it off",
        request=serializers.TagMembersIn,
        responses={200: serializers.TagMembersOut},
    )
    def post(self, request: Request, tag_id: int) -> Response:
        asked = valid(serializers.TagMembersIn(data=request.data))
        found = identities.visible_members(
            actor=self.actor,
            member_ids=asked["member_ids"],
            named=[(item["kind"], item["value"]) for item in asked["identities"]],
        )
        act = tagging.remove if asked["remove"] else tagging.assign
        done = act(member_ids=found.member_ids, tag_ids=[tag_id], reason=asked["reason"], now=clock.now())
        return Response({"added": done.added, "removed": done.removed, "unknown_identities": found.unknown})
