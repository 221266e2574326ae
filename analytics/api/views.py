"""Analytics over the API: totals, RFM, lifecycle."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api import serializers
from analytics.filtersets import RfmRunFilter
from analytics.models import RfmModel, RfmRun
from analytics.operations import rfm as rfm_operations
from analytics.queries import lifecycle, rfm, summary
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import NotFound


def _model(model_id: int | None) -> RfmModel:
    model = rfm.find_model(model_id)
    if model is None and model_id is None:
        raise NotFound(_("RFM has not been computed yet."), code="not_computed")
    if model is None:
        raise NotFound(_("There is no such RFM model."), code="no_such_model", field="model")
    return model


class SummaryView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(
        summary="Totals of orders",
        description="Buyers, orders and gross revenue, counted now. `paid_only=false` counts orders in every state.",
        parameters=[serializers.SummaryQuery],
        responses=serializers.SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        query = valid(serializers.SummaryQuery(data=request.query_params))
        found = summary.summary(
            actor=self.actor, now=clock.now(), source=query.get("source"), paid_only=query["paid_only"]
        )
        return Response(serializers.SummarySerializer(found).data)


class RfmView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(
        summary="RFM distribution",
        description="The published scores of a model (the default one unless `model` names another).",
        parameters=[serializers.ModelQuery],
        responses=serializers.RfmSerializer,
    )
    def get(self, request: Request) -> Response:
        model = _model(valid(serializers.ModelQuery(data=request.query_params)).get("model"))
        board = rfm.board(actor=self.actor, model=model)
        if board is None:
            raise NotFound(_("RFM has not been computed yet."), code="not_computed")
        return Response(serializers.RfmSerializer(serializers.rfm_answer(board, model=model.pk, name=model.name)).data)


class LifecycleView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(summary="Lifecycle and AIPL distribution", responses=serializers.LifecycleSerializer)
    def get(self, request: Request) -> Response:
        return Response(serializers.LifecycleSerializer(lifecycle.distribution(actor=self.actor)).data)


class RfmRunsView(KeysetListView):
    """The runs, newest first, and starting one; both for those who may run analytics."""

    permission = Permission.ANALYTICS_RUN
    serializer_class = serializers.RunSerializer
    filterset_class = RfmRunFilter
    order = (("id", True),)

    def get_queryset(self) -> QuerySet[RfmRun]:
        return rfm.runs()

    @extend_schema(summary="List RFM runs", responses=serializers.RunSerializer(many=True))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Start an RFM run",
        description="Queued; follow it by its `state`. 409 `run_in_progress` while another one of the model is open.",
        request=serializers.RunIn,
        responses={202: serializers.RunSerializer},
    )
    def post(self, request: Request) -> Response:
        values = valid(serializers.RunIn(data=request.data))
        now = clock.now()
        run = rfm_operations.start(
            model_id=_model(values.get("model")).pk,
            as_of=values.get("as_of") or clock.shop_date(now),
            actor=self.actor,
            now=now,
        )
        return Response(serializers.RunSerializer(run).data, status=202)
