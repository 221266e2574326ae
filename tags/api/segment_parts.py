"""The API of what is made from segments and found out about them: snapshots, parts, overlaps, sizes, dependents."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import DataScope, Permission
from scrm.common.errors import Forbidden, Invalid
from tags.api import segment_serializers as serializers
from tags.operations import segment_samples
from tags.operations import segments as operations
from tags.queries import comparisons, segment_sizes, segments

DAYS = 90
LONGEST = 1_100


class SegmentSnapshotView(ApiView):
    permission = Permission.SEGMENTS_EDIT

    @extend_schema(
        summary="Freeze a segment, or a random sample of it",
        request=serializers.SnapshotIn,
        responses={201: serializers.SnapshotOut},
    )
    def post(self, request: Request, segment_id: int) -> Response:
        asked = valid(serializers.SnapshotIn(data=request.data))
        frozen = segment_samples.freeze(segment_id=segment_id, actor=self.actor, now=clock.now(), **asked)
        body = {
            "segment": serializers.SegmentSerializer(frozen.segment).data,
            "job_id": frozen.job.pk if frozen.job else None,
        }
        return Response(body, status=201)


class SegmentSplitView(ApiView):
    permission = Permission.SEGMENTS_EDIT

    @extend_schema(
        summary="Split a segment into even random parts",
        request=serializers.SplitIn,
        responses={201: serializers.SegmentItemsOut},
    )
    def post(self, request: Request, segment_id: int) -> Response:
        asked = valid(serializers.SplitIn(data=request.data))
        parts = segment_samples.split(segment_id=segment_id, now=clock.now(), **asked)
        return Response({"items": serializers.SegmentSerializer(parts, many=True).data}, status=201)


class SegmentFollowView(ApiView):
    permission = Permission.SEGMENTS_EDIT

    @extend_schema(
        summary="Note entries and exits on timelines, or stop",
        request=serializers.FollowIn,
        responses={200: serializers.SegmentSerializer},
    )
    def post(self, request: Request, segment_id: int) -> Response:
        act = operations.follow if valid(serializers.FollowIn(data=request.data))["followed"] else operations.unfollow
        return Response(serializers.SegmentSerializer(act(segment_id=segment_id, now=clock.now())).data)


class SegmentDependentsView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(summary="What uses a segment", responses={200: serializers.DependentsOut})
    def get(self, request: Request, segment_id: int) -> Response:
        found = segments.dependents(segments.get(segment_id).pk)
        return Response({"items": [{"kind": one.kind, "name": one.label, "url": one.url} for one in found]})


class SegmentSizesView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="How large a segment was, day by day",
        parameters=[OpenApiParameter("days", int, description="How many days back, at most 1100; 90 by default.")],
        responses={200: serializers.SizesOut},
    )
    def get(self, request: Request, segment_id: int) -> Response:
        # Stored sizes are of everybody.
        if self.actor.scope != DataScope.ALL:
            raise Forbidden(_("Only who sees all members may see this."), code="scope")
        now, segment = clock.now(), segments.get(segment_id)
        sizes = segment_sizes.history(segment.pk, days=_days(request.query_params.get("days", "")), now=now)
        moves = segment_sizes.moves(segment.pk, days=7, now=now)
        return Response(
            {
                "items": [{"counted_on": counted_on, "members": members} for counted_on, members in sizes],
                "entered": moves.entered,
                "left": moves.left,
            }
        )


def _days(text: str) -> int:
    """Raises `Invalid` (`bad_days`)."""
    if not text:
        return DAYS
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LONGEST):
        raise Invalid(_("From 1 to %(count)s days.") % {"count": LONGEST}, code="bad_days", field="days")
    return int(text)


class SegmentOverlapView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="How segments overlap",
        parameters=[
            OpenApiParameter("id", int, many=True, required=True, description="Up to ten segments."),
            OpenApiParameter("in", int, many=True, description="The two or three whose regions are counted."),
        ],
        responses={200: serializers.OverlapOut},
    )
    def get(self, request: Request) -> Response:
        now = clock.now()
        found = comparisons.compare(
            segment_ids=_ids(request.query_params.getlist("id"), "id"),
            in_diagram=_ids(request.query_params.getlist("in"), "in"),
            actor=self.actor,
            as_of=now,
        )
        shown = [segment.pk for segment in found.in_diagram]
        return Response(
            {
                "as_of": now,
                "segments": [
                    {
                        "id": row.segment.pk,
                        "name": row.segment.name,
                        "size": row.size,
                        "common": list(row.common),
                        "fault": row.fault,
                    }
                    for row in found.compared
                ],
                "regions": [
                    {
                        "inside": [key for key, is_in in zip(shown, region.inside, strict=True) if is_in],
                        "members": region.members,
                        "condition": region.condition,
                    }
                    for region in found.regions
                ],
            }
        )


def _ids(given: list[str], field: str) -> list[int]:
    """Raises `Invalid` (`bad_id`)."""
    if not all(raw.isascii() and raw.isdigit() and len(raw) <= 18 for raw in given):
        raise Invalid(_("Not an id."), code="bad_id", field=field)
    return [int(raw) for raw in given]
