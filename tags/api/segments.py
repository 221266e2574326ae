"""The API of segments: the list, one of them, who is in it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.queries import identities
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock, conditions, pagination
from scrm.common.access import Permission
from scrm.common.errors import Forbidden
from tags.api import segment_serializers as serializers
from tags.api.lists import WritableList, condition_problem
from tags.filtersets import SegmentFilterSet
from tags.models import Segment
from tags.operations import segment_lists
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
        summary="Create a segment or a list",
        request=serializers.SegmentIn,
        responses={201: serializers.SegmentSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.SegmentIn(data=request.data))
        make = operations.create if asked.pop("kind") == "dynamic" else segment_lists.create
        segment = make(now=clock.now(), **asked)
        return Response(serializers.SegmentSerializer(segment).data, status=201)


class SegmentView(ApiView):
    """One segment: who may see segments may read it, who may change them may change it."""

    permission = Permission.SEGMENTS_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("PATCH", "DELETE") and not self.actor.may(Permission.SEGMENTS_EDIT):
            raise Forbidden(_("You may not do this."), code="forbidden")

    @extend_schema(summary="One segment", responses={200: serializers.SegmentSerializer})
    def get(self, request: Request, segment_id: int) -> Response:
        return Response(serializers.SegmentSerializer(segments.get(segment_id)).data)

    @extend_schema(
        summary="Change a segment", request=serializers.SegmentPatch, responses={200: serializers.SegmentSerializer}
    )
    def patch(self, request: Request, segment_id: int) -> Response:
        asked = valid(serializers.SegmentPatch(data=request.data))
        segment = operations.patch(segment_id=segment_id, now=clock.now(), **asked)
        return Response(serializers.SegmentSerializer(segment).data)

    @extend_schema(
        summary="Delete a segment that nothing uses",
        parameters=[OpenApiParameter("name", str, required=True, description="Its name, as proof that it is meant.")],
        responses={204: None},
    )
    def delete(self, request: Request, segment_id: int) -> Response:
        operations.delete(segment_id=segment_id, name=request.query_params.get("name", ""))
        return Response(status=204)

    def handle_exception(self, exc: Exception) -> Response:
        return condition_problem(exc) or super().handle_exception(exc)


class SegmentArchiveView(ApiView):
    permission = Permission.SEGMENTS_EDIT

    @extend_schema(summary="Archive a segment", request=None, responses={200: serializers.SegmentSerializer})
    def post(self, request: Request, segment_id: int) -> Response:
        segment = operations.archive(segment_id=segment_id, now=clock.now())
        return Response(serializers.SegmentSerializer(segment).data)


class SegmentRestoreView(ApiView):
    permission = Permission.SEGMENTS_EDIT

    @extend_schema(
        summary="Put an archived segment back into use", request=None, responses={200: serializers.SegmentSerializer}
    )
    def post(self, request: Request, segment_id: int) -> Response:
        return Response(serializers.SegmentSerializer(operations.restore(segment_id=segment_id)).data)


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

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not self.actor.may(Permission.SEGMENTS_EDIT):
            raise Forbidden(_("You may not do this."), code="forbidden")

    @extend_schema(
        summary="Put members on a list, or take them off",
        request=serializers.ListMembersIn,
        responses={200: serializers.ListMembersOut},
    )
    def post(self, request: Request, segment_id: int) -> Response:
        asked = valid(serializers.ListMembersIn(data=request.data))
        found = identities.visible_members(
            actor=self.actor,
            member_ids=asked["member_ids"],
            named=[(item["kind"], item["value"]) for item in asked["identities"]],
        )
        act = segment_lists.remove if asked["remove"] else segment_lists.add
        changed = act(segment_id=segment_id, member_ids=found.member_ids, now=clock.now())
        added, removed = (0, changed) if asked["remove"] else (changed, 0)
        return Response({"added": added, "removed": removed, "unknown_identities": found.unknown})


def _position(value: Any) -> int:
    """The id a cursor stands at; a cursor that says something else starts over."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0
