"""The versions of a model as people read them: who made them, when, and what each changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.models import RfmModel
from analytics.queries import rfm, rfm_scope
from analytics.rules import rfm as rules
from scrm.common.models import User
from scrm.common.money import to_decimal

_MODES = {
    "quantile": gettext_lazy("Fifths of the buyers"),
    "mean": gettext_lazy("Mean"),
    "median": gettext_lazy("Median"),
    "typed": gettext_lazy("Typed value"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a difference."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version and what it changed against the one before; `facts` are the whole of it, in the same words."""

    number: int
    at: datetime
    by: str
    note: str
    changes: list[Change]
    facts: dict[str, str]
    is_current: bool


def history(model: RfmModel) -> list[Version]:
    """Newest first."""
    rows = rfm.versions(model)
    choices = {kind: {str(value): text for value, text in found} for kind, found in rfm_scope.choices().items()}
    texts = {row.version: describe(row.content, choices) for row in rows}
    people = _people({row.actor for row in rows})
    found = []
    for row, former in zip(rows, [*rows[1:], None], strict=True):
        now, was = texts[row.version], texts[former.version] if former else {}
        changes = [
            Change(label, was.get(label, ""), now.get(label, ""))
            for label in [*now, *(label for label in was if label not in now)]
            if former is not None and was.get(label, "") != now.get(label, "")
        ]
        found.append(
            Version(
                row.version,
                row.at,
                people.get(row.actor, row.actor),
                row.note,
                changes,
                now,
                row.version == model.version,
            )  # fmt: skip
        )
    return found


def describe(content: Mapping[str, Any], choices: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """{what: how} of a version, in the reader's language."""
    definition = rules.parse(content["definition"])
    found = {
        _("Name"): content["name"],
        _("Window in days"): str(content["window_days"]),
        _("Currency"): content["currency"] or _("The shop's"),
        _("Compute every night"): _("Yes") if content["nightly"] else _("No"),
    }
    for kind, label in (
        ("sources", _("Sources")),
        ("stores", _("Stores")),
        ("regions", _("Regions")),
        ("channels", _("Channels")),
        ("categories", _("Product categories")),
    ):
        if values := content["scope"].get(kind):
            found[label] = ", ".join(choices.get(kind, {}).get(str(value), str(value)) for value in values)
    for name in rules.DIMENSIONS:
        cuts, middle = definition.cuts[name], definition.middle[name]
        shown = [_shown(name, value) for value in cuts.values]
        found[f"{name.upper()} · {_('Cut points')}"] = " / ".join(shown) or str(_MODES["quantile"])
        typed = "" if middle.value is None else f" {_shown(name, middle.value)}"
        found[f"{name.upper()} · {_('Middle')}"] = f"{_MODES[middle.mode]}{typed}"
    for place, layer in enumerate(definition.layers, 1):
        ranges = [
            f"{part.upper()} {low}" if low == high else f"{part.upper()} {low}–{high}"
            for part, (low, high) in (("r", layer.r), ("f", layer.f), ("m", layer.m))
            if (low, high) != (1, 5)
        ]
        if layer.fm > 1:
            ranges.append(_("mean of F and M from %(score)s") % {"score": layer.fm})
        called = layer.name or rfm.layer_label(layer.key)
        found[_("Layer %(place)s") % {"place": place}] = f"{called}: {', '.join(ranges) or _('all others')}"
    for class_ in rfm.class_names(definition):
        usual = str(rules.CLASSES_BY_KEY[class_.key].label)
        if class_.label != usual:
            found[usual] = class_.label
    return found


def _people(refs: set[str]) -> dict[str, str]:
    """Names for "user:7"; keys and the system are shown as they are."""
    ids = [int(ref[5:]) for ref in refs if ref.startswith("user:") and ref[5:].isdigit()]
    return {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=ids)} | {"system": _("The system")}


def _shown(name: str, value: int) -> str:
    return to_decimal(value).removesuffix(".00") if name == "m" else str(value)
