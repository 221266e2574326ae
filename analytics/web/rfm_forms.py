"""The form of an RFM model: it reads and checks shapes, operations decide."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.enums import RfmClass
from analytics.models import RfmModel
from analytics.operations.rfm_models import Content
from analytics.queries import rfm, rfm_scope
from analytics.rules import rfm as rules
from analytics.rules.rfm_layers import MOST, PRESETS, TONES, Layer
from scrm.common.money import to_decimal, to_minor

LABELS = {
    "r": gettext_lazy("R: days since the last paid order"),
    "f": gettext_lazy("F: paid orders in the window"),
    "m": gettext_lazy("M: net paid amount in the window"),
}
TONE_LABELS = {
    "jade": gettext_lazy("Jade"),
    "green": gettext_lazy("Green"),
    "blue": gettext_lazy("Blue"),
    "violet": gettext_lazy("Violet"),
    "amber": gettext_lazy("Amber"),
    "red": gettext_lazy("Red"),
    "pink": gettext_lazy("Pink"),
    "grey": gettext_lazy("Grey"),
}
# Every range of scores, the widest first.
RANGES = [(low, high) for width in range(4, -1, -1) for low in range(1, 6 - width) for high in [low + width]]
SPARE_LAYERS = 2
SCOPE_LABELS = {
    "sources": gettext_lazy("Sources"),
    "stores": gettext_lazy("Stores"),
    "regions": gettext_lazy("Regions"),
    "channels": gettext_lazy("Channels"),
    "categories": gettext_lazy("Product categories"),
}


def range_choices() -> list[tuple[str, str]]:
    return [(f"{low}-{high}", _("any") if (low, high) == (1, 5) else _range_text(low, high)) for low, high in RANGES]


def _range_text(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


class ModelForm(forms.Form):
    """An RFM model: what counts, cut points, middles, and the names of classes; the layers are rows beside it.

    Amounts are typed in major units. `layers` are the rows as sent, or those of the model or preset.
    """

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(max_length=60, label=gettext_lazy("Name"))
    window_days = forms.IntegerField(
        min_value=1, max_value=3650, label=gettext_lazy("Window in days"),
        help_text=gettext_lazy("Orders paid within so many days before the day of the run count."),
    )  # fmt: skip
    nightly = forms.BooleanField(required=False, label=gettext_lazy("Compute every night"))
    currency = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Currency"),
        help_text=gettext_lazy("Only orders of sources with this currency count: amounts of two are never added up."),
    )
    note = forms.CharField(required=False, max_length=200, label=gettext_lazy("What changes, and why"))

    def __init__(self, *args: Any, layers: tuple[Layer, ...] = rules.LAYERS11, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.layers = layers
        choices = rfm_scope.choices()
        currency = self.fields["currency"]
        assert isinstance(currency, forms.ChoiceField)  # noqa: S101  # declared above
        known = sorted({row.currency for row in rfm_scope.sources()} | {"CNY"})
        currency.choices = [
            ("", _("The shop's (%(currency)s)") % {"currency": rfm_scope.shop_currency()}), *((c, c) for c in known)
        ]  # fmt: skip
        for kind, label in SCOPE_LABELS.items():
            known_values = [(str(value), text) for value, text in choices[kind]]
            kept = [str(value) for value in (self.initial.get("scope") or {}).get(kind, [])]
            known_values += [(value, value) for value in kept if value not in dict(known_values)]
            self.fields[f"scope_{kind}"] = forms.MultipleChoiceField(
                required=False,
                label=str(label),
                choices=known_values,
                initial=kept,
                widget=forms.SelectMultiple(attrs={"size": min(6, max(2, len(known_values)))}),
            )
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
        tones = [(tone, str(TONE_LABELS[tone])) for tone in TONES]
        for class_ in RfmClass:
            self.fields[f"class_{class_.value}"] = forms.CharField(
                required=False,
                max_length=40,
                label=str(class_.label),
                widget=forms.TextInput(attrs={"placeholder": str(class_.label)}),
            )
            self.fields[f"tone_{class_.value}"] = forms.ChoiceField(
                required=False, choices=tones, label=_("Colour of %(name)s") % {"name": class_.label}
            )

    def dimensions(self) -> Iterator[tuple[str, list[BoundField]]]:
        """(heading, fields) of R, F and M, for the template."""
        for name in rules.DIMENSIONS:
            yield str(LABELS[name]), [self[f"{name}_{part}"] for part in ("cuts", "values", "middle", "value")]

    def scopes(self) -> list[BoundField]:
        """The fields that narrow the orders."""
        return [self[f"scope_{kind}"] for kind in SCOPE_LABELS if self.fields[f"scope_{kind}"].choices]  # type: ignore[attr-defined]  # all are choice fields

    def classes(self) -> list[tuple[BoundField, BoundField]]:
        """(name, colour) of each class."""
        return [(self[f"class_{class_.value}"], self[f"tone_{class_.value}"]) for class_ in RfmClass]

    def layer_rows(self) -> list[dict[str, Any]]:
        """The rows of the layer table: as sent, else as they are, and spare ones."""
        if self.is_bound:
            rows = [
                {name: values[name] for name in ("key", "name", "tone", "r", "f", "m", "fm")}
                | {"usual": values["usual"]}
                for values in self._sent_rows()
            ]
        else:
            rows = [
                {
                    "key": layer.key,
                    "usual": rfm.layer_label(layer.key),
                    "name": layer.name,
                    "tone": layer.tone,
                    "r": f"{layer.r[0]}-{layer.r[1]}",
                    "f": f"{layer.f[0]}-{layer.f[1]}",
                    "m": f"{layer.m[0]}-{layer.m[1]}",
                    "fm": str(layer.fm),
                }
                for layer in self.layers
            ]
        blank = {"key": "", "usual": "", "name": "", "tone": "grey", "r": "1-5", "f": "1-5", "m": "1-5", "fm": "1"}
        rows += [blank] * max(0, min(SPARE_LAYERS, MOST - len(rows)))
        return [{**row, "place": (place + 1) * 10} for place, row in enumerate(rows)]

    @classmethod
    def initial_of(cls, model: RfmModel | None) -> dict[str, Any]:
        """What the form starts from; None: a new model."""
        definition = rules.parse(model.definition if model else {})
        found: dict[str, Any] = (
            {
                "version": model.version,
                "name": model.name,
                "window_days": model.window_days,
                "nightly": model.nightly,
                "currency": model.currency,
                "scope": model.scope,
            }
            if model
            else {"window_days": 365, "nightly": True}
        )
        for name in rules.DIMENSIONS:
            cuts, middle = definition.cuts[name], definition.middle[name]
            found[f"{name}_cuts"], found[f"{name}_middle"] = cuts.mode, middle.mode
            found[f"{name}_values"] = ", ".join(_shown(name, value) for value in cuts.values)
            found[f"{name}_value"] = "" if middle.value is None else _shown(name, middle.value)
        for key, label in definition.classes.items():
            found[f"class_{key}"], found[f"tone_{key}"] = label.name, label.tone
        return found

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        definition: dict[str, Any] = {"cuts": {}, "middle": {}, "layers": self._layers(), "classes": {}}
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
        for class_ in RfmClass:
            entry = {"name": cleaned.get(f"class_{class_.value}") or ""}
            if tone := cleaned.get(f"tone_{class_.value}"):
                entry["tone"] = tone
            definition["classes"][class_.value] = entry
        cleaned["definition"] = definition
        cleaned["scope"] = {
            kind: [int(value) for value in values] if kind in ("sources", "stores", "regions") else values
            for kind in SCOPE_LABELS
            if (values := cleaned.get(f"scope_{kind}"))
        }
        return cleaned

    def content(self) -> Content:
        """The model as the form says; only of a valid form."""
        values = self.cleaned_data
        return Content(
            values["name"], values["window_days"], values["currency"], values["scope"], values["definition"],
            values["nightly"],
        )  # fmt: skip

    def _sent_rows(self) -> list[dict[str, Any]]:
        """The rows sent, in the order of their places; removed and empty ones are left out."""
        data: Any = self.data
        columns = {
            name: data.getlist(f"layer_{name}") for name in ("place", "key", "name", "tone", "r", "f", "m", "fm")
        }
        removed = set(data.getlist("layer_removed"))
        rows = []
        for position in range(min(len(columns["key"]), MOST + SPARE_LAYERS)):
            row = {name: values[position] if position < len(values) else "" for name, values in columns.items()}
            if str(position) in removed or not (row["key"] or row["name"].strip()):
                continue
            row["usual"] = rfm.layer_label(row["key"]) if row["key"] else ""
            rows.append(row)
        taken = {row["key"] for row in rows}
        for row in rows:
            if not row["key"]:
                row["key"] = next(key for n in range(1, 100) if (key := f"layer_{n}") not in taken)
                taken.add(row["key"])
        return sorted(
            rows, key=lambda row: int(row["place"]) if row["place"].isdigit() and len(row["place"]) < 9 else 0
        )

    def _layers(self) -> list[dict[str, Any]]:
        """As `rules.parse` reads them; without any row sent, those the form started from."""
        if not hasattr(self.data, "getlist") or "layer_key" not in self.data:
            return rules.dump_layers(self.layers)
        return [
            {
                "key": row["key"],
                "name": row["name"].strip(),
                "tone": row["tone"] or "grey",
                "r": _range(row["r"]),
                "f": _range(row["f"]),
                "m": _range(row["m"]),
                "fm": int(row["fm"]) if row["fm"] in ("1", "2", "3", "4", "5") else row["fm"],
            }
            for row in self._sent_rows()
        ]

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
        known = {
            "cuts": f"{name}_values",
            "middle": f"{name}_value",
            "scope": f"scope_{name}",
            "classes": f"class_{name}",
        }.get(part, part)
        if part == "layers" and name.isdigit():
            message = _("Layer %(place)s: %(message)s") % {"place": int(name) + 1, "message": message}
        self.add_error(known if known in self.fields else None, message)


def preset_layers(key: str | None) -> tuple[Layer, ...] | None:
    return PRESETS.get(key or "")


def _range(text: str) -> list[Any]:
    low, _dash, high = text.partition("-")
    return [int(part) if part in ("1", "2", "3", "4", "5") else part for part in (low, high)]


def _shown(name: str, value: int) -> str:
    return to_decimal(value).removesuffix(".00") if name == "m" else str(value)
