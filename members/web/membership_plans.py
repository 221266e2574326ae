"""The plans of paid memberships."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from members.models import MembershipPlan
from members.operations import memberships as operations
from members.queries import memberships, tier_schemes
from members.web.tier_forms import PlanForm
from scrm.common import clock, money
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse


@page(allow=Permission.LOYALTY_VIEW)
def plan_list(request: ConsoleRequest) -> HttpResponse:
    """All plans, with how many members have a running term."""
    running = memberships.running(clock.now())
    tiers = tier_schemes.tiers()
    rows = [
        {"plan": plan, "tier": tiers.get(plan.tier_id or 0), "running": running.get(plan.pk, 0)}
        for plan in memberships.plans()
    ]
    context = {"rows": rows, "may_manage": request.actor.may(Permission.LOYALTY_MANAGE)}
    return render(request, "members/plan_list.html", context)


@require_http_methods(["GET", "POST"])
@page(allow=Permission.LOYALTY_MANAGE)
def plan_new(request: ConsoleRequest) -> HttpResponse:
    """A new plan."""
    initial = {
        "term_months": 12, "term_days": 0, "trial_days": 0, "notice_days": 7, "colour": "violet", "active": True,
    }  # fmt: skip
    return _edit(request, None, PlanForm(request.POST or None, initial=initial, tiers=_tiers()))


@require_http_methods(["GET", "POST"])
@page(allow=Permission.LOYALTY_MANAGE)
def plan_edit(request: ConsoleRequest, key: str) -> HttpResponse:
    """Change a plan: terms that were bought stay as they are."""
    plan = memberships.plan(key)
    initial = {name: getattr(plan, name) for name in PlanForm.base_fields} | {"price": money.to_decimal(plan.price)}
    form = PlanForm(request.POST or None, initial=initial, tiers=_tiers())
    form.fields["key"].disabled = True
    return _edit(request, plan, form)


def _tiers() -> list[tuple[int, str]]:
    return [(tier.pk, tier.name) for tier in tier_schemes.tiers().values() if tier.retired_at is None]


def _edit(request: ConsoleRequest, plan: MembershipPlan | None, form: PlanForm) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        data: dict[str, Any] = dict(form.cleaned_data)
        key = data.pop("key")
        try:
            content = operations.PlanContent(**data | {"price": money.to_minor(data["price"])})
            if plan is None:
                operations.create_plan(key=key, content=content)
            else:
                operations.change_plan(key=plan.key, content=content)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("plan_list")
    context = {"form": form, "heading": plan.name if plan is not None else _("New plan")}
    return render(request, "members/plan_edit.html", context, status=422 if form.errors else 200)
