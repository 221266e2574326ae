"""The API of members' benefits: what they are entitled to, claims, uses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import benefit_serializers as shapes
from members.models import MemberBenefit, Store
from members.operations import benefit_uses, benefits
from members.queries import benefit_claims as queries
from members.queries import benefits as entitlements
from members.queries import profiles
from scrm.api import problems
from scrm.api.pagination import KeysetListView
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Actor, Permission
from scrm.common.errors import Conflict, Invalid


def shown(claim: MemberBenefit, *, duplicate: bool | None = None) -> dict[str, Any]:
    """A claim as the API answers it, alone or with whether it had been done before."""
    [one] = queries.shown([claim], now=clock.now())
    data = shapes.ClaimSerializer(claim, context={"shown": {claim.pk: one}}).data
    return data if duplicate is None else {"claim": data, "duplicate": duplicate}


def store_id(code: str, actor: Actor) -> int | None:
    """The store by its code, else that of whoever asks. Raises `Invalid` (`unknown_store`)."""
    if not code:
        return actor.store_id
    found = Store.objects.filter(code=code).values_list("pk", flat=True).first()
    if found is None:
        raise Invalid(_("There is no such store."), code="unknown_store", field="store")
    return found


class MemberBenefitsView(ApiView):
    permission = Permission.LOYALTY_VIEW

    @extend_schema(
        operation_id="member_benefits", summary="What a member is entitled to now",
        responses=shapes.EntitlementSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, member_id: int) -> Response:
        member = profiles.get(member_id=member_id, actor=self.actor)
        found = entitlements.entitled(member.pk, now=clock.now())
        return Response({"items": shapes.EntitlementSerializer(found, many=True).data})


class MemberClaimsView(KeysetListView):
    permission = Permission.LOYALTY_VIEW
    serializer_class = shapes.ClaimSerializer
    order = (("claimed_at", True), ("id", True))

    def get_queryset(self) -> QuerySet[MemberBenefit]:
        return queries.of_member(profiles.get(member_id=self.kwargs["member_id"], actor=self.actor).pk)

    @extend_schema(operation_id="member_claims", summary="A member's claims, the newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.page(cursor=request.query_params.get("cursor") or None, size=self.size())
        context = {"shown": {one.claim.pk: one for one in queries.shown(page.rows, now=clock.now())}}
        items = shapes.ClaimSerializer(list(page.rows), many=True, context=context)
        return Response({"items": items.data, "next_cursor": page.next_cursor})


class _ActView(ApiView):
    """Refusals tell what they are about beside their code: `quota_reached` when it renews, `expired` since when."""

    permission = Permission.BENEFITS_REDEEM

    def handle_exception(self, exc: Exception) -> Response:
        if not isinstance(exc, Conflict) or not exc.detail:
            return super().handle_exception(exc)
        body = problems.document(exc.status, str(exc.message), code=exc.code, **exc.detail)
        return Response(body, status=exc.status, content_type=problems.MEDIA_TYPE)

    def member(self, member_id: int) -> int:
        """The member, if the caller sees them. Raises `NotFound`."""
        return profiles.get(member_id=member_id, actor=self.actor).pk


class ClaimView(_ActView):
    @extend_schema(summary="Claim a benefit", request=shapes.ClaimIn, responses=shapes.ClaimOut)
    def post(self, request: Request, member_id: int, benefit_key: str) -> Response:
        """Within the quota. Refusals are 409s that say why: `not_entitled`, `quota_reached`, `out_of_codes` …"""
        given = valid(shapes.ClaimIn(data=request.data))
        done = benefits.claim(member_id=self.member(member_id), benefit_key=benefit_key, now=clock.now(), **given)
        return Response(shown(done.claim, duplicate=done.duplicate), status=200 if done.duplicate else 201)


class UseView(_ActView):
    @extend_schema(summary="Use a benefit that needs no claim", request=shapes.UseIn, responses=shapes.ClaimOut)
    def post(self, request: Request, member_id: int, benefit_key: str) -> Response:
        given = valid(shapes.UseIn(data=request.data))
        done = benefits.use(
            member_id=self.member(member_id), benefit_key=benefit_key, reference=given["reference"],
            store_id=store_id(given["store"], self.actor), now=clock.now(),
        )  # fmt: skip
        return Response(shown(done.claim, duplicate=done.duplicate), status=200 if done.duplicate else 201)


class IssueView(_ActView):
    @extend_schema(summary="Give a benefit beside its quota", request=shapes.IssueIn, responses=shapes.ClaimOut)
    def post(self, request: Request, member_id: int, benefit_key: str) -> Response:
        given = valid(shapes.IssueIn(data=request.data))
        done = benefits.issue(member_id=self.member(member_id), benefit_key=benefit_key, now=clock.now(), **given)
        return Response(shown(done.claim, duplicate=done.duplicate), status=200 if done.duplicate else 201)


class CodeVerifyView(_ActView):
    @extend_schema(summary="What is behind a code", request=shapes.CodeGiven, responses=shapes.ClaimSerializer)
    def post(self, request: Request) -> Response:
        """Changes nothing. 422 `mistyped_code` for what cannot be a code, 404 `unknown_code` when nobody has it."""
        return Response(shown(queries.by_code(valid(shapes.CodeGiven(data=request.data))["code"], actor=self.actor)))


class CodeRedeemView(_ActView):
    @extend_schema(summary="Use a claim by its code", request=shapes.RedeemIn, responses=shapes.ClaimOut)
    def post(self, request: Request) -> Response:
        given = valid(shapes.RedeemIn(data=request.data))
        return redeemed(self, queries.by_code(given["code"], actor=self.actor), given)


class ClaimRedeemView(_ActView):
    @extend_schema(summary="Use a claim", request=shapes.UseIn, responses=shapes.ClaimOut)
    def post(self, request: Request, member_id: int, claim_id: UUID) -> Response:
        given = valid(shapes.UseIn(data=request.data))
        return redeemed(self, queries.get(member_id=member_id, claim_id=claim_id, actor=self.actor), given)


def redeemed(view: _ActView, claim: MemberBenefit, given: dict[str, Any]) -> Response:
    done, duplicate = benefit_uses.redeem(
        member_id=claim.member_id, claim_id=claim.pk, reference=given["reference"],
        store_id=store_id(given["store"], view.actor), now=clock.now(),
    )  # fmt: skip
    return Response(shown(done, duplicate=duplicate))


class ClaimVoidView(_ActView):
    @extend_schema(summary="Void an unused claim", request=shapes.ReasonIn, responses=shapes.ClaimSerializer)
    def post(self, request: Request, member_id: int, claim_id: UUID) -> Response:
        given = valid(shapes.ReasonIn(data=request.data))
        claim = queries.get(member_id=member_id, claim_id=claim_id, actor=self.actor)
        return Response(shown(benefit_uses.void(member_id=member_id, claim_id=claim.pk, now=clock.now(), **given)))


class ClaimReturnView(_ActView):
    @extend_schema(summary="Take a use back", request=shapes.ReasonIn, responses=shapes.ClaimSerializer)
    def post(self, request: Request, member_id: int, claim_id: UUID) -> Response:
        """Within the benefit's `return_days`; the quota is given back."""
        given = valid(shapes.ReasonIn(data=request.data))
        claim = queries.get(member_id=member_id, claim_id=claim_id, actor=self.actor)
        return Response(shown(benefit_uses.take_back(member_id=member_id, claim_id=claim.pk, now=clock.now(), **given)))
