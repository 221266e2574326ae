"""The gallery of ready segments: which of them can be used here and now, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.enums import usual_name
from scrm.common import conditions
from scrm.common.conditions import fields
from tags.rules import templates as rules
from tags.rules.templates import Template, Words


@dataclass(frozen=True, slots=True)
class Offer:
    """A template in the reader's language. `refusal` says why it cannot be used yet; empty when it can."""

    key: str
    icon: str
    name: str
    why: str
    send: str
    condition: dict[str, Any]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class OfferGroup:
    label: str
    offers: list[Offer]


def gallery() -> list[OfferGroup]:
    """Every template that this installation knows the fields of, usable ones first in each group.

    A template whose part of the product is missing, or whose events have never arrived, is there with its reason.
    """
    values, known = _places(), _known_events()
    found = []
    for key, label in rules.GROUPS.items():
        offers = [
            offer
            for template in rules.TEMPLATES
            if template.group == key and (offer := _offer(template, values, known)) is not None
        ]
        if offers:
            found.append(OfferGroup(_in_language(label), sorted(offers, key=lambda offer: bool(offer.refusal))))
    return found


def _offer(template: Template, values: dict[str, Any], known: set[str]) -> Offer | None:
    try:
        condition = rules.with_known_events(rules.filled(template.condition, values), known)
    except KeyError:  # a shop without stores, regions or products has no use for it
        return None
    refusal = _refusal(condition, known)
    if refusal is None:
        return None
    name, why, send = (_in_language(text) for text in (template.name, template.why, template.send))
    return Offer(template.key, template.icon, name, why, send, condition, refusal)


def _refusal(condition: dict[str, Any], known: set[str]) -> str | None:
    """Why the template cannot be used: empty when it can, None when it is not to be shown at all."""
    try:
        conditions.parse(condition)
    except conditions.BadCondition as error:
        if any(fault["code"] == "unknown_field" for fault in error.detail["errors"]):
            return None
        unheard = sorted(rules.events_named(condition) - known)
        if unheard:
            return _("No such event has arrived yet: %(events)s") % {
                "events": pgettext("between values", ", ").join(usual_name(key) or key for key in unheard)
            }
        return None
    return ""


def _known_events() -> set[str]:
    event = fields.find("event")
    types = next((param for param in event.params if param.key == "type"), None) if event else None
    return {str(choice.value) for choice in types.choices()} if types and types.choices else set()


def _places() -> dict[str, Any]:
    """What stands for `$store`, `$region` and `$category`: the first the shop has."""
    found: dict[str, Any] = {}
    for place, choices in (
        ("$store", _choices("store")),
        ("$region", _choices("region")),
        ("$category", _choices("order.count", "category")),
    ):
        if choices is not None and (first := next(iter(choices()), None)) is not None:
            found[place] = first.value
    return found


def _choices(key: str, param: str = "") -> Callable[[], Any] | None:
    field = fields.find(key)
    if field is None:
        return None
    if not param:
        return field.choices
    return next((one.choices for one in field.params if one.key == param), None)


def _in_language(words: Words) -> str:
    return words.zh if (translation.get_language() or "").startswith("zh") else words.en
