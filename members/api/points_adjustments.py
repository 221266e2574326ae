"""Correcting balances by hand, with a second person above the limit; and the kinds of points."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import points_serializers as serializers
from members.api.managed import ManagedView
from members.api.points import member_of
from members.filtersets import AdjustmentFilterSet
from members.models import PointsAdjustment
from members.operations import adjustments as operations
from members.operations import currencies
from members.operations.currencies import Content
from members.queries import adjustments, points
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock, downloads
from scrm.common.access import Permission
from scrm.common.transactions import retrying


class PointsAdjustView(ApiView):
    """POST points/adjust"""

    permission = Permission.POINTS_ADJUST

    @extend_schema(
        operation_id="points_adjust",
        summary="Correct a balance by hand",
        description="Up to the kind's `adjust_limit` it is booked at once (`state: booked`); above, it waits for a "
        "second person (`state: proposed`). Codes: `reason_missing`, `amount_out_of_range`, `not_enough_points`, "
        "`reference_reused`. The same reference and amount again: 200 with `duplicate`.",
        request=serializers.AdjustIn,
        responses={200: serializers.AdjustmentSerializer, 201: serializers.AdjustmentSerializer},
    )
    def post(self, request: Request) -> Response:
        values = valid(serializers.AdjustIn(data=request.data))
        member_id = member_of(values.pop("member"), actor=self.actor)
        now = clock.now()
        adjustment, known = retrying(
            lambda: operations.propose(actor=self.actor, member_id=member_id, now=now, **values)
        )
        shown = serializers.AdjustmentSerializer(adjustment, context={"duplicate": known})
        return Response(shown.data, status=200 if known else 201)


class AdjustmentListView(KeysetListView):
    """Corrections by hand, the latest first."""

    permission = Permission.LOYALTY_VIEW
    serializer_class = serializers.AdjustmentSerializer
    filterset_class = AdjustmentFilterSet

    def get_queryset(self) -> QuerySet[PointsAdjustment]:
        return adjustments.visible(self.actor)

    @extend_schema(operation_id="points_adjustments_list", summary="List corrections by hand")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class AdjustmentView(ApiView):
    """One correction by hand."""

    permission = Permission.LOYALTY_VIEW

    @extend_schema(operation_id="points_adjustments_retrieve", responses=serializers.AdjustmentSerializer)
    def get(self, request: Request, adjustment_id: int) -> Response:
        return Response(serializers.AdjustmentSerializer(adjustments.get(adjustment_id, actor=self.actor)).data)


class AdjustmentFileView(ApiView):
    """What was attached to a correction, for saving."""

    permission = Permission.POINTS_ADJUST

    @extend_schema(
        operation_id="points_adjustments_attachment",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, adjustment_id: int) -> FileResponse:
        adjustment = adjustments.get(adjustment_id, actor=self.actor)
        return downloads.answer(
            adjustments.attachment_path(adjustment), name=adjustment.file_name, content_type=adjustment.file_type
        )


class AdjustmentApproveView(ApiView):
    """POST points/adjustments/…/approve"""

    permission = Permission.POINTS_ADJUST

    @extend_schema(
        operation_id="points_adjustments_approve",
        summary="Book a proposal as its second person",
        description="Codes: `own_proposal` (403), `decided`, `not_enough_points`.",
        request=None,
        responses={200: serializers.AdjustmentSerializer},
    )
    def post(self, request: Request, adjustment_id: int) -> Response:
        adjustment = operations.approve(actor=self.actor, adjustment_id=adjustment_id, now=clock.now())
        return Response(serializers.AdjustmentSerializer(adjustment).data)


class AdjustmentRejectView(ApiView):
    """POST points/adjustments/…/reject"""

    permission = Permission.POINTS_ADJUST

    @extend_schema(
        operation_id="points_adjustments_reject",
        summary="Turn a proposal down",
        description="Codes: `own_proposal` (403), `decided`, `reason_missing`.",
        request=serializers.RejectIn,
        responses={200: serializers.AdjustmentSerializer},
    )
    def post(self, request: Request, adjustment_id: int) -> Response:
        given = valid(serializers.RejectIn(data=request.data))
        adjustment = operations.reject(
            actor=self.actor, adjustment_id=adjustment_id, answer=given["answer"], now=clock.now()
        )
        return Response(serializers.AdjustmentSerializer(adjustment).data)


class CurrencyListView(ManagedView):
    """The kinds of points."""

    @extend_schema(operation_id="points_currencies_list", responses=serializers.CurrencyListSerializer)
    def get(self, request: Request) -> Response:
        return Response({"items": serializers.CurrencySerializer(points.every(), many=True).data})

    @extend_schema(
        operation_id="points_currencies_create",
        request=serializers.CurrencyIn,
        responses={201: serializers.CurrencySerializer},
    )
    def post(self, request: Request) -> Response:
        values = valid(serializers.CurrencyIn(data=request.data))
        key, spendable = values.pop("key"), values.pop("spendable")
        made = currencies.create(key=key, spendable=spendable, content=Content(**values))
        return Response(serializers.CurrencySerializer(made).data, status=201)


class CurrencyView(ManagedView):
    """One kind of points. Its key, and whether it can be spent, never change."""

    @extend_schema(operation_id="points_currencies_retrieve", responses=serializers.CurrencySerializer)
    def get(self, request: Request, key: str) -> Response:
        return Response(serializers.CurrencySerializer(currencies.get(key)).data)

    @extend_schema(
        operation_id="points_currencies_update",
        request=serializers.CurrencyChangesSerializer,
        responses=serializers.CurrencySerializer,
    )
    def put(self, request: Request, key: str) -> Response:
        """Everything is replaced: what is not given becomes its default."""
        given = valid(serializers.CurrencyChangesSerializer(data=request.data))
        changed = currencies.change(key=key, content=Content(**given))
        return Response(serializers.CurrencySerializer(changed).data)
