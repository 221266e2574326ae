"""Telling members, on their timelines, which points expire soon: what journeys and segments can react to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from django.db import connection

from members.models import PointsCurrency
from members.operations import summaries, timeline
from scrm.common import clock, reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

SOURCE, EVENT = "points", "points.expiring"
# A night that was missed is made up for on the next two.
LATE_DAYS = 2
_RANGE = 500_000
_CHUNK = 1_000
# Who has something that ends within the days; a hint, read again before it is told.
_WHO = """
    SELECT DISTINCT l.member_id FROM members_pointslot l
    JOIN members_pointsaccount a ON a.member_id = l.member_id AND a.currency_id = l.currency_id
    WHERE l.currency_id = %(currency)s AND l.member_id > %(after)s AND l.member_id <= %(upto)s
      AND l.remaining > l.held
      AND ((LEAST(l.expires_at, a.idle_at) - interval '1 microsecond') AT TIME ZONE %(zone)s)::date = ANY(%(days)s)
    ORDER BY 1
"""
_HOW_MANY = """
    SELECT a.member_id, ((LEAST(l.expires_at, a.idle_at) - interval '1 microsecond') AT TIME ZONE %(zone)s)::date,
           sum(l.remaining - l.held)::bigint
    FROM members_pointsaccount a CROSS JOIN LATERAL points_lots_ahead(a, %(now)s) l
    WHERE a.member_id = ANY(%(members)s) AND a.currency_id = %(currency)s AND l.remaining > l.held
      AND ((LEAST(l.expires_at, a.idle_at) - interval '1 microsecond') AT TIME ZONE %(zone)s)::date = ANY(%(days)s)
    GROUP BY 1, 2 ORDER BY 1, 2
"""


def warn(*, now: datetime) -> int:
    """Note `points.expiring` for everything that a currency warns of today; answers how many notes are new.

    One note per member, day of expiry and number of days before (`PointsCurrency.warn_days`), with the amount as it
    stands when it is written: what was spent by then does not count. Safe to run again, and after a missed night.
    """
    today = clock.shop_date(now)
    return sum(
        _tell(currency, chunk, _days(currency, today), now)
        for currency in PointsCurrency.objects.order_by("pk")
        if currency.warn_days
        for chunk in _who(currency, sorted(_days(currency, today)))
    )


def _days(currency: PointsCurrency, today: date) -> dict[date, int]:
    """The last days of use that are warned of today, each with its number of days; the shorter one where two meet."""
    return {
        today + timedelta(days=before - late): before
        for before in sorted(currency.warn_days, reverse=True)
        for late in range(min(LATE_DAYS, before) + 1)
    }


def _who(currency: PointsCurrency, days: Sequence[date]) -> Iterator[list[int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(member_id), 0) FROM members_pointsaccount")
        last: int = cursor.fetchone()[0]
        for after in range(0, last, _RANGE):
            cursor.execute(
                _WHO,
                {
                    "currency": currency.pk, "after": after, "upto": after + _RANGE, "days": list(days),
                    "zone": str(clock.shop_zone()),
                },
            )  # fmt: skip
            found = [member_id for (member_id,) in cursor.fetchall()]
            yield from (found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK))


def _tell(currency: PointsCurrency, member_ids: list[int], days: dict[date, int], now: datetime) -> int:
    with atomic():
        # Whoever books points holds the member first, so that the amounts stand until they are written.
        held = summaries.hold(member_ids)
        with connection.cursor() as cursor:
            cursor.execute(
                _HOW_MANY,
                {
                    "now": now, "members": held, "currency": currency.pk, "days": sorted(days),
                    "zone": str(clock.shop_zone()),
                },
            )  # fmt: skip
            rows = cursor.fetchall()
        told = timeline.append(
            source=SOURCE,
            type=EVENT,
            rows=[
                (
                    member_id,
                    f"{currency.key}:{day.isoformat()}:{days[day]}",
                    now,
                    {"currency": currency.key, "name": currency.name, "amount": amount, "day": day.isoformat(),
                     "days_before": days[day]},
                )
                for member_id, day, amount in rows
            ],
            now=now,
        )  # fmt: skip
        if told:
            touched = sorted({member_id for member_id, _day, _amount in rows})
            reactions.run(
                Facts(
                    now=now,
                    member_ids=touched,
                    event_count=told,
                    topics=frozenset({f"event:{EVENT}"}),
                    occurred=dict.fromkeys(touched, (now, now)),
                )
            )
        return told
