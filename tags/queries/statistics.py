"""How many members have a tag, day by day, and which shares have drifted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scrm.common import clock
from tags.models import TagStatistic

# Of a share that was so small nothing is concluded.
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class TagDay:
    """A shop day of a tag: members who had it at its end, and how many got it and lost it that day."""

    day: date
    members: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Drift:
    """How the number of members with a tag moved against `days` ago: 0.25 is a quarter more."""

    tag_id: int
    days: int
    before: int
    members: int

    @property
    def change(self) -> float:
        return (self.members - self.before) / self.before if self.before else 0.0


def series(*, tag_id: int, until: date, days: int = 90) -> list[TagDay]:
    """The counted days of a tag up to `until`, the oldest first. Days that were not counted are missing."""
    rows = TagStatistic.objects.filter(
        tag_id=tag_id, counted_on__gt=until - timedelta(days=days), counted_on__lte=until
    ).order_by("counted_on")
    return [TagDay(row.counted_on, row.members, row.added, row.removed) for row in rows]


def sparklines(*, tag_ids: Collection[int], until: date, days: int = 30) -> dict[int, list[int]]:
    """Members per counted day of many tags, the oldest first. One query."""
    found: dict[int, list[int]] = defaultdict(list)
    rows = TagStatistic.objects.filter(
        tag_id__in=tag_ids, counted_on__gt=until - timedelta(days=days), counted_on__lte=until
    )
    for tag_id, members in rows.order_by("tag_id", "counted_on").values_list("tag_id", "members"):
        found[tag_id].append(members)
    return dict(found)


def drifts(*, now: datetime, threshold: float, days: Collection[int] = (7, 30)) -> list[Drift]:
    """Tags whose number of members moved by more than `threshold` (0.25: a quarter) against so many days ago.

    The last counted day is compared with the counted day nearest before the earlier one. The largest move of a tag is
    given, the largest first. Tags that few had then are left out.
    """
    today = clock.shop_date(now)
    latest: dict[int, tuple[date, int]] = {}
    rows = TagStatistic.objects.filter(counted_on__gt=today - timedelta(days=3), tag__archived_at=None)
    for tag_id, day, members in rows.order_by("counted_on").values_list("tag_id", "counted_on", "members"):
        latest[tag_id] = (day, members)
    found: dict[int, Drift] = {}
    for span in days:
        earlier: dict[int, int] = {}
        past = TagStatistic.objects.filter(
            tag_id__in=latest,
            counted_on__lte=today - timedelta(days=span),
            counted_on__gt=today - timedelta(days=span + 7),
        )
        for tag_id, members in past.order_by("counted_on").values_list("tag_id", "members"):
            earlier[tag_id] = members
        for tag_id, before in earlier.items():
            drift = Drift(tag_id, span, before, latest[tag_id][1])
            if before < _FEWEST or abs(drift.change) <= threshold:
                continue
            if tag_id not in found or abs(drift.change) > abs(found[tag_id].change):
                found[tag_id] = drift
    return sorted(found.values(), key=lambda drift: -abs(drift.change))
