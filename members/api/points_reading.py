"""Reading points: balances now and at a date, lots, the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import points_serializers as serializers
from members.api.points import member_of
from members.filtersets import PointsEntryFilterSet
from members.models import PointsEntry
from members.operations import currencies
from members.queries import points, points_ledger, points_liability, points_lots
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import Invalid
from scrm.common.pagination import Page

EXPIRING_DAYS = 90
_NAMED = ("phone", "email", "unionid", "openid", "external_userid", "app_user", "device", "number")
_WHOM = [
    OpenApiParameter("member_id", int, description="The member, by id or by one of the identities below."),
    *(OpenApiParameter(kind, str, description="An identity of the member.") for kind in _NAMED),
]
_CURRENCY = OpenApiParameter("currency", str, description="The key of a kind of points; `points` when not given.")


class _MemberView(ApiView):
    permission = Permission.LOYALTY_VIEW

    def whom(self, request: Request) -> int:
        query = request.query_params
        ref: dict[str, Any] = {kind: query[kind] for kind in _NAMED if query.get(kind)}
        if number := query.get("member_id"):
            ref["member_id"] = _whole(number)
        return member_of(valid(serializers.MemberRefSerializer(data=ref)), actor=self.actor)


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


class PointsBalanceView(_MemberView):
    @extend_schema(
        operation_id="points_balance",
        summary="Read balances",
        description="Expiry, and the end of waiting and of holds, count at their instant. With `at`, what the member "
        "would have seen then: what was booked by then, and what time had brought.",
        parameters=[
            *_WHOM,
            OpenApiParameter("currency", str, description="Only this kind of points."),
            OpenApiParameter("at", datetime, description="An instant that is not to come; now when not given."),
        ],
        responses=serializers.BalancesSerializer,
    )
    def get(self, request: Request) -> Response:
        member_id, now = self.whom(request), clock.now()
        at = self._at(request, now)
        key = request.query_params.get("currency")
        kinds = [currencies.get(key)] if key else points.every()
        known = points.balances(member_id=member_id, as_of=now) if at == now else {}
        items = [
            {
                "currency": kind.key, "name": kind.name, "spendable": kind.spendable,
                **{name: getattr(found, name) for name in ("pending", "available", "held", "arrears")},
            }
            for kind in kinds
            for found in [
                known.get(kind.pk, points.NOTHING)
                if at == now
                else points.balance_at(member_id=member_id, currency_id=kind.pk, at=at, now=now)
            ]
        ]  # fmt: skip
        return Response(serializers.BalancesSerializer({"member_id": member_id, "at": at, "items": items}).data)

    def _at(self, request: Request, now: datetime) -> datetime:
        text = request.query_params.get("at")
        if not text:
            return now
        try:
            return cast(datetime, drf.DateTimeField().run_validation(text))
        except drf.ValidationError as error:
            raise Invalid(_("This is not an instant."), code="bad_instant", field="at") from error


class PointsLotsView(_MemberView):
    @extend_schema(
        operation_id="points_lots",
        summary="Read what is left of each credit",
        parameters=[*_WHOM, _CURRENCY],
        responses=serializers.LotsSerializer,
    )
    def get(self, request: Request) -> Response:
        member_id = self.whom(request)
        kind = currencies.get(request.query_params.get("currency") or currencies.POINTS)
        which: dict[str, Any] = {"member_id": member_id, "currency_id": kind.pk, "as_of": clock.now()}
        answer = {
            "member_id": member_id,
            "currency": kind.key,
            "items": points_lots.open_lots(**which),
            "expiring": points_lots.expiring(**which, days=EXPIRING_DAYS),
            "holds": points_lots.open_holds(**which),
        }
        return Response(serializers.LotsSerializer(answer).data)


class PointsEntryListView(KeysetListView):
    """The ledger of everybody whom the caller may see, the latest first."""

    permission = Permission.LOYALTY_VIEW
    serializer_class = serializers.EntrySerializer
    filterset_class = PointsEntryFilterSet

    def get_queryset(self) -> QuerySet[PointsEntry]:
        return points_ledger.of_everybody(self.actor)

    @extend_schema(operation_id="points_entries", summary="Read the ledger")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What would read too much of the ledger is refused (`too_wide`): narrow the period, or name a member."""
        return super().get(request, *args, **kwargs)

    def page(self, *, cursor: str | None, size: int) -> Page[PointsEntry]:
        found = points_ledger.page(self.filtered(self.get_queryset()), cursor=cursor, size=size)
        lots = points_ledger.lots_of(found.rows)
        for row in found.rows:
            row.lots = lots.get(points_ledger.key_of(row), [])  # type: ignore[attr-defined]
        return found


class PointsLiabilityView(ApiView):
    """What outstanding points of all members would cost, counted every night; for whoever sees all members."""

    permission = Permission.LOYALTY_VIEW

    @extend_schema(
        operation_id="points_liability",
        summary="Read the liability",
        parameters=[_CURRENCY],
        responses=serializers.LiabilitySerializer,
    )
    def get(self, request: Request) -> Response:
        kind = currencies.get(request.query_params.get("currency") or currencies.POINTS)
        board = points_liability.board(kind, today=clock.shop_date(clock.now()), actor=self.actor)
        answer = {
            "currency": kind.key,
            "days": board.days,
            "cohorts": board.cohorts,
            "expiring": [{"month": month, "amount": amount} for month, amount in board.months],
        }
        return Response(serializers.LiabilitySerializer(answer).data)
