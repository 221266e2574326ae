"""The types of events there are, what they are called, and how often they occurred lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from members.enums import NOTED_EVENTS
from members.models import EventType
from members.rules import event_types as rules
from scrm.common.errors import NotFound

# A shop may have invented any number of types; who looks for one among more than these searches.
MOST_LISTED = 500
LATELY = timedelta(days=30)
# Blocks of the table of events that are read for the counts: 16 MiB, whatever the size of the table.
SAMPLED_BLOCKS = 2_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Events within the last 30 days by type id. Not `exact`: estimated from a sample, to two significant digits."""

    by_type: Mapping[int, int]
    exact: bool

    def of(self, type_id: int) -> int:
        return self.by_type.get(type_id, 0)


def listed(*, search: str = "") -> list[EventType]:
    """The types whose key or name contains a text, by key; the first `MOST_LISTED` of them."""
    rows = EventType.objects.order_by("key")
    if search:
        rows = rows.filter(Q(key__icontains=search) | Q(name__icontains=search))
    return list(rows[:MOST_LISTED])


def deeds() -> list[tuple[str, str]]:
    """(key, name) of what members do themselves, without what the product notes about them; by key, at most so many."""
    types = EventType.objects.exclude(key__in=NOTED_EVENTS).order_by("key")[:MOST_LISTED]
    return [(kind.key, str(kind)) for kind in types]


def get(type_id: int) -> EventType:
    """One of them. Raises `NotFound`."""
    found = EventType.objects.filter(pk=type_id).first()
    if found is None:
        raise NotFound(_("There is no such event type."))
    return found


def counts(*, as_of: datetime) -> Counts:
    """How many events of each type occurred in the 30 days up to `as_of`.

    Reads `SAMPLED_BLOCKS` blocks at most: all events of a small shop, else an evenly spread sample of them, the same
    one each time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('members_event') / current_setting('block_size')::int")
        blocks = cursor.fetchone()[0]
        exact = blocks <= SAMPLED_BLOCKS
        share = 1.0 if exact else SAMPLED_BLOCKS / blocks
        sample = "" if exact else "TABLESAMPLE SYSTEM (%s) REPEATABLE (0)"
        cursor.execute(
            f"""
            SELECT type_id, count(*) FROM members_event {sample}
            WHERE occurred_at > %s AND occurred_at <= %s GROUP BY type_id
            """,
            [*([] if exact else [100 * share]), as_of - LATELY, as_of],
        )
        found = dict(cursor.fetchall())
    if exact:
        return Counts(found, exact=True)
    return Counts({key: rules.rounded(number / share) for key, number in found.items()}, exact=False)
