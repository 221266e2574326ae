"""Forms of the RFM and lifecycle pages: they read and check shapes, operations decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.models import RfmModel
from analytics.rules import rfm as rules
from analytics.rules.lifecycle import Limits
from scrm.common.money import to_decimal, to_minor

LABELS = {
    "r": gettext_lazy("R: days since the last paid order"),
    "f": gettext_lazy("F: paid orders in the window"),
    "m": gettext_lazy("M: net paid amount in the window, ¥"),
}


class RunForm(forms.Form):
    as_of = forms.DateField(required=False, label=gettext_lazy("As of"), widget=forms.DateInput(attrs={"type": "date"}))


class DefinitionForm(forms.Form):
    """An RFM model's window, cut points and middles; amounts are typed in yuan."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    window_days = forms.IntegerField(
        min_value=1, max_value=3650, label=gettext_lazy("Window in days"),
        help_text=gettext_lazy("Orders paid within so many days before the day of the run count."),
    )  # fmt: skip
    nightly = forms.BooleanField(required=False, label=gettext_lazy("Compute every night"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in rules.DIMENSIONS:
            self.fields[f"{name}_cuts"] = forms.ChoiceField(
                choices=[("quantile", _("Fifths of the buyers")), ("typed", _("Typed cut points"))],
                label=_("Cut points"),
            )
            self.fields[f"{name}_values"] = forms.CharField(
                required=False,
                max_length=120,
                label=_("Typed cut points"),
                help_text=_("Four rising numbers, for example 30, 60, 90, 180."),
            )
            self.fields[f"{name}_middle"] = forms.ChoiceField(
                choices=[("mean", _("Mean")), ("median", _("Median")), ("typed", _("Typed value"))],
                label=_("Middle between high and low"),
            )
            self.fields[f"{name}_value"] = forms.CharField(required=False, max_length=24, label=_("Typed value"))

    def dimensions(self) -> Iterator[tuple[str, list[BoundField]]]:
        """(heading, fields) of R, F and M, for the template."""
        for name in rules.DIMENSIONS:
            yield str(LABELS[name]), [self[f"{name}_{part}"] for part in ("cuts", "values", "middle", "value")]

    @classmethod
    def initial_of(cls, model: RfmModel) -> dict[str, Any]:
        definition = rules.parse(model.definition)
        found: dict[str, Any] = {
            "version": model.version,
            "window_days": model.window_days,
            "nightly": model.nightly,
        }
        for name in rules.DIMENSIONS:
            cuts, middle = definition.cuts[name], definition.middle[name]
            found[f"{name}_cuts"], found[f"{name}_middle"] = cuts.mode, middle.mode
            found[f"{name}_values"] = ", ".join(_shown(name, value) for value in cuts.values)
            found[f"{name}_value"] = "" if middle.value is None else _shown(name, middle.value)
        return found

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        definition: dict[str, dict[str, Any]] = {"cuts": {}, "middle": {}}
        for name in rules.DIMENSIONS:
            cuts, middle = cleaned.get(f"{name}_cuts"), cleaned.get(f"{name}_middle")
            definition["cuts"][name] = {"mode": cuts}
            definition["middle"][name] = {"mode": middle}
            if cuts == "typed":
                texts = cleaned.get(f"{name}_values", "").replace("，", ",").split(",")
                definition["cuts"][name]["values"] = [self._number(name, f"{name}_values", text) for text in texts]
            if middle == "typed":
                text = cleaned.get(f"{name}_value", "")
                definition["middle"][name]["value"] = self._number(name, f"{name}_value", text)
        cleaned["definition"] = definition
        return cleaned

    def _number(self, name: str, field: str, text: str) -> int | None:
        try:
            return to_minor(text.strip()) if name == "m" else int(Decimal(text.strip()))
        except (ValueError, InvalidOperation, OverflowError):
            if field not in self.errors:
                self.add_error(field, _("%(text)s is not a number.") % {"text": text.strip() or "—"})
            return None

    def refuse(self, field: str, message: str) -> None:
        """Show what the operation refused beside the field that `cuts.r` or `window_days` names."""
        part, _dot, name = field.partition(".")
        known = {"cuts": f"{name}_values", "middle": f"{name}_value"}.get(part, part)
        self.add_error(known if known in self.fields else None, message)


def _shown(name: str, value: int) -> str:
    return to_decimal(value).removesuffix(".00") if name == "m" else str(value)


class LimitsForm(forms.Form):
    """The day limits of lifecycle and AIPL."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    new_days = forms.IntegerField(
        label=gettext_lazy("New customer: days since the first order, fewer than"), min_value=1, max_value=3650
    )
    sleeping_days = forms.IntegerField(
        label=gettext_lazy("Sleeping: days without an order, from"), min_value=1, max_value=3650
    )
    lost_days = forms.IntegerField(label=gettext_lazy("Lost: days without an order, from"), min_value=1, max_value=3650)
    returned_days = forms.IntegerField(
        label=gettext_lazy("Returned: days since coming back from lost, fewer than"), min_value=1, max_value=3650
    )
    loyal_orders = forms.IntegerField(
        label=gettext_lazy("Loyalty (AIPL): paid orders, from"), min_value=1, max_value=3650
    )
    interest_days = forms.IntegerField(
        label=gettext_lazy("Interest (AIPL): days since the last activity, fewer than"), min_value=1, max_value=3650
    )

    def limits(self) -> Limits:
        return Limits(**{field.name: self.cleaned_data[field.name] for field in fields(Limits)})

    def refuse(self, field: str | None, message: str) -> None:
        self.add_error(field if field in self.fields else None, message)
