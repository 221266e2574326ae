"""What tiers are earned by, from the rows: growth lots, orders, refunds. Set-based for the members asked for.

A lot counts from the instant it was earned, with what reversals and corrections have left of it, until it expires.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from members.models import PointsCurrency
from members.rules.tiers import Fact, Facts, Span

GROWTH = "growth"

# member, when, how much, known from, gone from
_FACTS = {
    "growth": """
        SELECT l.member_id, l.earned_at, l.remaining, l.activates_at, l.expires_at FROM members_pointslot l
        WHERE l.member_id = ANY(%(ids)s) AND l.currency_id = %(currency)s AND l.open
        UNION ALL
        SELECT l.member_id, l.earned_at, a.taken, l.activates_at, e.occurred_at
        FROM members_pointsallocation a
        JOIN members_pointsentry e ON e.member_id = a.member_id AND e.currency_id = a.currency_id AND e.number = a.entry
             AND e.kind = 'expire'
        JOIN members_pointslot l ON l.member_id = a.member_id AND l.currency_id = a.currency_id AND l.number = a.lot
        WHERE a.member_id = ANY(%(ids)s) AND a.currency_id = %(currency)s AND a.taken > 0
    """,
    "spend": """
        SELECT o.member_id, o.paid_at, o.net_amount, NULL::timestamptz, NULL::timestamptz FROM members_order o
        WHERE o.member_id = ANY(%(ids)s) AND o.counts
        UNION ALL
        SELECT r.member_id, r.refunded_at, -r.amount, NULL, NULL FROM members_refund r
        WHERE r.member_id = ANY(%(ids)s) AND r.order_id IS NULL
    """,
    "orders": """
        SELECT o.member_id, o.paid_at, 1, NULL::timestamptz, NULL::timestamptz FROM members_order o
        WHERE o.member_id = ANY(%(ids)s) AND o.counts
    """,
}
# The same added up for one member `{member}` in the window {start} to {end}, as of `{end}`.
_SUMS = {
    "growth": """
        (SELECT COALESCE(sum(l.remaining), 0)::bigint FROM members_pointslot l
         WHERE l.member_id = {member} AND l.currency_id = {currency} AND l.open
           AND l.earned_at >= {start} AND l.earned_at < {end} AND l.activates_at < {end}
           AND (l.expires_at IS NULL OR l.expires_at >= {end}))
    """,
    "spend": """
        GREATEST((SELECT COALESCE(sum(o.net_amount), 0)::bigint FROM members_order o
                  WHERE o.member_id = {member} AND o.counts AND o.paid_at >= {start} AND o.paid_at < {end})
               - (SELECT COALESCE(sum(r.amount), 0)::bigint FROM members_refund r
                  WHERE r.member_id = {member} AND r.order_id IS NULL AND r.refunded_at >= {start}
                    AND r.refunded_at < {end}), 0)
    """,
    "orders": """
        (SELECT count(*) FROM members_order o
         WHERE o.member_id = {member} AND o.counts AND o.paid_at >= {start} AND o.paid_at < {end})
    """,
}
# For everybody in a range of ids at once: at least what counts from an instant on, often exactly that.
_AT_MOST = {
    "growth": """
        SELECT l.member_id, sum(l.remaining)::bigint AS value FROM members_pointslot l
        WHERE l.member_id >= %(low)s AND l.member_id < %(high)s AND l.currency_id = %(currency)s AND l.open
          AND l.earned_at >= %(start)s AND (l.expires_at IS NULL OR l.expires_at >= %(start)s)
        GROUP BY l.member_id
    """,
    "spend": """
        SELECT o.member_id, sum(o.net_amount)::bigint AS value FROM members_order o
        WHERE o.member_id >= %(low)s AND o.member_id < %(high)s AND o.counts AND o.paid_at >= %(start)s
        GROUP BY o.member_id
    """,
    "orders": """
        SELECT o.member_id, count(*) AS value FROM members_order o
        WHERE o.member_id >= %(low)s AND o.member_id < %(high)s AND o.counts AND o.paid_at >= %(start)s
        GROUP BY o.member_id
    """,
}
_LATE = {
    "growth": """
        SELECT DISTINCT e.member_id FROM members_pointsentry e
        WHERE e.member_id = ANY(%(ids)s) AND e.currency_id = %(currency)s AND e.kind IN ('earn', 'adjust', 'move')
          AND e.booked_at = %(now)s AND e.occurred_at < %(start)s
    """,
    "spend": """
        SELECT DISTINCT o.member_id FROM members_order o
        WHERE o.member_id = ANY(%(ids)s) AND o.counts AND o.received_at = transaction_timestamp()
          AND o.paid_at < %(start)s
    """,
}
_LATE["orders"] = _LATE["spend"]


def growth_id() -> int:
    """The currency in which growth is booked; 0 while nobody has any."""
    return PointsCurrency.objects.filter(key=GROWTH).values_list("pk", flat=True).first() or 0


def of_members(basis: str, member_ids: Sequence[int]) -> dict[int, Facts]:
    """Everything that counts, by member; all of those asked for have an entry."""
    found: dict[int, list[Fact]] = {member_id: [] for member_id in member_ids}
    with connection.cursor() as cursor:
        cursor.execute(_FACTS[basis], {"ids": list(member_ids), "currency": growth_id()})
        for member_id, at, amount, seen_at, gone_at in cursor.fetchall():
            found[member_id].append(Fact(at, amount, seen_at, gone_at))
    return {member_id: Facts(facts) for member_id, facts in found.items()}


def of_member(member_id: int, bases: Collection[str]) -> dict[str, Facts]:
    """Everything that counts of one member, by what versions of the ladder count."""
    return {basis: of_members(basis, [member_id])[member_id] for basis in bases}


def sums(basis: str, windows: Mapping[int, Span]) -> dict[int, int]:
    """What each member has in a window of its own that ends now. One statement."""
    one = _SUMS[basis].format(member="w.member_id", currency="%s", start="w.start_at", end="w.end_at")
    ids = sorted(windows)
    currency = [growth_id()] if basis == "growth" else []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT w.member_id, {one}
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS w (member_id, start_at, end_at)
            """,  # fixed texts
            [
                *currency,
                _array(map(str, ids)),
                _array(windows[key][0].isoformat() for key in ids),
                _array(windows[key][1].isoformat() for key in ids),
            ],
        )
        return dict(cursor.fetchall())


def _array(texts: Iterable[str]) -> str:
    """An array as one text: adapting a list element by element is what makes arrays slow."""
    return "{" + ",".join(texts) + "}"


def sum_sql(basis: str, *, member: str, start: str, end: str) -> str:
    """The same as an expression over one member, for conditions; a growth currency that is not there sums to 0."""
    currency = f"(SELECT id FROM members_pointscurrency WHERE key = '{GROWTH}')"
    return _SUMS[basis].format(member=member, currency=currency, start=start, end=end)


def at_most_sql(basis: str) -> str:
    """A statement of (member_id, value) over the parameters low, high, start and currency."""
    return _AT_MOST[basis]


def late(basis: str, member_ids: Sequence[int], *, before: datetime, now: datetime) -> list[int]:
    """Those of the members who were credited just now with something from before an instant."""
    with connection.cursor() as cursor:
        cursor.execute(_LATE[basis], {"ids": list(member_ids), "currency": growth_id(), "now": now, "start": before})
        return [member_id for (member_id,) in cursor.fetchall()]
