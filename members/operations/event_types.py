"""Declaring types of events, so that conditions can name them before the first one arrives, and naming them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from members.models import EventType
from members.rules import event_types as rules
from scrm.common.errors import Invalid, NotFound
from scrm.common.transactions import atomic


def declare(*, key: str, name: str) -> EventType:
    """Make a type known under its key; events that arrive under the key are of it.

    Raises `Invalid` naming the field, also `taken` (there is such a type, declared or seen in an event) and `too_many`.
    """
    key = key.strip()
    if not rules.usable(key, rules.LONGEST_KEY):
        raise Invalid(_("A key is from 1 to 60 characters."), code="bad_key", field="key")
    called = _name(name)
    if not called:
        raise Invalid(_("A name is from 1 to 60 characters."), code="bad_name", field="name")
    with atomic():
        if EventType.objects.count() >= rules.MOST_DECLARED:
            raise Invalid(_("Too many event types."), code="too_many")
        # The first event of the type may arrive at the same moment: one of both makes the row.
        made, created = EventType.objects.get_or_create(key=key, defaults={"name": called})
        if not created:
            raise Invalid(_("There is such an event type already."), code="taken", field="key")
    return made


def rename(*, type_id: int, name: str) -> EventType:
    """Call a type something else, everywhere at once; without a name it goes by the usual one, or by its key.

    Its key stays: that is what events carry. Raises `NotFound`, `Invalid` (`bad_name`).
    """
    called = _name(name)
    with atomic():
        found = EventType.objects.select_for_update(no_key=True).filter(pk=type_id).first()
        if found is None:
            raise NotFound(_("There is no such event type."))
        found.name = called
        found.save(update_fields=["name"])
    return found


def _name(text: str) -> str:
    name = text.strip()
    if name and not rules.usable(name, rules.LONGEST_NAME):
        raise Invalid(_("A name is from 1 to 60 characters."), code="bad_name", field="name")
    return name
