"""The API of check-ins and their calendars."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.models import CheckInCalendar
from members.operations import checkin_calendars
from members.operations import checkins as operations
from members.operations.checkin_calendars import Content
from members.queries import checkins, profiles
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import Forbidden

_CALENDAR = 2**31 - 1


class CalendarContentSerializer(serializers.Serializer[Any]):
    """What checking in gives: `ladder` has the rewards of each day of a cycle, `gift` those of a full one."""

    name = serializers.CharField(max_length=40)
    enabled = serializers.BooleanField(default=True)
    cycle_days = serializers.IntegerField(min_value=1, max_value=31, default=7)
    ladder = serializers.ListField(
        child=serializers.ListField(child=serializers.DictField(), max_length=10), max_length=31, default=list
    )
    gift = serializers.ListField(child=serializers.DictField(), max_length=10, default=list)
    makeups_per_month = serializers.IntegerField(min_value=0, max_value=31, default=0)
    makeup_price = serializers.IntegerField(min_value=0, max_value=10**9, default=0)
    back_days = serializers.IntegerField(min_value=0, max_value=366, default=7)


class CalendarInSerializer(CalendarContentSerializer):
    key = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]{0,31}\Z")


class CalendarChangeSerializer(CalendarContentSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class CalendarSerializer(serializers.ModelSerializer[CheckInCalendar]):
    class Meta:
        model = CheckInCalendar
        fields = (
            "id", "key", "name", "enabled", "cycle_days", "ladder", "gift", "makeups_per_month", "makeup_price",
            "back_days", "version",
        )  # fmt: skip


class CalendarListSerializer(serializers.Serializer[Any]):
    items = CalendarSerializer(many=True)


class CheckInSerializer(serializers.Serializer[Any]):
    calendar = serializers.IntegerField(min_value=1, max_value=_CALENDAR, required=False)


class MakeUpSerializer(CheckInSerializer):
    day = serializers.DateField()
    pay = serializers.ChoiceField(choices=[operations.CARD, operations.POINTS], default=operations.CARD)


class AnswerSerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    streak = serializers.IntegerField()
    duplicate = serializers.BooleanField()
    rewards = serializers.ListField(child=serializers.DictField())


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    checked_in = serializers.BooleanField()
    made_up = serializers.BooleanField()
    streak = serializers.IntegerField()
    can_make_up = serializers.BooleanField()


class MonthSerializer(serializers.Serializer[Any]):
    first = serializers.DateField()
    days = DaySerializer(many=True)
    streak = serializers.IntegerField()
    checked_in_today = serializers.BooleanField()
    step = serializers.IntegerField()
    next_rewards = serializers.ListField(child=serializers.CharField())
    gift_in = serializers.IntegerField()
    gift = serializers.ListField(child=serializers.CharField())
    makeups_left = serializers.IntegerField()
    cards = serializers.IntegerField()
    total = serializers.IntegerField()


class _AskedSerializer(CheckInSerializer):
    month = serializers.RegexField(r"^[0-9]{4}-(0[1-9]|1[0-2])\Z", required=False)


class CalendarListView(ManagedView):
    """Check-in calendars."""

    @extend_schema(operation_id="checkin_calendars_list", responses=CalendarListSerializer)
    def get(self, request: Request) -> Response:
        return Response({"items": CalendarSerializer(checkins.calendars(), many=True).data})

    @extend_schema(
        operation_id="checkin_calendars_create", request=CalendarInSerializer, responses={201: CalendarSerializer}
    )
    def post(self, request: Request) -> Response:
        values = valid(CalendarInSerializer(data=request.data))
        made = checkin_calendars.create(key=values.pop("key"), content=Content(**values), now=clock.now())
        return Response(CalendarSerializer(made).data, status=201)


class CalendarView(ManagedView):
    """One check-in calendar."""

    @extend_schema(operation_id="checkin_calendars_retrieve", responses=CalendarSerializer)
    def get(self, request: Request, calendar_id: int) -> Response:
        return Response(CalendarSerializer(checkins.get(calendar_id)).data)

    @extend_schema(
        operation_id="checkin_calendars_update", request=CalendarChangeSerializer, responses=CalendarSerializer
    )
    def put(self, request: Request, calendar_id: int) -> Response:
        """`version` is the one that was read; 409 `changed_meanwhile` when it is not the present one."""
        values = valid(CalendarChangeSerializer(data=request.data))
        version = values.pop("version")
        changed = checkin_calendars.change(calendar_id=calendar_id, version=version, content=Content(**values))
        return Response(CalendarSerializer(changed).data)


class MemberCheckInsView(ApiView):
    """A month of a member's check-ins; checking in takes `points.write`."""

    permission = Permission.LOYALTY_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not self.actor.may(Permission.POINTS_WRITE):
            raise Forbidden(_("You may not do this."), code="forbidden")

    @extend_schema(
        operation_id="member_checkins_month",
        parameters=[
            OpenApiParameter("month", str, description="YYYY-MM; the present month by default."),
            OpenApiParameter("calendar", int, description="By default the one that members check in to."),
        ],
        responses=MonthSerializer,
    )
    def get(self, request: Request, member_id: int) -> Response:
        given = valid(_AskedSerializer(data=request.query_params))
        now = clock.now()
        found = checkins.month(
            member=profiles.get(member_id=member_id, actor=self.actor),
            calendar=checkins.get(given.get("calendar")),
            first=checkins.first_of(given.get("month", ""), now),
            now=now,
        )
        return Response(MonthSerializer(found).data)

    @extend_schema(operation_id="member_checkins_create", request=CheckInSerializer, responses=AnswerSerializer)
    def post(self, request: Request, member_id: int) -> Response:
        """Check a member in for today: once a day of the shop, the second time is a `duplicate`."""
        given = valid(CheckInSerializer(data=request.data))
        member = profiles.get(member_id=member_id, actor=self.actor)
        answer = operations.check_in(member_id=member.pk, calendar_id=given.get("calendar"), now=clock.now())
        return Response(AnswerSerializer(answer).data)


class MemberMakeUpView(ApiView):
    """Make up a missed day, for a card or for points."""

    permission = Permission.POINTS_WRITE

    @extend_schema(operation_id="member_checkins_make_up", request=MakeUpSerializer, responses=AnswerSerializer)
    def post(self, request: Request, member_id: int) -> Response:
        given = valid(MakeUpSerializer(data=request.data))
        member = profiles.get(member_id=member_id, actor=self.actor)
        answer = operations.make_up(
            member_id=member.pk,
            day=given["day"],
            pay=given["pay"],
            calendar_id=given.get("calendar"),
            now=clock.now(),
        )
        return Response(AnswerSerializer(answer).data)
