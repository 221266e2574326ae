"""Benefits on a member's page: what they are entitled to, their claims, claiming and voiding for them; the QR code."""

from __future__ import annotations

import io
import secrets
from typing import Any
from uuid import UUID

import segno
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from members.enums import BenefitState
from members.models import Benefit
from members.operations import benefit_uses, benefits
from members.queries import benefit_claims as claims
from members.queries import benefits as queries
from members.queries import profiles
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound

MOST_CLAIMS = 8
TONES = {"claimed": "jade", "redeemed": "blue", "expired": "grey", "voided": "grey", "returned": "amber"}


def context(request: ConsoleRequest, member_id: int, **more: Any) -> dict[str, Any]:
    """The variables of members/benefit_panel.html."""
    now = clock.now()
    listed = claims.of_member(member_id).order_by("-claimed_at", "-pk")[:MOST_CLAIMS]
    entitled = queries.entitled(member_id, now=now)
    return {
        "member_id": member_id,
        "entitled": entitled,
        "claims": [{"shown": one, "tone": TONES[one.state]} for one in claims.shown(list(listed), now=now)],
        "may_act": request.actor.may(Permission.BENEFITS_REDEEM),
        "givable": Benefit.objects.filter(state=BenefitState.ACTIVE, claimed_first=True).exclude(
            kind="points_multiplier"
        ).order_by("name"),
        "reference": f"console:{secrets.token_hex(12)}",
        **more,
    }  # fmt: skip


def show(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """The panel, for who may see benefits."""
    if not request.actor.may(Permission.LOYALTY_VIEW):
        return None
    return "members/benefit_panel.html", context(request, member_id)


@require_POST
@page(allow=Permission.BENEFITS_REDEEM)
def member_benefit_act(request: ConsoleRequest, member_id: int, act: str) -> HttpResponse:
    """Claim, give, void, take back or use for a member; answers the panel."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    given, now = request.POST, clock.now()
    reference, reason = given.get("reference", "")[:110], given.get("reason", "").replace("\0", "").strip()[:200]
    fault = ""
    try:
        match act:
            case "claim":
                benefits.claim(member_id=member.pk, benefit_key=given.get("key", ""), reference=reference, now=now)
            case "use":
                benefits.use(
                    member_id=member.pk, benefit_key=given.get("key", ""), reference=reference,
                    store_id=request.actor.store_id, now=now,
                )  # fmt: skip
            case "give":
                benefits.issue(
                    member_id=member.pk, benefit_key=given.get("key", ""), reference=reference, reason=reason, now=now
                )
            case "void" | "return":
                change = benefit_uses.void if act == "void" else benefit_uses.take_back
                change(member_id=member.pk, claim_id=_claim_id(given.get("claim", "")), reason=reason, now=now)
            case _:
                raise Http404
    except DomainError as error:
        fault = str(error)
    return render(request, "members/benefit_panel.html", context(request, member.pk, fault=fault))


@never_cache
@page(allow=Permission.LOYALTY_VIEW)
def claim_qr(request: ConsoleRequest, member_id: int, claim_id: UUID) -> HttpResponse:
    """The code of a claim as a QR picture, black on white in either theme."""
    try:
        claim = claims.get(member_id=member_id, claim_id=claim_id, actor=request.actor)
    except NotFound as error:
        raise Http404 from error
    if not claim.code:
        raise Http404
    picture = io.BytesIO()
    segno.make(claim.code, error="m", micro=False).save(
        picture, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False
    )
    return HttpResponse(picture.getvalue(), content_type="image/svg+xml")


def _claim_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
