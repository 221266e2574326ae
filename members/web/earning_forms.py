"""The form of an earning rule: what was typed, and the definition it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from members.enums import EarningTrigger
from members.models import EarningRule
from members.queries import earning_choices
from members.rules import earning as rules
from members.rules.earning_parse import LIMITS
from scrm.common import condition_editors, money

KINDS = [
    ("time", gettext_lazy("Time")),
    ("tier", gettext_lazy("Tier")),
    ("tag", gettext_lazy("Tag")),
    ("category", gettext_lazy("Product category")),
    ("product", gettext_lazy("Product")),
    ("store", gettext_lazy("Store")),
    ("channel", pgettext_lazy("of an order", "Channel")),
]
_SEPARATORS = re.compile(r"[\s,，;；、]+")
# Of a row of multipliers: each is sent once a row, so that the lists run in parallel.
_ROW = ("kind", "factor", "name", "from", "until", "weekdays", "hours", "days", "birthday",
        "tier", "tag", "category", "product", "store", "channel")  # fmt: skip
_FIELDS = {
    "name": "name", "currency": "currency", "trigger": "trigger", "position": "position", "note": "note",
    "base.points": "points", "base.per": "per", "base.kind": "base_kind", "base.rounding": "rounding",
    "scope.minimum": "minimum", "scope.stores": "stores", "scope.sources": "sources",
    "scope.channels": "channels", "scope.categories": "categories", "scope.products": "products",
    "event.type": "event_type", "stacking.group": "group", "stacking.kind": "stacking",
    "caps.order": "cap_order", "caps.day": "cap_day", "caps.month": "cap_month", "caps.ever": "cap_ever",
    "caps.budget": "cap_budget",
}  # fmt: skip


def _limit(label: Any) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=1, label=label)


class RuleForm(forms.Form):
    """Everything but the rows of factors and event tests, which `rows_of` and `tests_of` read."""

    name = forms.CharField(max_length=60, label=gettext_lazy("Name"))
    currency = forms.ChoiceField(label=gettext_lazy("Kind of points"))
    trigger = forms.ChoiceField(
        choices=EarningTrigger.choices, initial="order", widget=forms.RadioSelect, label=gettext_lazy("What earns")
    )
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    base_kind = forms.ChoiceField(
        choices=[("per_amount", gettext_lazy("By amount")), ("fixed", gettext_lazy("A fixed number"))],
        initial="per_amount", widget=forms.RadioSelect, label=gettext_lazy("How many points"),
    )  # fmt: skip
    points = forms.IntegerField(min_value=1, max_value=10**6, initial=1, label=gettext_lazy("Points"))
    per = forms.DecimalField(
        required=False, min_value=Decimal("0.01"), max_value=10**7, decimal_places=2, initial=1,
        label=gettext_lazy("For every … yuan"),
    )  # fmt: skip
    rounding = forms.ChoiceField(
        choices=[("down", gettext_lazy("Down")), ("half_up", gettext_lazy("Half up"))], initial="down",
        label=gettext_lazy("Parts of a point are rounded"),
    )  # fmt: skip
    minimum = forms.DecimalField(
        required=False, min_value=0, decimal_places=2, label=gettext_lazy("From an amount of … yuan")
    )  # fmt: skip
    categories = forms.MultipleChoiceField(required=False, label=gettext_lazy("Product categories"))
    products = forms.CharField(
        required=False, max_length=4_000, label=gettext_lazy("Products"),
        help_text=gettext_lazy("SKUs, parted by commas. Then only these parts of an order earn."),
    )  # fmt: skip
    stores = forms.MultipleChoiceField(required=False, label=gettext_lazy("Stores"))
    channels = forms.CharField(
        required=False, max_length=2_000, label=gettext_lazy("Channels"),
        help_text=gettext_lazy("As shops name them with their orders, parted by commas."),
    )  # fmt: skip
    sources = forms.MultipleChoiceField(required=False, label=gettext_lazy("Sources"))
    event_type = forms.ChoiceField(required=False, label=gettext_lazy("Event"))
    condition = forms.CharField(required=False, max_length=200_000, widget=forms.HiddenInput)
    combine = forms.ChoiceField(
        choices=[("multiply", gettext_lazy("Multiply")), ("highest", gettext_lazy("Only the highest counts"))],
        initial="multiply", widget=forms.RadioSelect, label=gettext_lazy("Several factors at once"),
    )  # fmt: skip
    cap_order = _limit(gettext_lazy("For one order or event"))
    cap_day = _limit(gettext_lazy("A day and member"))
    cap_month = _limit(gettext_lazy("A month and member"))
    cap_ever = _limit(gettext_lazy("Ever, a member"))
    cap_budget = _limit(gettext_lazy("For the whole programme"))
    position = forms.IntegerField(
        min_value=1, max_value=999, initial=100, label=gettext_lazy("Place in the order"),
        help_text=gettext_lazy("Rules are applied from the smallest to the largest."),
    )  # fmt: skip
    stacking = forms.ChoiceField(
        choices=[
            ("add", gettext_lazy("Its points are added")),
            ("best", gettext_lazy("Of its group only the best rule counts")),
            ("stop", gettext_lazy("When it gives something, no rule after it counts")),
        ],
        initial="add", widget=forms.RadioSelect, label=gettext_lazy("Beside other rules"),
    )  # fmt: skip
    group = forms.CharField(required=False, max_length=40, label=gettext_lazy("Group"))
    note = forms.CharField(required=False, max_length=200, label=gettext_lazy("What was changed"))

    def __init__(self, *args: Any, rule: EarningRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        if rule is not None:
            # A rule stays with its kind of points and what it is about.
            for name in ("currency", "trigger"):
                del fields[name]
        else:
            fields["currency"].choices = earning_choices.currencies()
        fields["stores"].choices = earning_choices.stores()
        fields["categories"].choices = earning_choices.categories()
        fields["sources"].choices = earning_choices.sources()
        fields["event_type"].choices = [("", _("Choose")), *earning_choices.event_types()]

    def refuse(self, error: Any) -> None:
        """Show a refusal of the operation at its field."""
        named = str(error.detail.get("field", ""))
        field = _FIELDS.get(named.partition("[")[0] if named.startswith("scope.") else named)
        if field in self.fields:
            self.add_error(field, str(error))
        elif found := re.match(r"multipliers\[(\d+)\]", named):
            self.add_error(None, _("Factor %(number)s: %(fault)s") % {"number": int(found[1]) + 1, "fault": error})
        else:
            self.add_error(None, str(error))


def definition_of(values: Mapping[str, Any], data: Any, *, trigger: str) -> dict[str, Any]:
    """What the form stands for. Raises `conditions.BadCondition` when the condition is no JSON."""
    base: dict[str, Any] = {"kind": values["base_kind"], "points": values["points"], "rounding": values["rounding"]}
    if values["base_kind"] == "per_amount":
        base["per"] = money.to_minor(values["per"] or 1)
    said: dict[str, Any] = {
        "base": base,
        "multipliers": rows_of(data),
        "combine": values["combine"],
        "caps": {name: values[f"cap_{name}"] for name in LIMITS if values[f"cap_{name}"]},
        "position": values["position"],
        "stacking": {"kind": values["stacking"]},
    }  # fmt: skip
    if values["stacking"] == "best":
        said["stacking"]["group"] = values["group"]
    condition = condition_editors.built(values["condition"])
    if condition is not None:
        said["condition"] = condition
    if trigger == "event":
        said["event"] = {"type": values["event_type"], "where": tests_of(data)}
    else:
        said["scope"] = {
            name: found
            for name, found in {
                "sources": values["sources"], "stores": values["stores"], "channels": _parts(values["channels"]),
                "categories": values["categories"], "products": _parts(values["products"]),
                "minimum": money.to_minor(values["minimum"]) if values["minimum"] else 0,
            }.items()
            if found
        }  # fmt: skip
    return said


def rows_of(data: Any) -> list[dict[str, Any]]:
    """The rows of factors. Rows without a factor are left out."""
    lists = {name: data.getlist(f"m_{name}") for name in _ROW}
    found = []
    for place, kind in enumerate(lists["kind"]):
        row = {name: (values[place].strip() if place < len(values) else "") for name, values in lists.items()}
        if not row["factor"]:
            continue
        said: dict[str, Any] = {"kind": kind, "factor": row["factor"]}
        if row["name"]:
            said["name"] = row["name"]
        if kind == "time":
            said |= _window(row)
        elif kind in row:
            value = row[kind]
            said["value"] = int(value) if kind == "tag" and value.isascii() and value.isdigit() else value
        found.append(said)
    return found


def _window(row: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {name: row[name] for name in ("from", "until", "birthday") if row[name]}
    for name in ("weekdays", "days"):
        if row[name]:
            said[name] = [_number(part) for part in _parts(row[name])]
    if row["hours"]:
        said["hours"] = [_number(part) for part in re.split(r"\s*[-–—~～至到]\s*", row["hours"])]
    return said


def tests_of(data: Any) -> list[dict[str, Any]]:
    """The rows of event tests. Rows without a property are left out."""
    found = []
    for name, op, value in zip(
        data.getlist("w_property"), data.getlist("w_op"), data.getlist("w_value"), strict=False
    ):  # fmt: skip
        if not name.strip():
            continue
        test: dict[str, Any] = {"property": name.strip(), "op": op}
        if op in ("ge", "gt", "le", "lt"):
            test["value"] = value.strip()
        elif op in ("in", "contains_any"):
            test["value"] = _parts(value)
        elif op not in ("set", "not_set"):
            test["value"] = value.strip()
        found.append(test)
    return found


def _number(text: str) -> Any:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text


def _parts(text: str) -> list[str]:
    return [part for part in _SEPARATORS.split(text) if part]


def initial_of(rule: EarningRule, raw: Mapping[str, Any], definition: rules.Definition) -> dict[str, Any]:
    """What the form shows for a saved rule."""
    return {
        "name": rule.name, "version": rule.version, "points": definition.points,
        "base_kind": "fixed" if definition.per is None else "per_amount",
        "per": money.to_decimal(definition.per or 100).removesuffix(".00"),
        "rounding": "half_up" if definition.half_up else "down",
        "minimum": money.to_decimal(definition.minimum) if definition.minimum else "",
        "categories": sorted(definition.categories), "products": ", ".join(sorted(definition.products)),
        "stores": sorted(definition.stores), "channels": ", ".join(sorted(definition.channels)),
        "sources": sorted(definition.sources), "event_type": definition.event_type,
        "combine": "highest" if definition.highest else "multiply", "position": definition.position,
        "stacking": definition.stacking, "group": definition.group,
        **{f"cap_{name}": value for name, value in definition.caps.items()},
    }  # fmt: skip


def shown_rows(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Saved factors as the rows of the form show them."""
    found = []
    for said in raw.get("multipliers", []):
        row = {**said, said["kind"]: str(said.get("value", ""))}
        for name in ("weekdays", "days"):
            row[name] = ", ".join(map(str, said.get(name, [])))
        row["hours"] = "-".join(map(str, said.get("hours", [])))
        found.append(row)
    return found


def shown_tests(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Saved event tests likewise."""
    return [
        {**test, "value": ", ".join(map(str, value)) if isinstance(value := test.get("value", ""), list) else value}
        for test in raw.get("event", {}).get("where", [])
    ]  # fmt: skip
