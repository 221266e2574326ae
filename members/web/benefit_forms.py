"""Forms of benefits and partners. They check shape; what is allowed is decided in members.operations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from members.enums import BenefitKind, QuotaPeriod
from members.models import Benefit, Partner
from members.models.benefits import LARGEST_QUOTA
from members.operations.benefit_catalogue import ICONS, Content, RuleIn
from members.queries import benefit_catalogue, benefit_tiers, organisation
from members.rules.benefits import PARAMETERS
from scrm.common import clock, money
from scrm.common.errors import DomainError
from scrm.common.forms import refuse

_MONEY = frozenset({"amount_off", "min_spend", "max_off"})
_ICON_NAMES = {
    "gift": gettext_lazy("Gift"), "discount": gettext_lazy("Discount label"), "truck-delivery": gettext_lazy("Van"),
    "cake": gettext_lazy("Cake"), "massage": gettext_lazy("Care"), "coins": gettext_lazy("Coins"),
    "ticket": gettext_lazy("Ticket"), "star": gettext_lazy("Star"), "crown": gettext_lazy("Crown"),
    "coffee": gettext_lazy("Coffee"), "heart": gettext_lazy("Heart"), "headset": gettext_lazy("Headset"),
}  # fmt: skip


def _yuan(label: Any, **values: Any) -> forms.DecimalField:
    return forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=2, label=label, **values
    )  # fmt: skip


def _day(label: Any, **values: Any) -> forms.DateField:
    return forms.DateField(
        required=False, label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **values
    )


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One line of tiers × quotas."""

    label: str
    on: forms.BoundField
    quota: forms.BoundField
    period: forms.BoundField


class BenefitForm(forms.Form):
    """Everything of a benefit. `rows` is the matrix of tiers and quotas; the condition has the builder."""

    key = forms.CharField(
        max_length=40, label=pgettext_lazy("benefit", "Key"),
        help_text=gettext_lazy("What other systems call it: a–z, 0–9, _ and -. It cannot be changed later."),
    )  # fmt: skip
    kind = forms.ChoiceField(choices=BenefitKind.choices, label=gettext_lazy("Kind"))
    name = forms.CharField(max_length=40, label=gettext_lazy("Name"))
    description = forms.CharField(
        max_length=300, required=False, label=gettext_lazy("What members read"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    icon = forms.ChoiceField(
        choices=[(name, _ICON_NAMES[name]) for name in ICONS], label=gettext_lazy("Picture"), initial="gift"
    )
    percent_off = forms.IntegerField(
        required=False, min_value=1, max_value=100, label=gettext_lazy("Per cent off"),
        help_text=gettext_lazy("12 is 12% off (8.8 折). Or an amount, not both."),
    )  # fmt: skip
    amount_off = _yuan(gettext_lazy("Amount off (¥)"))
    min_spend = _yuan(gettext_lazy("From an amount of (¥)"))
    max_off = _yuan(gettext_lazy("At most off (¥)"))
    window = forms.ChoiceField(
        required=False, label=gettext_lazy("When it is given"),
        choices=[
            ("month", gettext_lazy("In the month of the birthday")),
            ("week", gettext_lazy("In the week of the birthday")),
            ("day", gettext_lazy("On the birthday")),
        ],
    )  # fmt: skip
    gift = forms.CharField(required=False, max_length=100, label=gettext_lazy("The gift"))
    what = forms.CharField(required=False, max_length=100, label=gettext_lazy("What it is"))
    percent = forms.IntegerField(
        required=False, min_value=101, max_value=1_000, label=gettext_lazy("Points in per cent"), initial=200,
        help_text=gettext_lazy("200 is twice the points."),
    )  # fmt: skip
    currency = forms.CharField(required=False, max_length=32, label=gettext_lazy("Kind of points"), initial="points")
    settle_on = forms.ChoiceField(
        required=False, label=gettext_lazy("What the partner is paid for"),
        choices=[
            ("claim", gettext_lazy("Each code that was given out")),
            ("redeem", gettext_lazy("Each use we are told of")),
        ],
    )  # fmt: skip
    url = forms.CharField(
        required=False, max_length=300, label=gettext_lazy("Where the code is used (web address)")
    )  # fmt: skip
    low_stock = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100_000,
        initial=100,
        label=gettext_lazy("Tell when fewer codes are left"),
    )
    claimed_first = forms.BooleanField(
        required=False, initial=True, label=gettext_lazy("Members claim it before they use it")
    )
    claim_days = forms.IntegerField(
        required=False, min_value=1, max_value=3_660, label=gettext_lazy("Days to use a claim"),
        help_text=gettext_lazy("Whole days after the one it is claimed on. Empty: as long as the benefit lasts."),
    )  # fmt: skip
    return_days = forms.IntegerField(
        required=False, min_value=0, max_value=366, initial=7, label=gettext_lazy("Days to take a use back")
    )
    valid_from = _day(gettext_lazy("First day"))
    valid_until = _day(gettext_lazy("Last day"))
    cost = _yuan(gettext_lazy("Cost per use (¥)"), initial=0)
    partner = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label=gettext_lazy("Partner")
    )  # fmt: skip
    stores = forms.TypedMultipleChoiceField(
        required=False, coerce=int, label=gettext_lazy("Only at these stores"),
        help_text=gettext_lazy("None chosen: at every store."),
    )  # fmt: skip
    usage_rules = forms.CharField(
        required=False, max_length=2_000, label=gettext_lazy("Rules of use"), widget=forms.Textarea(attrs={"rows": 4})
    )
    condition = forms.CharField(required=False, max_length=200_000, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, benefit: Benefit | None = None, **kwargs: Any) -> None:
        if benefit is not None:
            kwargs["initial"] = _initial(benefit)
        super().__init__(*args, **kwargs)
        self.fields["partner"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            ("", "—"), *((one.pk, one.name) for one in benefit_catalogue.partners()),
        ]  # fmt: skip
        self.fields["stores"].choices = organisation.store_choices(keep=None)  # type: ignore[attr-defined]
        if benefit is not None:
            for name in ("key", "kind"):
                self.fields[name].disabled = True
        self.tiers: list[tuple[str, Any]] = [*benefit_tiers.names().items(), ("", _("Everybody else"))]
        if len(self.tiers) == 1:
            self.tiers = [("", _("Everybody"))]
        given = {rule.tier: rule for rule in benefit.rules.all()} if benefit is not None else {}
        for place, (tier, label) in enumerate(self.tiers):
            rule = given.get(tier)
            periods = [one for one in QuotaPeriod.choices if tier or one[0] != QuotaPeriod.TIER_CYCLE]
            self.fields[f"on_{place}"] = forms.BooleanField(
                required=False, label=label, initial=rule is not None or (benefit is None and not tier)
            )
            self.fields[f"quota_{place}"] = forms.IntegerField(
                required=False, min_value=1, max_value=LARGEST_QUOTA,
                label=_("How often: %(tier)s") % {"tier": label}, initial=rule.quota if rule is not None else 1,
            )  # fmt: skip
            self.fields[f"period_{place}"] = forms.ChoiceField(
                required=False, choices=periods, label=_("Period: %(tier)s") % {"tier": label},
                initial=rule.period if rule is not None else QuotaPeriod.MONTH.value,
            )  # fmt: skip

    @property
    def rows(self) -> list[MatrixRow]:
        return [
            MatrixRow(str(label), self[f"on_{place}"], self[f"quota_{place}"], self[f"period_{place}"])
            for place, (_tier, label) in enumerate(self.tiers)
        ]

    def rules(self) -> list[RuleIn]:
        """The matrix as far as it can be read."""
        data = self.cleaned_data
        return [
            RuleIn(tier, data.get(f"quota_{place}"), data.get(f"period_{place}") or QuotaPeriod.MONTH.value)
            for place, (tier, _label) in enumerate(self.tiers)
            if data.get(f"on_{place}")
        ]

    def content(self, condition: Any) -> Content:
        """What the operation takes. Days are the shop's: the last one counts."""
        data = self.cleaned_data
        parameters: dict[str, Any] = {}
        for name in PARAMETERS[data["kind"]]:
            value = data.get(name)
            if value not in (None, ""):
                parameters[name] = money.to_minor(value) if name in _MONEY else value
        first, last = data["valid_from"], data["valid_until"]
        return Content(
            name=data["name"], parameters=parameters, description=data["description"],
            usage_rules=data["usage_rules"].replace("\r\n", "\n"), icon=data["icon"],
            valid_from=clock.day_start(first) if first else None, valid_until=clock.day_end(last) if last else None,
            claimed_first=data["claimed_first"], claim_days=data["claim_days"],
            return_days=7 if data["return_days"] is None else data["return_days"],
            cost=money.to_minor(data["cost"] or 0), partner_id=data["partner"], condition=condition,
            low_stock=data["low_stock"] or 0, store_ids=data["stores"], rules=self.rules(),
        )  # fmt: skip

    def refuse(self, error: DomainError) -> None:
        """Show a refusal of the operation at the field it names."""
        refuse(self, error, names={f"parameters.{name}": name for name in self.fields})


def _initial(benefit: Benefit) -> dict[str, Any]:
    parameters = {
        name: Decimal(value) / 100 if name in _MONEY else value for name, value in benefit.parameters.items()
    }  # fmt: skip
    return parameters | {
        "key": benefit.key, "kind": benefit.kind, "name": benefit.name, "description": benefit.description,
        "icon": benefit.icon, "claimed_first": benefit.claimed_first, "claim_days": benefit.claim_days,
        "return_days": benefit.return_days, "cost": Decimal(benefit.cost) / 100, "partner": benefit.partner_id,
        "low_stock": benefit.low_stock, "stores": [row.store_id for row in benefit.stores.all()],
        "usage_rules": benefit.usage_rules, "version": benefit.version,
        "valid_from": clock.shop_date(benefit.valid_from) if benefit.valid_from else None,
        "valid_until": _last_day(benefit),
    }  # fmt: skip


def _last_day(benefit: Benefit) -> date | None:
    if benefit.valid_until is None:
        return None
    return clock.shop_date(benefit.valid_until - timedelta(microseconds=1))


class PartnerForm(forms.Form):
    name = forms.CharField(max_length=60, label=gettext_lazy("Name"))
    contact = forms.CharField(max_length=120, required=False, label=gettext_lazy("Contact"))
    terms = forms.CharField(
        max_length=2_000, required=False, label=gettext_lazy("Settlement terms"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )  # fmt: skip
    is_active = forms.BooleanField(required=False, initial=True, label=pgettext_lazy("partner", "We work together"))

    def __init__(self, *args: Any, partner: Partner | None = None, **kwargs: Any) -> None:
        if partner is not None:
            kwargs["initial"] = {name: getattr(partner, name) for name in ("name", "contact", "terms", "is_active")}
        super().__init__(*args, **kwargs)


class StockForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File of codes"),
        help_text=gettext_lazy("CSV or XLSX with a column “code” or “券码”; “expires_on” or “有效期” may follow."),
    )


class PeriodForm(forms.Form):
    """The shop days of a settlement."""

    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("To"))
