"""Declaring the brand's own fields of a member's profile. Values come and go with profiles, not here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from members.enums import AttributeType
from members.models import Attribute
from members.queries import attributes
from members.rules import attributes as rules
from scrm.common import reactions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic

_TOPICS = frozenset({"attribute"})


def create(*, key: str, label: str, type: str, choices: Sequence[str] = ()) -> Attribute:
    """Declare an attribute; what members hold under `key` already becomes its values.

    Raises `Invalid` naming the field, also `taken` (the key is declared) and `too_many`.
    """
    key = key.strip()
    if not rules.usable_key(key):
        raise Invalid(_("A key is from 1 to 40 characters."), code="bad_key", field="key")
    if type not in AttributeType.values:
        raise Invalid(_("Not a known value."), code="unknown_type", field="type")
    listed = _choices(type, choices)
    with atomic():
        if Attribute.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if Attribute.objects.count() >= rules.MOST_ATTRIBUTES:
            raise Invalid(_("Too many custom fields."), code="too_many")
        return Attribute.objects.create(key=key, label=_label(label), type=type, choices=listed)


def update(*, attribute_id: int, label: str, choices: Sequence[str] = (), now: datetime) -> Attribute:
    """Call an attribute something else, or change what can be chosen. Its key and type stay.

    Conditions that name a choice which is taken away are broken from then on. Raises `NotFound`, `Invalid`.
    """
    with atomic():
        attribute = _locked(attribute_id)
        before = set(attribute.choices)
        attribute.label = _label(label)
        attribute.choices = _choices(attribute.type, choices)
        attribute.save(update_fields=["label", "choices"])
        if not before <= set(attribute.choices) and attributes.dependents(attribute.key):
            reactions.redefined(topics=_TOPICS, now=now)
    return attribute


def delete(*, attribute_id: int, even_if_used: bool = False, now: datetime) -> None:
    """Withdraw the declaration; members keep what they hold.

    Conditions that name it are broken from then on and stop with a reason, so what uses it is refused at first:
    `Conflict` (`in_use`, with `detail["dependents"]`). Raises `NotFound`.
    """
    with atomic():
        attribute = _locked(attribute_id)
        used = attributes.dependents(attribute.key)
        if used and not even_if_used:
            raise Conflict(
                _("Conditions use this field: %(names)s") % {"names": ", ".join(str(one) for one in used[:10])},
                code="in_use",
                dependents=[{"kind": one.kind, "label": one.label, "url": one.url} for one in used],
            )
        attribute.delete()
        if used:
            reactions.redefined(topics=_TOPICS, now=now)


def _locked(attribute_id: int) -> Attribute:
    found = Attribute.objects.select_for_update().filter(pk=attribute_id).first()
    if found is None:
        raise NotFound(_("There is no such custom field."))
    return found


def _label(text: str) -> str:
    label = text.strip()
    if not label or len(label) > rules.LONGEST_LABEL or not label.isprintable():
        raise Invalid(_("A name is from 1 to 40 characters."), code="bad_label", field="label")
    return label


def _choices(type: str, choices: Sequence[str]) -> list[str]:
    if type != AttributeType.CHOICE:
        return []
    listed = [str(one).strip() for one in choices if str(one).strip()]
    if not rules.usable_choices(listed):
        raise Invalid(
            _("List from 1 to %(count)s different values of at most 60 characters.") % {"count": rules.MOST_CHOICES},
            code="bad_choices",
            field="choices",
        )
    return listed
