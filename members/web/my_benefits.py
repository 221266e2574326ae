"""The member's own page of benefits: what there is, what was claimed, and the code to show at the till."""

from __future__ import annotations

from uuid import uuid4

import segno
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from members.operations import benefits as operations
from members.queries import benefit_claims, benefits
from members.web.my_pages import Mine, own
from scrm.common import clock
from scrm.common.errors import NotFound

_MOST = 100  # claims that are shown, the newest


@require_safe
@own
def my_benefits(request: HttpRequest, mine: Mine) -> HttpResponse:
    """What the member is entitled to, with what is left of each, and what lies claimed."""
    now = clock.now()
    claims = benefit_claims.shown(
        list(benefit_claims.of_member(mine.member.pk).order_by("-claimed_at", "-pk")[:_MOST]), now=now
    )
    return mine.show(
        "members/my/benefits.html",
        "my_benefits",
        {
            "open": [claim for claim in claims if claim.is_open],
            "past": [claim for claim in claims if not claim.is_open],
            "offers": benefits.entitled(mine.member.pk, now=now),
            # Tells two presses of the button from two claims.
            "press": uuid4().hex,
        },
    )


@require_POST
@own
def my_benefit_claim(request: HttpRequest, mine: Mine) -> HttpResponse:
    """Claim a benefit; pressing twice claims once."""
    key, press = request.POST.get("benefit", ""), request.POST.get("press", "")[:40]
    return mine.act(
        "my_benefits",
        _("It is yours. Show the code when you use it."),
        lambda: operations.claim(
            member_id=mine.member.pk, benefit_key=key, reference=f"my:{press}:{key}", now=clock.now()
        ),
    )


@require_safe
@own
def my_benefit_code(request: HttpRequest, mine: Mine, claim_id: str) -> HttpResponse:
    """The code of one claim, as letters and as a picture."""
    claim = benefit_claims.of_member(mine.member.pk).filter(pk=claim_id).first()
    if claim is None:
        raise NotFound(_("There is no such page."))
    found = benefit_claims.shown([claim], now=clock.now())[0]
    text = claim.code if claim.partner_code_id is None else found.code
    picture = segno.make(text, error="m", micro=False).svg_data_uri(scale=6, light="#fff") if text else ""
    return mine.show("members/my/benefit_code.html", "my_benefits", {"shown": found, "picture": picture})
