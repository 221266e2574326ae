"""Reading members, and changing their profile."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.serializers import (
    MemberChangesSerializer,
    MemberDetailSerializer,
    MemberSerializer,
    OrderSerializer,
    TimelineEntrySerializer,
)
from members.filtersets import MemberFilterSet
from members.models import Member
from members.operations import profiles as profile_acts
from members.queries import consents, directory, profiles, timeline
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.pagination import Page


class MemberListView(KeysetListView):
    """Members, filtered and sorted as the console's list."""

    permission = Permission.MEMBERS_VIEW
    serializer_class = MemberSerializer
    filterset_class = MemberFilterSet

    def get_queryset(self) -> QuerySet[Member]:
        return directory.visible(self.actor)

    def page(self, *, cursor: str | None, size: int) -> Page[Member]:
        query = self.request.query_params
        return directory.page(
            self.filtered(self.get_queryset()), sort=directory.sort_of(query), cursor=cursor, size=size
        )


def _detail(member: Member) -> dict[str, Any]:
    directory.decorate([member])
    known = cast(Any, member)
    known.known_summary = profiles.summary_of(member)
    known.known_as = profiles.known_as(member.pk)
    known.known_consents = consents.of_member(member.pk)
    return MemberDetailSerializer(member).data


class MemberDetailView(ApiView):
    """One member; a member outside the caller's data scope is not found."""

    permission = Permission.MEMBERS_VIEW

    @extend_schema(operation_id="members_retrieve", responses=MemberDetailSerializer)
    def get(self, request: Request, member_id: int) -> Response:
        return Response(_detail(profiles.get(member_id=member_id, actor=self.actor)))

    @extend_schema(
        operation_id="members_partial_update", request=MemberChangesSerializer, responses=MemberDetailSerializer
    )
    def patch(self, request: Request, member_id: int) -> Response:
        """Change the profile: takes `members.edit` as well. Sent twice, it answers a conflict and changes nothing."""
        changes = valid(MemberChangesSerializer(data=request.data))
        member = profile_acts.edit(
            actor=self.actor,
            member_id=member_id,
            seen_at=changes.pop("updated_at"),
            changes=cast(profile_acts.Changes, changes),
            now=clock.now(),
        )
        return Response(_detail(member))


class MemberTimelineView(KeysetListView):
    """A member's events, orders, refunds and, with `loyalty.view`, points, latest first; `kind` narrows."""

    permission = Permission.MEMBERS_VIEW
    serializer_class = TimelineEntrySerializer

    @extend_schema(parameters=[OpenApiParameter("kind", enum=list(timeline.KINDS))])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        member = profiles.get(member_id=kwargs["member_id"], actor=self.actor)
        found = timeline.of_member(
            member.pk,
            kind=request.query_params.get("kind", ""),
            cursor=request.query_params.get("cursor") or None,
            size=self.size(),
            with_points=self.actor.may(Permission.LOYALTY_VIEW),
        )
        return Response(
            {"items": TimelineEntrySerializer(found.entries, many=True).data, "next_cursor": found.next_cursor}
        )


class MemberOrdersView(KeysetListView):
    """A member's orders with lines and refunds, latest first."""

    permission = Permission.MEMBERS_VIEW
    serializer_class = OrderSerializer

    def page(self, *, cursor: str | None, size: int) -> Page[Any]:
        member = profiles.get(member_id=self.kwargs["member_id"], actor=self.actor)
        return profiles.orders(member_id=member.pk, cursor=cursor, size=size)
