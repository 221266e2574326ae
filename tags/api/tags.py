"""The API of tag groups and tags."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.queries import identities
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import Forbidden
from tags.api import tag_serializers as serializers
from tags.api.lists import WritableList
from tags.filtersets import TagFilterSet
from tags.models import Tag, TagGroup
from tags.operations import catalogue, merging, tagging
from tags.queries import tag_dependents
from tags.queries import tagging as queries


class TagGroupListView(WritableList):
    permission = Permission.TAGS_VIEW
    write_permission = Permission.TAGS_MANAGE
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
    write_permission = Permission.TAGS_MANAGE
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


class TagGroupView(ApiView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(
        summary="Change a tag group",
        request=serializers.TagGroupPatch,
        responses={200: serializers.TagGroupSerializer},
    )
    def patch(self, request: Request, group_id: int) -> Response:
        group = catalogue.update_group(group_id=group_id, **valid(serializers.TagGroupPatch(data=request.data)))
        return Response(serializers.TagGroupSerializer(group).data)

    @extend_schema(summary="Delete a tag group that has no tag", responses={204: None})
    def delete(self, request: Request, group_id: int) -> Response:
        catalogue.delete_group(group_id=group_id)
        return Response(status=204)


class TagView(ApiView):
    """One tag: who may see tags may read it, who may manage them may change it."""

    permission = Permission.TAGS_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "PATCH" and not self.actor.may(Permission.TAGS_MANAGE):
            raise Forbidden(_("You may not do this."), code="forbidden")

    @extend_schema(summary="One tag", responses={200: serializers.TagSerializer})
    def get(self, request: Request, tag_id: int) -> Response:
        return Response(serializers.TagSerializer(queries.get(tag_id)).data)

    @extend_schema(summary="Change a tag", request=serializers.TagPatch, responses={200: serializers.TagSerializer})
    def patch(self, request: Request, tag_id: int) -> Response:
        tag = catalogue.update_tag(tag_id=tag_id, **valid(serializers.TagPatch(data=request.data)))
        return Response(serializers.TagSerializer(tag).data)


class TagArchiveView(ApiView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(summary="Archive a tag", request=None, responses={200: serializers.TagSerializer})
    def post(self, request: Request, tag_id: int) -> Response:
        tag = catalogue.archive_tag(tag_id=tag_id, now=clock.now())
        return Response(serializers.TagSerializer(tag).data)


class TagRestoreView(ApiView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(
        summary="Put an archived tag back into use", request=None, responses={200: serializers.TagSerializer}
    )
    def post(self, request: Request, tag_id: int) -> Response:
        return Response(serializers.TagSerializer(catalogue.restore_tag(tag_id=tag_id)).data)


class TagMergeView(ApiView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(
        summary="Merge a tag into another one",
        description="Members and conditions follow; the merged tag stays as an archived signpost. 202 with a job when "
        "many members have it.",
        request=serializers.MergeIn,
        responses={200: serializers.MergeOut, 202: serializers.MergeOut},
    )
    def post(self, request: Request, tag_id: int) -> Response:
        asked = valid(serializers.MergeIn(data=request.data))
        done = merging.merge(tag_id=tag_id, into_id=asked["into_id"], actor=self.actor, now=clock.now())
        body = {"moved": done.moved, "rewritten": done.rewritten, "job_id": done.job_id}
        return Response(body, status=200 if done.job_id is None else 202)


class TagDependentsView(ApiView):
    permission = Permission.TAGS_VIEW

    @extend_schema(summary="What uses a tag", responses={200: serializers.DependentSerializer(many=True)})
    def get(self, request: Request, tag_id: int) -> Response:
        found = tag_dependents.dependents(queries.get(tag_id).pk)
        return Response(serializers.DependentSerializer(found, many=True).data)


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
