"""The API of the catalogue of benefits, of partners and their codes."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import benefit_serializers as shapes
from members.api.managed import ConditionedView, ManagedView
from members.filtersets import BenefitFilterSet
from members.models import Benefit
from members.operations import benefit_catalogue as operations
from members.operations import benefit_stock as stock_acts
from members.operations.benefit_catalogue import Content, RuleIn
from members.operations.benefit_stock import CodeIn
from members.queries import benefit_catalogue as queries
from members.queries import benefit_stock as stock
from scrm.api.pagination import KeysetListView
from scrm.api.views import valid
from scrm.common import clock
from scrm.common.access import DataScope
from scrm.common.errors import Forbidden, Invalid


class BenefitListView(ConditionedView, KeysetListView):
    serializer_class = shapes.BenefitSerializer
    filterset_class = BenefitFilterSet
    order = (("id", False),)

    def get_queryset(self) -> QuerySet[Benefit]:
        return queries.every().prefetch_related("stores")

    @extend_schema(summary="List benefits", operation_id="benefits_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(summary="Create a benefit", request=shapes.BenefitIn, responses={201: shapes.BenefitSerializer})
    def post(self, request: Request) -> Response:
        """A draft, until it is put into use."""
        given = valid(shapes.BenefitIn(data=request.data))
        made = operations.create(key=given.pop("key"), kind=given.pop("kind"), content=content(given))
        return Response(shapes.BenefitSerializer(queries.get(made.pk)).data, status=201)


class BenefitView(ConditionedView):
    @extend_schema(summary="One benefit", responses=shapes.BenefitSerializer)
    def get(self, request: Request, benefit_id: int) -> Response:
        return Response(shapes.BenefitSerializer(queries.get(benefit_id)).data)

    @extend_schema(summary="Change a benefit", request=shapes.BenefitChangeIn, responses=shapes.BenefitSerializer)
    def put(self, request: Request, benefit_id: int) -> Response:
        """The whole content. With `version`, refused with 409 `changed` when somebody else has changed it."""
        given = valid(shapes.BenefitChangeIn(data=request.data))
        version = given.pop("version")
        operations.change(benefit_id=benefit_id, content=content(given), version=version, now=clock.now())
        return Response(shapes.BenefitSerializer(queries.get(benefit_id)).data)


class BenefitActivateView(ManagedView):
    @extend_schema(summary="Put a benefit into use", request=None, responses=shapes.BenefitSerializer)
    def post(self, request: Request, benefit_id: int) -> Response:
        operations.activate(benefit_id=benefit_id, now=clock.now())
        return Response(shapes.BenefitSerializer(queries.get(benefit_id)).data)


class BenefitEndView(ManagedView):
    @extend_schema(summary="Take a benefit out of use", request=None, responses=shapes.BenefitSerializer)
    def post(self, request: Request, benefit_id: int) -> Response:
        """No new claims; what was claimed can be used until it lapses."""
        operations.end(benefit_id=benefit_id, now=clock.now())
        return Response(shapes.BenefitSerializer(queries.get(benefit_id)).data)


class BenefitCodesView(ManagedView):
    @extend_schema(summary="The stock of partner codes", responses=shapes.StockSerializer)
    def get(self, request: Request, benefit_id: int) -> Response:
        return Response(shapes.StockSerializer(stock.of(queries.get(benefit_id).pk, now=clock.now())).data)

    @extend_schema(
        summary="Deliver partner codes", request=shapes.PartnerCodesIn, responses=shapes.PartnerCodesOut
    )  # fmt: skip
    def post(self, request: Request, benefit_id: int) -> Response:
        """Up to 1,000 at once, each taken or refused for itself."""
        given = valid(shapes.PartnerCodesIn(data=request.data))
        answers = stock_acts.add(
            benefit_id=benefit_id,
            codes=[CodeIn(one["code"], one["expires_on"]) for one in given["codes"]],
            batch=given["batch"],
            now=clock.now(),
        )
        return Response({"items": [answer._asdict() for answer in answers]})


class PartnerListView(ManagedView):
    @extend_schema(operation_id="partners_list", summary="List partners", responses=shapes.PartnerSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response({"items": shapes.PartnerSerializer(queries.partners(), many=True).data})

    @extend_schema(summary="Create a partner", request=shapes.PartnerIn, responses={201: shapes.PartnerSerializer})
    def post(self, request: Request) -> Response:
        partner = operations.save_partner(partner_id=None, **valid(shapes.PartnerIn(data=request.data)))
        return Response(shapes.PartnerSerializer(partner).data, status=201)


class PartnerView(ManagedView):
    @extend_schema(summary="One partner", responses=shapes.PartnerSerializer)
    def get(self, request: Request, partner_id: int) -> Response:
        return Response(shapes.PartnerSerializer(queries.partner(partner_id)).data)

    @extend_schema(summary="Change a partner", request=shapes.PartnerIn, responses=shapes.PartnerSerializer)
    def put(self, request: Request, partner_id: int) -> Response:
        queries.partner(partner_id)
        partner = operations.save_partner(partner_id=partner_id, **valid(shapes.PartnerIn(data=request.data)))
        return Response(shapes.PartnerSerializer(partner).data)


class SettlementView(ManagedView):
    @extend_schema(
        summary="What a partner is owed",
        parameters=[
            OpenApiParameter("from", date, required=True, description="The first shop day."),
            OpenApiParameter("to", date, required=True, description="The last shop day, at most 366 days later."),
        ],
        responses=shapes.SettlementSerializer,
    )
    def get(self, request: Request, partner_id: int) -> Response:
        """The numbers are of everybody: who sees only some members is refused."""
        if self.actor.scope != DataScope.ALL:
            raise Forbidden(_("You may not do this."), code="forbidden")
        rows = queries.settlement(
            queries.partner(partner_id).pk, first=_day(request, "from"), last=_day(request, "to")
        )  # fmt: skip
        return Response(shapes.SettlementSerializer({"items": rows, "owed": sum(row.owed for row in rows)}).data)


def content(given: dict[str, Any]) -> Content:
    """What the operation takes, from checked input."""
    return Content(**{**given, "rules": [RuleIn(**rule) for rule in given["rules"]]})


def _day(request: Request, name: str) -> date:
    try:
        found = parse_date(request.query_params.get(name, ""))
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2200:
        raise Invalid(_("A day is needed: 2026-11-21."), code="bad_day", field=name)
    return found
