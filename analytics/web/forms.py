"""Forms of the RFM and lifecycle pages: they read and check shapes, operations decide."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.enums import AlertAgainst, AlertDirection, AlertPart
from analytics.models import AlertRule
from analytics.operations.alerts import Rule
from analytics.queries import lifecycle, rfm
from analytics.rules.lifecycle import Limits


def said(form: forms.Form) -> list[str]:
    """Every error of a form as a sentence of its own, away from its field: the field is named."""
    return [
        str(error)
        if name not in form.fields
        else _("%(field)s: %(error)s") % {"field": form[name].label, "error": error}
        for name, errors in form.errors.items()
        for error in errors
    ]


class RunForm(forms.Form):
    as_of = forms.DateField(required=False, label=gettext_lazy("As of"), widget=forms.DateInput(attrs={"type": "date"}))


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

    activity_types = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Interest (AIPL): which events show it"),
        help_text=gettext_lazy("None chosen: every event of the member's own."),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = self.fields["activity_types"]
        assert isinstance(types, forms.MultipleChoiceField)  # noqa: S101  # declared above
        known = dict(lifecycle.activity_choices())
        types.choices = [
            *known.items(),
            *((key, key) for key in self.initial.get("activity_types", ()) if key not in known),
        ]

    def limits(self) -> Limits:
        """The limits typed; only of a valid form."""
        values = {field.name: self.cleaned_data[field.name] for field in fields(Limits)}
        return Limits(**{**values, "activity_types": tuple(values["activity_types"])})


class AlertForm(forms.Form):
    """An alert rule. What is watched is one choice of model and part: `class.3`, `layer.3`, `stage`, `aipl`."""

    watched = forms.ChoiceField(label=gettext_lazy("What is watched"))
    key = forms.CharField(
        required=False, max_length=20, label=gettext_lazy("Only this class, layer or stage"), widget=forms.Select
    )
    direction = forms.ChoiceField(label=gettext_lazy("Tell when it"), choices=AlertDirection)
    percent = forms.IntegerField(
        label=gettext_lazy("By more than, in per cent"), min_value=1, max_value=10_000, initial=20
    )
    against = forms.ChoiceField(label=gettext_lazy("Compared with"), choices=AlertAgainst)
    smallest = forms.IntegerField(
        label=gettext_lazy("Only with at least so many members"), min_value=0, max_value=10**9, initial=10
    )
    enabled = forms.BooleanField(required=False, initial=True, label=gettext_lazy("In force"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watched = self.fields["watched"]
        assert isinstance(watched, forms.ChoiceField)  # noqa: S101  # declared above
        models = rfm.models()
        watched.choices = [
            (f"{part.value}.{model.pk}", f"{part.label} · {model.name}")
            for model in models
            for part in (AlertPart.CLASS, AlertPart.LAYER)
        ] + [(part.value, str(part.label)) for part in (AlertPart.STAGE, AlertPart.AIPL)]
        self.fields["key"].widget.choices = [("", _("Each of them")), *rfm.part_choices()]

    def rule(self) -> Rule:
        """The rule typed; only of a valid form."""
        values = self.cleaned_data
        part, _dot, model = values["watched"].partition(".")
        return Rule(
            part=part, key=values["key"], direction=values["direction"], percent=values["percent"],
            against=values["against"], model_id=int(model) if model else None, smallest=values["smallest"],
            enabled=values["enabled"],
        )  # fmt: skip

    @staticmethod
    def initial_of(rule: AlertRule) -> dict[str, Any]:
        names = ("key", "direction", "percent", "against", "smallest", "enabled")
        watched = rule.part if rule.model_id is None else f"{rule.part}.{rule.model_id}"
        return {"watched": watched, **{name: getattr(rule, name) for name in names}}
