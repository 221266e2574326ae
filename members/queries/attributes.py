"""The brand's own fields of a member's profile: which there are, what they are called, and what uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.enums import AttributeType
from members.models import Attribute
from members.rules.attributes import PREFIX, read
from scrm.common import dependents as registered
from scrm.common import display
from scrm.common.dependents import Dependent, Thing
from scrm.common.errors import NotFound


def every() -> list[Attribute]:
    """All of them, by label."""
    return list(Attribute.objects.order_by("label", "pk"))


def get(attribute_id: int) -> Attribute:
    """One of them. Raises `NotFound`."""
    found = Attribute.objects.filter(pk=attribute_id).first()
    if found is None:
        raise NotFound(_("There is no such custom field."))
    return found


def by_key(key: str) -> Attribute | None:
    return Attribute.objects.filter(key=key).first()


def dependents(key: str) -> list[Dependent]:
    """What uses the attribute: what higher apps registered."""
    return registered.of(Thing.FIELD, PREFIX + key)


def shown(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, value) of a member's attributes, the declared ones first and in the form of their type."""
    declared = {attribute.key: attribute for attribute in Attribute.objects.filter(key__in=list(values))}
    rows = [
        (attribute.label, _worded(attribute.type, values[key]))
        for key, attribute in sorted(declared.items(), key=lambda item: item[1].label)
    ]
    return rows + [(key, _plain(value)) for key, value in values.items() if key not in declared]


def _worded(kind: str, value: Any) -> str:
    found = read(kind, value)
    if found is None:
        return _plain(value)
    if kind == AttributeType.DATE:
        return display.day(found)
    if kind == AttributeType.YES_NO:
        return pgettext("answer", "Yes") if found else pgettext("answer", "No")
    return str(found)


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return pgettext("answer", "Yes") if value else pgettext("answer", "No")
    return str(value)
