"""The page at the till: type or scan a code, see whose it is, confirm."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render

from members.models import MemberBenefit
from members.operations import benefit_uses
from members.queries import benefit_claims, organisation
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError


class StoreForm(forms.Form):
    """Where it is used, for those who belong to no store."""

    store = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["store"].choices = [("", "—"), *organisation.store_choices(keep=None)]  # type: ignore[attr-defined]


@page(allow=Permission.BENEFITS_REDEEM)
def benefit_redeem(request: ConsoleRequest) -> HttpResponse:
    """`?code=` shows what is behind a code; POST uses it. Members outside of the data scope are not found.

    The reference of a use is made with the page that asks for it, so that pressing twice uses once.
    """
    code = (request.POST if request.method == "POST" else request.GET).get("code", "")[:60]
    context: dict[str, Any] = {"code": code}
    status = 200
    if code:
        try:
            claim = benefit_claims.by_code(code, actor=request.actor)
            if request.method == "POST":
                claim = _use(request, claim)
                context["done"] = True
            else:
                context["problem"] = _problem(claim)
        except DomainError as error:
            context["problem"] = str(error)
            status = 422 if request.method == "POST" else 200
        else:
            context |= {
                "shown": benefit_claims.shown([claim], now=clock.now())[0],
                "reference": f"console:{secrets.token_hex(12)}",
                "store_form": StoreForm() if request.actor.store_id is None else None,
            }
    return render(request, "members/benefit_redeem.html", context, status=status)


def _use(request: ConsoleRequest, claim: MemberBenefit) -> MemberBenefit:
    form = StoreForm(request.POST)
    chosen = form.cleaned_data["store"] if form.is_valid() else None
    used, _again = benefit_uses.redeem(
        member_id=claim.member_id, claim_id=claim.pk, reference=request.POST.get("reference", "")[:120],
        store_id=request.actor.store_id or chosen, now=clock.now(),
    )  # fmt: skip
    return benefit_claims.get(member_id=used.member_id, claim_id=used.pk, actor=request.actor)


def _problem(claim: MemberBenefit) -> str:
    """Why the claim cannot be used; empty when it can."""
    try:
        benefit_uses.refuse_unusable(claim, clock.now())
    except DomainError as error:
        return str(error)
    return ""
