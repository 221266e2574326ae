"""The tier of one member: why it is so, how it came to be, set by hand; and the paid memberships of the member."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.enums import MembershipState
from members.operations import memberships as membership_acts
from members.operations import tiers as operations
from members.queries import memberships, profiles, tier_schemes, tiers
from members.web.tier_forms import HandForm
from scrm.common import clock, money, panels
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse


class BuyForm(forms.Form):
    """A purchase that the staff books: what was paid at the till."""

    plan = forms.ChoiceField(label=gettext_lazy("Plan"))
    reference = forms.CharField(
        max_length=120, label=gettext_lazy("Reference"), help_text=gettext_lazy("The number of the receipt.")
    )
    price = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=2, label=gettext_lazy("Paid"),
        help_text=gettext_lazy("Empty: the price of the plan."),
    )  # fmt: skip
    trial = forms.BooleanField(required=False, label=gettext_lazy("As a free trial"))
    auto_renew = forms.BooleanField(required=False, label=gettext_lazy("Renews by itself"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].choices = [  # type: ignore[attr-defined]  # a choice field
            (plan.key, plan.name) for plan in memberships.plans() if plan.active
        ]


@page(allow=Permission.LOYALTY_VIEW)
def member_tier(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Where a member stands and why; `?at=` plays a past day again."""
    return _page(request, member_id)


@require_POST
@page(allow=Permission.POINTS_ADJUST)
def member_tier_set(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Set the tier by hand, or end what was set."""
    profiles.get(member_id=member_id, actor=request.actor)
    if "end" in request.POST:
        operations.end_by_hand(member_id=member_id, now=clock.now())
        messages.success(request, _("What was set by hand has ended."))
        return redirect("member_tier", member_id)
    form = HandForm(request.POST, tiers=_choices())
    if form.is_valid():
        try:
            operations.set_by_hand(
                member_id=member_id, tier_id=form.cleaned_data["tier"], reason=form.cleaned_data["reason"],
                until=clock.day_end(form.cleaned_data["until"]), now=clock.now(),
            )  # fmt: skip
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("The tier was set."))
            return redirect("member_tier", member_id)
    return _page(request, member_id, hand=form)


@require_POST
@page(allow=Permission.POINTS_ADJUST)
def member_membership(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Book a purchase, a refund, or whether a term renews by itself."""
    profiles.get(member_id=member_id, actor=request.actor)
    now = clock.now()
    reference = request.POST.get("reference", "")
    form = None
    try:
        if "refund" in request.POST:
            ended, _new = membership_acts.refund(
                member_id=member_id, reference=reference, refund_reference=f"console:{reference}"[:120], now=now
            )
            messages.success(
                request, _("Ended. Give back %(amount)s.") % {"amount": f"¥{money.to_decimal(ended.refunded)}"}
            )
        elif "renewal" in request.POST:
            membership_acts.set_auto_renew(
                member_id=member_id, reference=reference, auto_renew=request.POST["renewal"] == "on", now=now
            )
            messages.success(request, _("Saved."))
        else:
            form = BuyForm(request.POST)
            if not form.is_valid():
                return _page(request, member_id, buy=form)
            data = dict(form.cleaned_data)
            price = data.pop("price")
            membership_acts.buy(
                member_id=member_id, price=None if price is None else money.to_minor(price), **data, now=now
            )
            messages.success(request, _("The membership was booked."))
    except DomainError as error:
        if form is not None:
            refuse(form, error)
            return _page(request, member_id, buy=form)
        messages.error(request, str(error))
    return redirect("member_tier", member_id)


def _choices() -> list[tuple[int, str]]:
    row = tier_schemes.row_in_effect(clock.now())
    return [] if row is None else [(step.tier.pk, step.tier.name) for step in tier_schemes.steps(row)]


def _page(
    request: ConsoleRequest, member_id: int, *, hand: HandForm | None = None, buy: BuyForm | None = None
) -> HttpResponse:
    member = profiles.get(member_id=member_id, actor=request.actor)
    now = clock.now()
    day = _day(request.GET.get("at", ""))
    at = None if day is None else min(clock.day_end(day), now)
    terms = memberships.of_member(member_id)
    context: dict[str, Any] = {
        "member": member,
        "stand": tiers.standing(member_id, now=now),
        "history": tiers.history(member_id),
        "replay": tiers.replay(member_id, at=at) if at is not None else None,
        "day": day,
        "hand": hand or HandForm(tiers=_choices()),
        "buy": buy or BuyForm(),
        "plans": any(plan.active for plan in memberships.plans()),
        "terms": [
            {
                "row": row,
                "running": row.state == MembershipState.ACTIVE and row.ends_at > now,
                "back": memberships.refundable(row, now=now),
            }
            for row in terms
        ],
        "may_set": request.actor.may(Permission.POINTS_ADJUST),
    }
    bad = (hand is not None and hand.errors) or (buy is not None and buy.errors)
    return render(request, "members/member_tier.html", context, status=422 if bad else 200)


def _day(raw: str) -> date | None:
    try:
        found = date.fromisoformat(raw)
    except ValueError:
        return None
    return found if 1900 < found.year < 2200 else None


def panel(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """The tier on the member page, with what is lacking and the way to why."""
    stand = tiers.standing(member_id, now=clock.now())
    if stand is None or not request.actor.may(Permission.LOYALTY_VIEW):
        return None
    running = [row for row in memberships.of_member(member_id) if row.state == MembershipState.ACTIVE]
    return "members/tier_panel.html", {
        "stand": stand,
        "value": tiers.amount(stand.basis, stand.value),
        "member_id": member_id,
        "terms": running,
    }


panels.register("member", "tier", panel)
