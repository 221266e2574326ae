"""How large segments were, and how many members entered and left them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from scrm.common import clock
from tags.models import SegmentSize


@dataclass(frozen=True, slots=True)
class Moves:
    """How often members entered and left within some days; one member may do so several times."""

    entered: int
    left: int


def history(segment_id: int, *, days: int, now: datetime) -> list[tuple[date, int]]:
    """The sizes of the last so many shop days, oldest first; days on which nobody counted are left out."""
    rows = _within([segment_id], days, now).order_by("counted_on")
    return list(rows.values_list("counted_on", "members"))


def trends(segment_ids: Collection[int], *, days: int, now: datetime) -> dict[int, list[int]]:
    """The same for several segments, sizes only: what the list draws as a line. One query."""
    found: dict[int, list[int]] = {}
    rows = _within(segment_ids, days, now).order_by("segment_id", "counted_on")
    for segment_id, members in rows.values_list("segment_id", "members"):
        found.setdefault(segment_id, []).append(members)
    return found


def _within(segment_ids: Collection[int], days: int, now: datetime) -> QuerySet[SegmentSize]:
    today = clock.shop_date(now)
    return SegmentSize.objects.filter(
        segment_id__in=segment_ids, counted_on__gt=today - timedelta(days=days), counted_on__lte=today
    )


def moves(segment_id: int, *, days: int, now: datetime) -> Moves:
    """Entries and exits that timelines tell of in the last `days` times 24 hours; the index `event_of_segment`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE e.message_id LIKE 'segment.entered:%%'),
                   count(*) FILTER (WHERE e.message_id LIKE 'segment.left:%%')
            FROM members_event e JOIN members_source s ON s.id = e.source_id
            WHERE e.message_id::text LIKE 'segment.%%' AND split_part(e.message_id, ':', 2) = %s
              AND e.occurred_at > %s AND e.occurred_at <= %s AND s.key = 'scrm.tags'
            """,
            [str(segment_id), now - timedelta(days=days), now],
        )
        return Moves(*cursor.fetchone())
