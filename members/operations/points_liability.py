"""What the points that members hold would cost, day by day, and what became of what was earned, month by month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.models import PointsCohort, PointsCurrency, PointsExpiry, PointsLiability
from scrm.common import clock, jobs
from scrm.common.access import Actor, DataScope, Permission
from scrm.common.errors import Forbidden
from scrm.common.models import Job
from scrm.common.transactions import atomic

KIND = "points_liability"
# Members a statement: along the primary keys, so that nothing is sorted and memory stays small.
_RANGE = 500_000
_BALANCES = """
    SELECT a.currency_id, sum(GREATEST(s.available, 0)), sum(s.pending), sum(s.held), sum(GREATEST(-s.available, 0)),
           count(*) FILTER (WHERE s.available > 0 OR s.pending > 0 OR s.held > 0)
    FROM members_pointsaccount a CROSS JOIN LATERAL (
        SELECT a.available, a.pending, a.held WHERE a.due_at IS NULL OR a.due_at > %(now)s
        UNION ALL
        SELECT p.available, p.pending, p.held FROM points_ahead(a, %(now)s) p WHERE a.due_at <= %(now)s
    ) s
    WHERE a.member_id > %(after)s AND a.member_id <= %(upto)s GROUP BY 1
"""
# Lots are read once: what was earned by month of earning, what is left by month of expiry. Points that moved to another
# account are counted there.
_LOTS = """
    SELECT currency_id, earned_month, expiry_month, GROUPING(earned_month) = 0 AS of_cohort,
           sum(earned - moved), sum(expired + remaining - outstanding), sum(reversed), sum(outstanding),
           sum(free)
    FROM (
        SELECT l.currency_id, l.earned, l.remaining, COALESCE(x.moved, 0) AS moved, COALESCE(x.expired, 0) AS expired,
               COALESCE(x.reversed, 0) AS reversed,
               date_trunc('month', l.earned_at AT TIME ZONE %(zone)s)::date AS earned_month,
               date_trunc('month', (f.ends - interval '1 microsecond') AT TIME ZONE %(zone)s)::date AS expiry_month,
               CASE WHEN f.lapsed THEN l.held ELSE l.remaining END AS outstanding,
               CASE WHEN f.lapsed THEN 0 ELSE l.remaining - l.held END AS free
        FROM members_pointslot l
        JOIN members_pointsaccount a ON a.member_id = l.member_id AND a.currency_id = l.currency_id
        CROSS JOIN LATERAL (
            SELECT LEAST(l.expires_at, a.idle_at) AS ends,
                   COALESCE(l.activates_at <= %(now)s AND LEAST(l.expires_at, a.idle_at) <= %(now)s, false) AS lapsed
        ) f
        LEFT JOIN (
            SELECT t.member_id, t.currency_id, t.lot, sum(t.taken) FILTER (WHERE e.kind = 'expire') AS expired,
                   sum(t.taken) FILTER (WHERE e.kind = 'reverse') AS reversed,
                   sum(t.taken) FILTER (WHERE e.kind = 'move') AS moved
            FROM members_pointsentry e
            JOIN members_pointsallocation t
              ON t.member_id = e.member_id AND t.currency_id = e.currency_id AND t.entry = e.number
            WHERE e.member_id > %(after)s AND e.member_id <= %(upto)s AND e.kind IN ('expire', 'reverse', 'move')
            GROUP BY 1, 2, 3
        ) x ON x.member_id = l.member_id AND x.currency_id = l.currency_id AND x.lot = l.number
        WHERE l.member_id > %(after)s AND l.member_id <= %(upto)s
    ) y
    GROUP BY GROUPING SETS ((currency_id, earned_month), (currency_id, expiry_month))
"""
_Sums = dict[Any, list[int]]


def start(*, actor: Actor) -> Job:
    """Queue a count for somebody who does not want to wait for the night. Raises `Forbidden`."""
    if not actor.may(Permission.LOYALTY_VIEW) or actor.scope != DataScope.ALL:
        raise Forbidden(_("You may not do this."))
    return jobs.create(kind=KIND, label=_("Count of points liability"), params={}, actor=actor)


def count(*, now: datetime, progress: jobs.Progress | None = None) -> None:
    """Add everybody up and keep today's row, the cohorts and the months of expiry. Doing it again replaces them.

    Expiry and the end of waiting count at their instant, booked or not. Lots are read once, in ranges of members.
    """
    balances: _Sums = defaultdict(lambda: [0] * 5)
    cohorts: _Sums = defaultdict(lambda: [0] * 4)
    months: _Sums = defaultdict(lambda: [0])
    values: dict[str, Any] = {"now": now, "zone": str(clock.shop_zone())}
    for after, upto, last in _ranges():
        with connection.cursor() as cursor:
            cursor.execute(_BALANCES, values | {"after": after, "upto": upto})
            for currency_id, *sums in cursor.fetchall():
                _add(balances[currency_id], sums)
            cursor.execute(_LOTS, values | {"after": after, "upto": upto})
            for currency_id, earned_month, expiry_month, of_cohort, *sums, free in cursor.fetchall():
                if of_cohort:
                    _add(cohorts[currency_id, earned_month], sums)
                elif expiry_month is not None and free:
                    _add(months[currency_id, expiry_month], [free])
        if progress is not None:
            progress.report(done=upto, total=last)
    _write(balances, cohorts, months, now)


def _ranges() -> Iterator[tuple[int, int, int]]:
    """(after, up to, last) member ids."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(member_id), 0) FROM members_pointsaccount")
        last: int = cursor.fetchone()[0]
    for after in range(0, last, _RANGE):
        yield after, min(after + _RANGE, last), last


def _add(sums: list[int], more: list[Any]) -> None:
    for place, value in enumerate(more):
        sums[place] += int(value or 0)


def _write(balances: _Sums, cohorts: _Sums, months: _Sums, now: datetime) -> None:
    today: date = clock.shop_date(now)
    with atomic():
        currencies = {currency.pk: currency for currency in PointsCurrency.objects.select_for_update().order_by("pk")}
        PointsLiability.objects.filter(day=today).delete()
        PointsLiability.objects.bulk_create(
            PointsLiability(
                currency_id=pk, day=today, counted_at=now, available=available, pending=pending, held=held,
                arrears=arrears, members=members,
                cost=(available + pending + held) * currency.cost_per_1000 // 1_000,
            )
            for pk, currency in currencies.items()
            for available, pending, held, arrears, members in [balances[pk]]
        )  # fmt: skip
        PointsCohort.objects.all().delete()
        PointsCohort.objects.bulk_create(
            PointsCohort(
                currency_id=pk, month=month, earned=earned, expired=expired, reversed=reversed_,
                outstanding=outstanding, used=earned - expired - reversed_ - outstanding,
            )
            for (pk, month), (earned, expired, reversed_, outstanding) in sorted(cohorts.items())
        )  # fmt: skip
        PointsExpiry.objects.all().delete()
        PointsExpiry.objects.bulk_create(
            PointsExpiry(currency_id=pk, month=month, amount=amount) for (pk, month), [amount] in sorted(months.items())
        )
