"""The form of the ladder: it reads and checks shapes, operations decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from members.enums import (
    TierBasis,
    TierDowngrade,
    TierOnRefund,
    TierPeriod,
    TierStart,
    TierValidity,
    TierWindow,
)
from members.operations.tier_schemes import TONES, Content, StepContent
from scrm.common import clock, money
from scrm.common.errors import Invalid

TONE_LABELS = {
    "grey": gettext_lazy("Grey"),
    "blue": gettext_lazy("Blue"),
    "green": gettext_lazy("Green"),
    "amber": gettext_lazy("Amber"),
    "red": gettext_lazy("Red"),
    "violet": gettext_lazy("Violet"),
    "pink": gettext_lazy("Pink"),
    "jade": gettext_lazy("Jade"),
}
# What a ladder begins with.
_FIRST = ("普通会员", "银卡", "金卡")


def _number(label: Any, low: int, high: int, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(min_value=low, max_value=high, label=label, help_text=help_text)


class LadderForm(forms.Form):
    """The settings; the steps are rows beside it (`rows`)."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    basis = forms.ChoiceField(choices=TierBasis.choices, label=gettext_lazy("Tiers are earned by"))
    window = forms.ChoiceField(choices=TierWindow.choices, label=gettext_lazy("Counted over"))
    window_months = _number(gettext_lazy("Months of a rolling window"), 1, 120)
    period = forms.ChoiceField(
        choices=TierPeriod.choices, label=gettext_lazy("A period is"),
        help_text=gettext_lazy("Where the year of membership counts, that year is the period."),
    )  # fmt: skip
    start = forms.ChoiceField(choices=TierStart.choices, label=gettext_lazy("A tier that was reached begins"))
    validity = forms.ChoiceField(choices=TierValidity.choices, label=gettext_lazy("It lasts"))
    validity_months = _number(gettext_lazy("Months of validity"), 1, 120)
    extension_days = _number(
        gettext_lazy("Days of extension"), 0, 366, gettext_lazy("The tier lasts so many days longer.")
    )
    downgrade = forms.ChoiceField(choices=TierDowngrade.choices, label=gettext_lazy("When it expires unkept"))
    grace_days = _number(
        gettext_lazy("Days of grace"), 0, 366,
        gettext_lazy("After it has expired: who still reaches what keeps the tier keeps it."),
    )  # fmt: skip
    notice_days = _number(
        gettext_lazy("Notice, days before"), 0, 366,
        gettext_lazy("An event “tier.expiring” for those who have not reached what keeps it. 0: none."),
    )  # fmt: skip
    on_refund = forms.ChoiceField(
        choices=TierOnRefund.choices, label=gettext_lazy("When a refund takes away its ground")
    )
    gifts_on_change = forms.BooleanField(
        required=False, label=gettext_lazy("Give the gifts also to those whom this change lifts")
    )
    effective_on = forms.DateField(
        required=False, label=gettext_lazy("Effective from"), widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("A day to come; empty: at once."),
    )  # fmt: skip

    def content(self, rows: Sequence[dict[str, Any]]) -> Content:
        """What was typed. Raises `Invalid` for what is no number, its `field` naming the row."""
        data = {name: value for name, value in self.cleaned_data.items() if name not in ("version", "effective_on")}
        return Content(steps=[_step(place, row, data["basis"]) for place, row in enumerate(rows)], **data)

    def effective_from(self) -> datetime | None:
        day = self.cleaned_data["effective_on"]
        return None if day is None else clock.day_start(day)


def rows_of(content: Content | None) -> list[dict[str, Any]]:
    """The rows of a version, or those of a first ladder."""
    if content is None:
        return [
            {
                **_empty(),
                "name": name,
                "key": f"level{place + 1}",
                "threshold": str(1_000 * 5**place // 5 if place else 0),
            }
            for place, name in enumerate(_FIRST)
        ]
    return [_row(step, content.basis) for step in content.steps]


def read(data: QueryDict) -> list[dict[str, Any]]:
    """The rows as they were sent, after what a button does to them: add, up, down or remove one."""
    names = tuple(_empty())
    columns = [data.getlist(f"step_{name}") for name in names]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=False)][:50]
    act, _colon, raw = data.get("act", "").partition(":")
    place = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 4 else -1
    if act == "add" and len(rows) < 50:
        rows.append({**_empty(), "key": _free_key(rows)})
    elif act == "remove" and 0 < place < len(rows):
        del rows[place]
    elif act == "up" and 1 < place < len(rows):
        rows[place - 1], rows[place] = _swapped(rows[place - 1], rows[place])
    elif act == "down" and 0 < place < len(rows) - 1:
        rows[place], rows[place + 1] = _swapped(rows[place], rows[place + 1])
    return rows


def _swapped(upper: dict[str, Any], lower: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two tiers change places; what reaches the place stays with the place."""
    fixed = ("threshold", "retention")
    return (
        {**lower, **{name: upper[name] for name in fixed}},
        {**upper, **{name: lower[name] for name in fixed}},
    )


def _empty() -> dict[str, Any]:
    return {
        "tier_id": "", "key": "", "name": "", "colour": "grey", "threshold": "", "retention": "", "description": "",
        "points": "", "coupon": "", "benefit": "", "others": "[]",
    }  # fmt: skip


def _free_key(rows: Sequence[dict[str, Any]]) -> str:
    taken = {row["key"] for row in rows}
    return next(key for number in range(1, 200) if (key := f"level{number}") not in taken)


def _row(step: StepContent, basis: str) -> dict[str, Any]:
    row = {
        **_empty(), "tier_id": str(step.tier_id or ""), "key": step.key, "name": step.name, "colour": step.colour,
        "threshold": _typed(step.threshold, basis), "description": step.description,
        "retention": "" if step.retention in (None, step.threshold) else _typed(step.retention or 0, basis),
    }  # fmt: skip
    others = []
    for gift in step.gifts:
        if gift["kind"] == "points" and gift["currency"] == "points" and not row["points"]:
            row["points"] = str(gift["amount"])
        elif gift["kind"] == "grant" and gift["item"] == "coupon" and gift["quantity"] == 1 and not row["coupon"]:
            row["coupon"] = gift["key"]
        elif gift["kind"] == "benefit" and gift["quantity"] == 1 and not row["benefit"]:
            row["benefit"] = gift["key"]
        else:
            others.append(gift)
    return {**row, "others": json.dumps(others, ensure_ascii=False)}


def _typed(value: int, basis: str) -> str:
    return money.to_decimal(value).removesuffix(".00") if basis == TierBasis.SPEND else str(value)


def _step(place: int, row: dict[str, Any], basis: str) -> StepContent:
    gifts: list[dict[str, Any]] = []
    if row["points"].strip():
        gifts.append(
            {"kind": "points", "currency": "points", "amount": _whole(row["points"], f"steps[{place}].gifts", "growth")}
        )
    if row["coupon"].strip():
        gifts.append({"kind": "grant", "item": "coupon", "key": row["coupon"].strip(), "quantity": 1})
    if row["benefit"].strip():
        gifts.append({"kind": "benefit", "key": row["benefit"].strip(), "quantity": 1})
    try:
        gifts += json.loads(row["others"])
    except (ValueError, TypeError) as error:
        raise Invalid(_("Rewards are a list."), code="not_a_list", field=f"steps[{place}].gifts") from error
    known = row["tier_id"]
    return StepContent(
        name=row["name"].strip(),
        threshold=_whole(row["threshold"] or "0", f"steps[{place}].threshold", basis),
        retention=_whole(row["retention"], f"steps[{place}].retention", basis) if row["retention"].strip() else None,
        tier_id=int(known) if known.isascii() and known.isdigit() and len(known) < 19 else None,
        key=row["key"],
        colour=row["colour"] if row["colour"] in TONES else "grey",
        description=row["description"].strip(),
        gifts=gifts,
    )


def _whole(text: str, field: str, basis: str) -> int:
    """A number as typed; amounts of money in major units."""
    cleaned = text.replace(",", "").replace("¥", "").strip()
    try:
        if basis == TierBasis.SPEND:
            return money.to_minor(Decimal(cleaned))
        if len(cleaned) > 15:
            raise ValueError
        return int(cleaned)
    except (ValueError, ArithmeticError) as error:
        raise Invalid(_("A whole number is needed."), code="not_a_number", field=field) from error


class HandForm(forms.Form):
    """A tier until a day, with a reason."""

    tier = forms.TypedChoiceField(coerce=int, label=gettext_lazy("Tier"))
    until = forms.DateField(label=gettext_lazy("Until and including"), widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(max_length=200, label=gettext_lazy("Reason"))

    def __init__(self, *args: Any, tiers: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = tiers  # type: ignore[attr-defined]  # a choice field


class PlanForm(forms.Form):
    """A plan of paid memberships. Prices are typed in major units."""

    key = forms.CharField(
        max_length=32, label=pgettext_lazy("identifier", "Key"),
        help_text=gettext_lazy("What shops call it when they book a purchase. It cannot be changed later."),
    )  # fmt: skip
    name = forms.CharField(max_length=40, label=gettext_lazy("Name"))
    price = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=2, label=gettext_lazy("Price"), help_text=gettext_lazy("Per term.")
    )
    term_months = _number(gettext_lazy("Months of a term"), 0, 120)
    term_days = _number(gettext_lazy("and days"), 0, 3_660)
    trial_days = _number(gettext_lazy("Days of a free trial"), 0, 366, gettext_lazy("0: no trial."))
    notice_days = _number(
        gettext_lazy("Notice, days before the end"), 0, 366,
        gettext_lazy("“membership.renewal_due” for those who renew by themselves, else “membership.expiring”."),
    )  # fmt: skip
    tier_id = forms.TypedChoiceField(
        coerce=lambda raw: int(raw) if raw else None, empty_value=None, required=False,
        label=gettext_lazy("Brings the tier"),
        help_text=gettext_lazy("Without one it is a badge of its own beside the tier."),
    )  # fmt: skip
    colour = forms.ChoiceField(choices=list(TONE_LABELS.items()), label=gettext_lazy("Colour"))
    description = forms.CharField(
        required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 3}), label=gettext_lazy("Description")
    )
    active = forms.BooleanField(required=False, label=gettext_lazy("Can be bought"))

    def __init__(self, *args: Any, tiers: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier_id"].choices = [("", _("None")), *tiers]  # type: ignore[attr-defined]  # a choice field
