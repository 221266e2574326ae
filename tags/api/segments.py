"""The API of segments and of the condition language."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView
from scrm.common import clock, conditions, pagination
from scrm.common.access import Permission
from tags.api import segment_serializers as serializers
from tags.api.lists import WritableList, condition_problem, valid
from tags.filtersets import SegmentFilterSet
from tags.models import Segment
from tags.operations import segments as operations
from tags.queries import segments


class SegmentListView(WritableList):
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
        segment = operations.create(now=clock.now(), **valid(serializers.SegmentIn(data=request.data)))
        return Response(serializers.SegmentSerializer(segment).data, status=201)


class SegmentPreviewView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="Count a condition",
        request=serializers.PreviewIn,
        responses={200: serializers.PreviewOut},
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.PreviewIn(data=request.data))
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
        return condition_problem(exc) or super().handle_exception(exc)


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
