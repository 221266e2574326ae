"""The kinds of points and their policies, and what outstanding points would cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from members.enums import ExpiryKind, ReversalPolicy
from members.models import PointsCurrency
from members.operations import currencies
from members.operations import points_liability as liability_acts
from members.operations.currencies import Content
from members.queries import points_liability
from members.web import points_presentation as presentation
from members.web.points_pages import kinds, sections
from scrm.common import clock, money
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, Invalid
from scrm.common.forms import refuse

_EARNED_ONLY = gettext_lazy("Holds for what is earned from now on; what members have keeps what it was given.")
_AT_ONCE = gettext_lazy("Holds at once, for everything.")
_MONTHS = [(month, str(month)) for month in range(1, 13)]


class CurrencyForm(forms.Form):
    """Policies; the texts say which of them concern what members have already."""

    name = forms.CharField(max_length=40, label=gettext_lazy("Name"))
    pending_days = forms.IntegerField(
        min_value=0, max_value=3_660, label=gettext_lazy("Days until available"), help_text=_EARNED_ONLY
    )
    expiry = forms.ChoiceField(choices=ExpiryKind.choices, label=gettext_lazy("Expiry"), help_text=_EARNED_ONLY)
    expiry_count = forms.IntegerField(
        min_value=0, max_value=3_660, label="N", help_text=gettext_lazy("The N of the expiry above.")
    )
    expiry_month = forms.TypedChoiceField(
        choices=_MONTHS, coerce=int, label=gettext_lazy("Month of the fixed day"),
        help_text=gettext_lazy("Only for expiry on a fixed day."),
    )  # fmt: skip
    expiry_day = forms.IntegerField(min_value=1, max_value=31, label=gettext_lazy("Day of the fixed day"))
    warn_days = forms.CharField(
        required=False, max_length=40, label=gettext_lazy("Warn members, days before"),
        help_text=gettext_lazy("Up to five numbers, such as 30, 7. Noted on timelines; journeys can react to it."),
    )  # fmt: skip
    reversal = forms.ChoiceField(
        choices=ReversalPolicy.choices, label=gettext_lazy("When an order is refunded, take back"), help_text=_AT_ONCE
    )
    grace_days = forms.IntegerField(
        min_value=0, max_value=3_660, label=gettext_lazy("Days of grace"),
        help_text=gettext_lazy("What is given back to an expired credit can be used so much longer; 0: it lapses."),
    )  # fmt: skip
    hold_minutes = forms.IntegerField(
        min_value=1, max_value=525_600, label=gettext_lazy("Minutes that a hold lasts"),
        help_text=gettext_lazy("For holds from now on."),
    )  # fmt: skip
    cost_per_1000 = forms.DecimalField(
        min_value=0, max_value=10**7, decimal_places=2, label=gettext_lazy("Cost of 1,000 points (¥)"),
        help_text=gettext_lazy("What the liability is counted with, from the next count on."),
    )  # fmt: skip
    adjust_limit = forms.IntegerField(
        min_value=0, max_value=10**12, label=gettext_lazy("Adjustment limit of one person"),
        help_text=gettext_lazy("Larger adjustments by hand need a second person."),
    )  # fmt: skip

    @classmethod
    def of(cls, currency: PointsCurrency, data: Any) -> CurrencyForm:
        initial = {name: getattr(currency, name) for name in cls.base_fields if hasattr(currency, name)}
        initial |= {
            "warn_days": ", ".join(str(day) for day in currency.warn_days),
            "cost_per_1000": presentation.amount_field(currency.cost_per_1000),
        }
        return cls(data, initial=initial)

    def clean_warn_days(self) -> list[int]:
        parts = self.cleaned_data["warn_days"].replace("，", ",").replace("、", ",").split(",")
        days = [part.strip() for part in parts if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in days):
            raise forms.ValidationError(_("Numbers of days, with commas between them."))
        return sorted({int(part) for part in days}, reverse=True)

    @property
    def content(self) -> Content:
        values = {name: self.cleaned_data[name] for name in Content.__dataclass_fields__}
        values["cost_per_1000"] = money.to_minor(Decimal(values["cost_per_1000"]))
        return Content(**values)


class NewCurrencyForm(CurrencyForm):
    """With what is chosen once."""

    key = forms.CharField(
        max_length=32,
        label=pgettext_lazy("identifier", "Key"),
        help_text=gettext_lazy("What other systems call it: a–z, 0–9 and _. It cannot be changed later."),
    )
    spendable = forms.BooleanField(
        required=False,
        initial=True,
        label=gettext_lazy("Can be spent"),
        help_text=gettext_lazy("Growth is only earned. It cannot be changed later."),
    )
    field_order = ("key", "name", "spendable")


@page(allow=Permission.LOYALTY_VIEW)
def currency_list(request: ConsoleRequest) -> HttpResponse:
    """Every kind of points with its policies in words."""
    context = {
        "sections": sections(request.actor, "currency_list"),
        "rows": [{"currency": kind, "policies": presentation.policies(kind)} for kind in kinds()],
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
    }
    return render(request, "members/currency_list.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def currency_new(request: ConsoleRequest) -> HttpResponse:
    """A new kind of points."""
    initial = {
        "pending_days": 0, "expiry": ExpiryKind.YEAR_END, "expiry_count": 1, "expiry_month": 12, "expiry_day": 31,
        "reversal": ReversalPolicy.ARREARS, "grace_days": 7, "hold_minutes": 30, "cost_per_1000": "10.00",
        "adjust_limit": 1_000, "warn_days": "30, 7", "spendable": True,
    }  # fmt: skip
    form = NewCurrencyForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            currencies.create(key=data["key"], spendable=data["spendable"], content=form.content)
        except Invalid as error:
            refuse(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("currency_list")
    context = {"form": form, "heading": _("New kind of points")}
    return render(request, "members/currency_edit.html", context, status=422 if form.errors else 200)


@page(allow=Permission.LOYALTY_MANAGE)
def currency_edit(request: ConsoleRequest, key: str) -> HttpResponse:
    """Change policies. What members have keeps what it was given."""
    currency = currencies.get(key)
    form = CurrencyForm.of(currency, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            currencies.change(key=key, content=form.content)
        except Invalid as error:
            refuse(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("currency_list")
    context = {"form": form, "heading": currency.name, "currency": currency}
    return render(request, "members/currency_edit.html", context, status=422 if form.errors else 200)


@page(allow=Permission.LOYALTY_VIEW)
def points_liability_page(request: ConsoleRequest) -> HttpResponse:
    """Outstanding points and their cost now and over time, breakage by month of earning, and what expires when."""
    offered = [kind for kind in kinds() if kind.spendable]
    chosen = next((kind for kind in offered if kind.key == request.GET.get("currency")), offered[0])
    board = points_liability.board(chosen, today=clock.shop_date(clock.now()), actor=request.actor)
    days = board.days
    context = {
        "sections": sections(request.actor, "points_liability"),
        "tabs": [{"label": kind.name, "href": f"?currency={kind.key}", "active": kind == chosen} for kind in offered],
        "board": board,
        "cost": board.latest.cost if board.latest else None,
        "expected": presentation.cost(chosen, sum(amount for _month, amount in board.months)),
        "sparks": [one.cost for one in days] if len(days) > 1 else [],
        "outstanding_chart": {
            "labels": [f"{one.day:%m-%d}" for one in days],
            "series": [
                {"name": str(_("Outstanding points")), "data": [one.available + one.pending + one.held for one in days]}
            ],
            "format": "count",
        },
        "months_chart": {
            "labels": [f"{month:%Y-%m}" for month, _amount in board.months],
            "series": [{"name": str(_("Points that expire")), "data": [amount for _month, amount in board.months]}],
            "format": "count",
        },
        "several_days": len(days) > 1,
    }
    return render(request, "members/points_liability.html", context)


@require_POST
@page(allow=Permission.LOYALTY_VIEW)
def points_liability_count(request: ConsoleRequest) -> HttpResponse:
    """Count now instead of tonight."""
    try:
        job = liability_acts.start(actor=request.actor)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("points_liability")
    messages.success(request, _("Counting has started."))
    return redirect("job_detail", job.pk)
