"""What members have of a kind of points: now, at an earlier instant, and for many at once.

Expiry, the end of waiting and the end of holds count from their instant on, whether or not they have been booked:
`points_ahead` (see the migration `points_reading`) settles an account on paper as the ledger will.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.models import PointsCurrency
from scrm.common.errors import Invalid, NotFound

POINTS = "points"

# Entries that time brought count from their instant, but not before what was booked ahead of them: time was settled
# first each time. All others count from their booking.
_BY_TIME = "(e.kind IN ('activate', 'expire') OR e.kind = 'release' AND e.detail @> '{\"timeout\": true}')"
_AT = f"""
    SELECT COALESCE(sum(x.amount * ((x.credit = 'pending')::int - (x.debit = 'pending')::int)), 0)::bigint,
           COALESCE(sum(x.amount * ((x.credit = 'available')::int - (x.debit = 'available')::int)), 0)::bigint,
           COALESCE(sum(x.amount * ((x.credit = 'held')::int - (x.debit = 'held')::int)), 0)::bigint
    FROM (
        SELECT e.amount, e.debit, e.credit, CASE WHEN {_BY_TIME}
               THEN GREATEST(e.occurred_at, max(e.booked_at) FILTER (WHERE NOT {_BY_TIME}) OVER (ORDER BY e.number))
               ELSE e.booked_at END AS counts_at
        FROM members_pointsentry e WHERE e.member_id = %s AND e.currency_id = %s
    ) x WHERE x.counts_at <= %s
"""  # noqa: S608  # words of this file
_AHEAD = """
    SELECT a.member_id, a.currency_id, s.pending, s.available, s.held
    FROM members_pointsaccount a
    CROSS JOIN LATERAL (SELECT (p).pending, (p).available, (p).held FROM points_ahead(a, %s) AS p OFFSET 0) s
    WHERE a.member_id = ANY(%s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member has: `available` can be spent; `pending` not yet, `held` is set aside; `arrears` is owed."""

    pending: int = 0
    available: int = 0
    held: int = 0

    @property
    def arrears(self) -> int:
        return max(-self.available, 0)

    @property
    def spendable(self) -> int:
        return max(self.available, 0)


NOTHING = Balance()


def currency(key: str = POINTS) -> PointsCurrency:
    """A kind of points. Raises `NotFound` (`unknown_currency`)."""
    found = PointsCurrency.objects.filter(key=key).first()
    if found is None:
        raise NotFound(_("There is no such kind of points."), code="unknown_currency")
    return found


def every() -> list[PointsCurrency]:
    """All kinds of points, spendable ones first, in the order in which they were made."""
    return list(PointsCurrency.objects.order_by("-spendable", "pk"))


def balances(*, member_id: int, as_of: datetime) -> dict[int, Balance]:
    """By currency id, for every kind of points that the member ever had. One statement."""
    return {currency_id: found for _member, currency_id, found in _ahead([member_id], as_of)}


def balances_of(*, member_ids: Collection[int], currency_id: int, as_of: datetime) -> dict[int, Balance]:
    """By member id, of one currency; members without an account are left out. One statement."""
    return {member: found for member, kind, found in _ahead(member_ids, as_of) if kind == currency_id}


def balance(*, member_id: int, currency_id: int, as_of: datetime) -> Balance:
    """What the member has at this instant."""
    return balances(member_id=member_id, as_of=as_of).get(currency_id, NOTHING)


def balance_at(*, member_id: int, currency_id: int, at: datetime, now: datetime) -> Balance:
    """What the member would have seen at an earlier instant: what was booked by then and what time had brought by then.

    Raises `Invalid` (`in_future`) for an instant after `now`.
    """
    if at > now:
        raise Invalid(_("This is still to come."), code="in_future", field="at")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT due_at FROM members_pointsaccount WHERE member_id = %s AND currency_id = %s",
            [member_id, currency_id],
        )
        account = cursor.fetchone()
        if account is None:
            return NOTHING
        # Nothing but time has passed since something became due: whatever was booked was settled first.
        if account[0] is not None and account[0] <= at:
            return balance(member_id=member_id, currency_id=currency_id, as_of=at)
        cursor.execute(_AT, [member_id, currency_id, at])
        return Balance(*cursor.fetchone())


def _ahead(member_ids: Collection[int], as_of: datetime) -> Sequence[tuple[int, int, Balance]]:
    with connection.cursor() as cursor:
        cursor.execute(_AHEAD, [as_of, list(member_ids)])
        return [(member, kind, Balance(*found)) for member, kind, *found in cursor.fetchall()]
