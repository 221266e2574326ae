"""What can be chosen in the editor of earning rules."""

from __future__ import annotations

from members.models import PointsCurrency as Currency
from members.models import Product, Source, Store
from members.queries.event_types import deeds as event_deeds
from members.queries.member_tiers import known_tiers
from scrm.common.conditions import fields

Choices = list[tuple[str, str]]
# More than anybody picks from a list.
_MOST = 2_000


def currencies() -> Choices:
    return list(Currency.objects.order_by("id").values_list("key", "name"))


def stores() -> Choices:
    return list(Store.objects.order_by("code").values_list("code", "name")[:_MOST])


def categories() -> Choices:
    found = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
    return [(name, name) for name in found[:_MOST]]


def sources() -> Choices:
    return [(one.key, str(one)) for one in Source.objects.exclude(key__startswith="scrm.").order_by("key")[:_MOST]]


def event_types() -> Choices:
    """What members do themselves: what the product notes about them earns nothing."""
    return event_deeds()


def tags() -> Choices:
    """Tags with their ids, as conditions offer them."""
    return _of_field("tag")


def tiers() -> Choices:
    return list(known_tiers().items())


def _of_field(key: str) -> Choices:
    field = fields.find(key)
    if field is None or field.choices is None:
        return []
    return [(str(choice.value), str(choice.label)) for choice in field.choices()][:_MOST]
