"""The API of tags, segments and the condition language."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.queries import identities
from scrm.api import problems
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView
from scrm.common import clock, conditions, pagination
from scrm.common.access import Permission
from scrm.common.conditions import BadCondition
from scrm.common.errors import Forbidden
from tags.api import serializers
from tags.filtersets import SegmentFilterSet, TagFilterSet
from tags.models import Segment, Tag, TagGroup
from tags.operations import catalogue, tagging
from tags.operations import segments as operations
from tags.queries import segments


class _WriteAlso(KeysetListView):
    """A list to which POST adds; adding asks for a permission of its own."""

    write_permission: Permission

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not self.actor.may(self.write_permission):
            raise Forbidden(_("You may not do this."), code="forbidden")

    def handle_exception(self, exc: Exception) -> Response:
        return _condition_problem(exc) or super().handle_exception(exc)


def _condition_problem(error: Exception) -> Response | None:
    """Every fault of a condition, each at its JSON pointer."""
    if not isinstance(error, BadCondition):
        return None
    errors = [
        {"field": fault["path"], "code": fault["code"], "message": fault["message"]} for fault in error.detail["errors"]
    ]
    body = problems.document(error.status, str(error.message), code=error.code, errors=errors)
    return Response(body, status=error.status, content_type=problems.MEDIA_TYPE)


def _valid(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class TagGroupListView(_WriteAlso):
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
        group = catalogue.create_group(**_valid(serializers.TagGroupIn(data=request.data)))
        return Response(serializers.TagGroupSerializer(group).data, status=201)


class TagListView(_WriteAlso):
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
        tag = catalogue.create_tag(**_valid(serializers.TagIn(data=request.data)))
        return Response(serializers.TagSerializer(tag).data, status=201)


class TagMembersView(ApiView):
    permission = Permission.TAGS_EDIT

    @extend_schema(
        summary="Put a tag on members, or take it off",
        request=serializers.TagMembersIn,
        responses={200: serializers.TagMembersOut},
    )
    def post(self, request: Request, tag_id: int) -> Response:
        asked = _valid(serializers.TagMembersIn(data=request.data))
        found = identities.visible_members(
            actor=self.actor,
            member_ids=asked["member_ids"],
            named=[(item["kind"], item["value"]) for item in asked["identities"]],
        )
        act = tagging.remove if asked["remove"] else tagging.assign
        done = act(member_ids=found.member_ids, tag_ids=[tag_id], reason=asked["reason"], now=clock.now())
        return Response({"added": done.added, "removed": done.removed, "unknown_identities": found.unknown})


class SegmentListView(_WriteAlso):
    permission = Permission.SEGMENTS_VIEW
    write_permission = Permission.SEGMENTS_EDIT
    serializer_class = serializers.SegmentSerializer
    filterset_class = SegmentFilterSet
    order = (("id", True),)

    def get_queryset(self) -> QuerySet[Segment]:
        return segments.every()

    @extend_schema(summary="List segments")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Create a dynamic segment",
        request=serializers.SegmentIn,
        responses={201: serializers.SegmentSerializer},
    )
    def post(self, request: Request) -> Response:
        segment = operations.create(now=clock.now(), **_valid(serializers.SegmentIn(data=request.data)))
        return Response(serializers.SegmentSerializer(segment).data, status=201)


class SegmentPreviewView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="Count a condition",
        request=serializers.PreviewIn,
        responses={200: serializers.PreviewOut},
    )
    def post(self, request: Request) -> Response:
        asked = _valid(serializers.PreviewIn(data=request.data))
        node = conditions.parse(asked["condition"])
        found = segments.preview(node=node, actor=self.actor, as_of=clock.now())
        return Response(
            {
                "total": found.total,
                "everyone": found.everyone,
                "reachable": found.reachable,
                "sample_ids": found.sample_ids,
                "as_of": found.as_of,
                "sentence": conditions.describe(node),
            }
        )

    def handle_exception(self, exc: Exception) -> Response:
        return _condition_problem(exc) or super().handle_exception(exc)


class SegmentMembersView(KeysetListView):
    permission = Permission.SEGMENTS_VIEW
    page_size = 1_000
    largest_page = 10_000

    @extend_schema(
        summary="The ids of a segment's members, ascending",
        parameters=[
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
            OpenApiParameter("size", int, description="Rows per page, at most 10000."),
        ],
        responses={200: serializers.SegmentMembersOut},
    )
    def get(self, request: Request, segment_id: int) -> Response:
        segment, size = segments.get(segment_id), self.size()
        cursor = request.query_params.get("cursor")
        after = pagination.decode(cursor, 1)[0] if cursor else 0
        ids = segments.member_ids_page(
            segment, actor=self.actor, as_of=clock.now(), after=_position(after), size=size + 1
        )
        more = len(ids) > size
        return Response({"items": ids[:size], "next_cursor": pagination.encode([ids[size - 1]]) if more else None})


def _position(value: Any) -> int:
    """The id a cursor stands at; a cursor that says something else starts over."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0


class ConditionFieldsView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="The fields of the condition language, with operators and choices",
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        return Response({"version": conditions.VERSION, "fields": conditions.describe_fields()})


class ConditionSchemaView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(summary="The condition language as JSON Schema", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        return Response(conditions.json_schema())
