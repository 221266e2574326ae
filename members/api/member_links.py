"""Links to a member's own pages, for the shop's account, a message, or a till."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.operations import member_links as operations
from members.queries import profiles
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission


class LinkInSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(min_value=1, max_value=operations.LONGEST_DAYS, default=30)


class LinkSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Opens the member's card, points, benefits and tasks without a login.")
    expires_at = serializers.DateTimeField()


class MemberLinkView(ApiView):
    """A signed link to the pages of one member. Who holds it can see and claim for the member until it ends."""

    permission = Permission.MEMBERS_EDIT

    @extend_schema(operation_id="members_link", request=LinkInSerializer, responses={201: LinkSerializer})
    def post(self, request: Request, member_id: int) -> Response:
        given = valid(LinkInSerializer(data=request.data))
        member = profiles.get(member_id=member_id, actor=self.actor)
        token, ends = operations.issue(member_id=member.pk, days=given["days"], now=clock.now())
        address = request.build_absolute_uri(reverse("my_card", args=[token]))
        return Response({"url": address, "expires_at": ends}, status=201)
