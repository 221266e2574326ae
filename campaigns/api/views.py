"""The API of campaigns, templates and consent."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import tasks
from campaigns.api import serializers
from campaigns.filtersets import CampaignFilterSet
from campaigns.models import Campaign, MessageTemplate
from campaigns.operations import campaigns as operations
from campaigns.operations import templates as template_operations
from campaigns.queries import campaigns, reports, templates
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock, money
from scrm.common.access import Permission
from scrm.common.errors import Forbidden


class _ListAndAdd(KeysetListView):
    """A list to which POST adds; adding asks for another permission."""

    permission = Permission.CAMPAIGNS_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not self.actor.may(Permission.CAMPAIGNS_EDIT):
            raise Forbidden(_("You may not do this."))

    @property
    def user_id(self) -> int | None:
        return self.actor.id if self.actor.kind == "user" else None


class CampaignListView(_ListAndAdd):
    serializer_class = serializers.CampaignSerializer
    filterset_class = CampaignFilterSet

    def get_queryset(self) -> QuerySet[Campaign]:
        return campaigns.list_all()

    @extend_schema(summary="List campaigns")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Create a draft", request=serializers.CampaignIn, responses={201: serializers.CampaignSerializer}
    )
    def post(self, request: Request) -> Response:
        plan = operations.Plan(**valid(serializers.CampaignIn(data=request.data)))
        campaign = operations.create(plan=plan, user_id=self.user_id)
        return Response(serializers.CampaignSerializer(campaign).data, status=201)


class _ActView(ApiView):
    """One act on a campaign; doing it in a state that does not allow it is a 409 `wrong_state`."""

    permission = Permission.CAMPAIGNS_SEND
    act: ClassVar[Any]

    @extend_schema(request=None, responses={200: serializers.CampaignSerializer})
    def post(self, request: Request, campaign_id: int) -> Response:
        campaign = self.run(request, campaign_id)
        tasks.hint()
        return Response(serializers.CampaignSerializer(campaign).data)

    def run(self, request: Request, campaign_id: int) -> Campaign:
        raise NotImplementedError


class CampaignStartView(_ActView):
    """At its scheduled time, or right away when it has none."""

    def run(self, request: Request, campaign_id: int) -> Campaign:
        wanted = campaigns.get(campaign_id).scheduled_at
        return operations.schedule(campaign_id=campaign_id, at=wanted, now=clock.now())


class CampaignPauseView(_ActView):
    def run(self, request: Request, campaign_id: int) -> Campaign:
        return operations.pause(campaign_id=campaign_id)


class CampaignResumeView(_ActView):
    def run(self, request: Request, campaign_id: int) -> Campaign:
        return operations.resume(campaign_id=campaign_id)


class CampaignStopView(_ActView):
    @extend_schema(request=serializers.StopIn, responses={200: serializers.CampaignSerializer})
    def post(self, request: Request, campaign_id: int) -> Response:
        return super().post(request, campaign_id)

    def run(self, request: Request, campaign_id: int) -> Campaign:
        reason = valid(serializers.StopIn(data=request.data))["reason"]
        return operations.stop(campaign_id=campaign_id, reason=reason, now=clock.now())


class CampaignReportView(ApiView):
    permission = Permission.CAMPAIGNS_VIEW

    @extend_schema(summary="Report of a campaign", responses={200: serializers.ReportSerializer})
    def get(self, request: Request, campaign_id: int) -> Response:
        campaign = campaigns.get(campaign_id)
        found = reports.report(campaign_id, actor=self.actor)
        orders = reports.orders_after(campaign, actor=self.actor)
        return Response(
            {
                "state": campaign.state,
                "audience": found.audience,
                "handed": found.handed,
                "opened": found.opened,
                "clicked": found.clicked,
                "outcomes": [
                    {"state": state, "reason": reason, "count": count}
                    for (state, reason), count in sorted(found.outcomes.items())
                ],
                "orders": {
                    "count": orders.count,
                    "buyers": orders.buyers,
                    "net_amount": money.to_decimal(orders.net_amount),
                },
            }
        )


class TemplateListView(_ListAndAdd):
    serializer_class = serializers.TemplateSerializer

    def get_queryset(self) -> QuerySet[MessageTemplate]:
        return templates.list_all().order_by()

    @extend_schema(summary="List templates")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Create a template", request=serializers.TemplateIn, responses={201: serializers.TemplateSerializer}
    )
    def post(self, request: Request) -> Response:
        values = valid(serializers.TemplateIn(data=request.data))
        template = template_operations.create(**values, user_id=self.user_id)
        return Response(serializers.TemplateSerializer(template).data, status=201)
