"""The lots that a member's points consist of: what expires when, and what is set aside for which purchase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection

from members.enums import HoldState
from members.models import PointsHold
from scrm.common import clock

MOST_LOTS = 500


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one credit. `expires_at` is None while nothing ends it; `free` is not set aside by a hold."""

    number: int
    earned: int
    remaining: int
    held: int
    active: bool
    earned_at: datetime
    activates_at: datetime
    expires_at: datetime | None
    source: str

    @property
    def free(self) -> int:
        return self.remaining - self.held

    @property
    def last_day(self) -> date | None:
        return None if self.expires_at is None else last_day(self.expires_at)


@dataclass(frozen=True, slots=True)
class Expiring:
    """So many points can be used through `day` for the last time."""

    day: date
    amount: int


def last_day(expires_at: datetime) -> date:
    """The last shop day on which points can be used that expire at an instant, which is mostly a midnight."""
    return clock.shop_date(expires_at - timedelta(microseconds=1))


def open_lots(*, member_id: int, currency_id: int, as_of: datetime) -> list[Lot]:
    """What is left, in the order in which it is consumed; the first `MOST_LOTS`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.number, l.earned, l.remaining, l.held, l.active, l.earned_at, l.activates_at,
                   LEAST(l.expires_at, a.idle_at), l.source
            FROM members_pointsaccount a CROSS JOIN LATERAL points_lots_ahead(a, %s) AS l
            WHERE a.member_id = %s AND a.currency_id = %s
            ORDER BY LEAST(l.expires_at, a.idle_at), l.earned_at, l.number LIMIT %s
            """,
            [as_of, member_id, currency_id, MOST_LOTS],
        )
        return [Lot(*row) for row in cursor.fetchall()]


def expiring(*, member_id: int, currency_id: int, as_of: datetime, days: int) -> list[Expiring]:
    """What expires within so many days, by the last day on which it can be used, soonest first."""
    until = as_of + timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT ((LEAST(l.expires_at, a.idle_at) - interval '1 microsecond') AT TIME ZONE %s)::date,
                   sum(l.remaining - l.held)::bigint
            FROM members_pointsaccount a CROSS JOIN LATERAL points_lots_ahead(a, %s) AS l
            WHERE a.member_id = %s AND a.currency_id = %s AND l.remaining > l.held
              AND LEAST(l.expires_at, a.idle_at) <= %s
            GROUP BY 1 ORDER BY 1
            """,
            [str(clock.shop_zone()), as_of, member_id, currency_id, until],
        )
        return [Expiring(*row) for row in cursor.fetchall()]


def open_holds(*, member_id: int, currency_id: int, as_of: datetime) -> Sequence[PointsHold]:
    """What is set aside at this instant, what ends first first."""
    rows = PointsHold.objects.filter(
        member_id=member_id, currency_id=currency_id, state=HoldState.OPEN, expires_at__gt=as_of
    )
    return list(rows.order_by("expires_at", "number")[:MOST_LOTS])
