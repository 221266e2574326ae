"""The API of paid memberships: plans, and the terms that members buy."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.models import Membership, MembershipPlan
from members.operations import memberships as operations
from members.operations.tier_schemes import TONES
from members.queries import memberships, profiles
from scrm.api.views import valid
from scrm.common import clock
from scrm.common.access import Permission


class PlanSerializer(serializers.ModelSerializer[MembershipPlan]):
    class Meta:
        model = MembershipPlan
        fields = (
            "key", "name", "tier_id", "colour", "description", "price", "term_months", "term_days", "trial_days",
            "notice_days", "active", "created_at",
        )  # fmt: skip


class PlanChangesSerializer(serializers.Serializer[Any]):
    """Prices are minor units."""

    name = serializers.CharField(max_length=40)
    price = serializers.IntegerField(min_value=0, max_value=operations.LARGEST_PRICE)
    term_months = serializers.IntegerField(min_value=0, max_value=120, default=0)
    term_days = serializers.IntegerField(min_value=0, max_value=3_660, default=0)
    trial_days = serializers.IntegerField(min_value=0, max_value=366, default=0)
    notice_days = serializers.IntegerField(min_value=0, max_value=366, default=7)
    tier_id = serializers.IntegerField(min_value=1, required=False, allow_null=True, default=None)
    colour = serializers.ChoiceField(choices=TONES, default="violet")
    description = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")
    active = serializers.BooleanField(default=True)


class PlanInSerializer(PlanChangesSerializer):
    key = serializers.CharField(max_length=32)


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    plan = serializers.CharField(source="plan.key")

    class Meta:
        model = Membership
        fields = (
            "reference", "plan", "price", "trial", "auto_renew", "starts_at", "ends_at", "state", "bought_at",
            "refunded", "refund_reference", "closed_at",
        )  # fmt: skip


class BuyInSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(max_length=32)
    reference = serializers.CharField(max_length=120)
    price = serializers.IntegerField(min_value=0, max_value=operations.LARGEST_PRICE, required=False)
    trial = serializers.BooleanField(default=False)
    auto_renew = serializers.BooleanField(default=False)


class RefundInSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField(max_length=120)
    refund_reference = serializers.CharField(max_length=120)


class RenewalInSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField(max_length=120)
    auto_renew = serializers.BooleanField()


class PlanListView(ManagedView):
    """The plans of paid memberships."""

    @extend_schema(
        operation_id="membership_plans_list",
        responses=inline_serializer("MembershipPlans", {"items": PlanSerializer(many=True)}),
    )
    def get(self, request: Request) -> Response:
        return Response({"items": PlanSerializer(memberships.plans(), many=True).data})

    @extend_schema(operation_id="membership_plans_create", request=PlanInSerializer, responses={201: PlanSerializer})
    def post(self, request: Request) -> Response:
        data = valid(PlanInSerializer(data=request.data))
        made = operations.create_plan(key=data.pop("key"), content=operations.PlanContent(**data))
        return Response(PlanSerializer(made).data, status=201)


class PlanView(ManagedView):
    """One plan."""

    @extend_schema(operation_id="membership_plans_retrieve", responses=PlanSerializer)
    def get(self, request: Request, key: str) -> Response:
        return Response(PlanSerializer(memberships.plan(key)).data)

    @extend_schema(operation_id="membership_plans_update", request=PlanChangesSerializer, responses=PlanSerializer)
    def put(self, request: Request, key: str) -> Response:
        """Terms that were bought keep their price and their end."""
        given = valid(PlanChangesSerializer(data=request.data))
        changed = operations.change_plan(key=key, content=operations.PlanContent(**given))
        return Response(PlanSerializer(changed).data)


class _MembershipView(ManagedView):
    """Booking takes `points.write` (systems) or `points.adjust` (people)."""

    writes = (Permission.POINTS_WRITE, Permission.POINTS_ADJUST)


class MembershipListView(_MembershipView):
    """The terms of a member, the latest first; POST buys or renews."""

    @extend_schema(
        operation_id="members_memberships_list",
        responses=inline_serializer("Memberships", {"items": MembershipSerializer(many=True)}),
    )
    def get(self, request: Request, member_id: int) -> Response:
        profiles.get(member_id=member_id, actor=self.actor)
        return Response({"items": MembershipSerializer(memberships.of_member(member_id), many=True).data})

    @extend_schema(
        operation_id="members_memberships_buy",
        request=BuyInSerializer,
        responses={201: MembershipSerializer, 200: MembershipSerializer},
    )
    def post(self, request: Request, member_id: int) -> Response:
        """A term from now, or from the end of the running one of the same plan. 200 when the reference was known."""
        profiles.get(member_id=member_id, actor=self.actor)
        made, new = operations.buy(member_id=member_id, **valid(BuyInSerializer(data=request.data)), now=clock.now())
        return Response(MembershipSerializer(made).data, status=201 if new else 200)


class MembershipRefundView(_MembershipView):
    """End a term; `refunded` is what to give back, by the days left."""

    @extend_schema(
        operation_id="members_memberships_refund", request=RefundInSerializer, responses=MembershipSerializer
    )
    def post(self, request: Request, member_id: int) -> Response:
        profiles.get(member_id=member_id, actor=self.actor)
        given = valid(RefundInSerializer(data=request.data))
        ended, _new = operations.refund(member_id=member_id, **given, now=clock.now())
        return Response(MembershipSerializer(ended).data)


class MembershipRenewalView(_MembershipView):
    """Whether `membership.renewal_due` asks the shop to renew before the end."""

    @extend_schema(
        operation_id="members_memberships_auto_renew", request=RenewalInSerializer, responses=MembershipSerializer
    )
    def post(self, request: Request, member_id: int) -> Response:
        profiles.get(member_id=member_id, actor=self.actor)
        given = valid(RenewalInSerializer(data=request.data))
        row = operations.set_auto_renew(member_id=member_id, **given, now=clock.now())
        return Response(MembershipSerializer(row).data)
