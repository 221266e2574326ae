"""Recomputing balances and lots from what only grows: entries and allocations."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from scrm.common.transactions import atomic

_CHUNK = 20_000
_HOLD = """
    SELECT 1 FROM members_membersummary WHERE member_id BETWEEN %(a)s AND %(b)s ORDER BY member_id FOR NO KEY UPDATE
"""
_HOLD_ACCOUNTS = """
    SELECT 1 FROM members_pointsaccount WHERE member_id BETWEEN %(a)s AND %(b)s
    ORDER BY member_id, currency_id FOR NO KEY UPDATE
"""
_MEND_LOTS = """
    UPDATE members_pointslot l
    SET earned = e.amount, remaining = e.amount - COALESCE(t.taken, 0), held = COALESCE(t.reserved, 0)
    FROM members_pointsentry e
    LEFT JOIN (
        SELECT member_id, currency_id, lot, sum(taken) AS taken, sum(reserved) AS reserved FROM points_takings
        WHERE member_id BETWEEN %(a)s AND %(b)s GROUP BY member_id, currency_id, lot
    ) t ON t.member_id = e.member_id AND t.currency_id = e.currency_id AND t.lot = e.number
    WHERE e.member_id BETWEEN %(a)s AND %(b)s
      AND l.member_id = e.member_id AND l.currency_id = e.currency_id AND l.number = e.number
      AND (l.earned, l.remaining, l.held)
          IS DISTINCT FROM (e.amount, e.amount - COALESCE(t.taken, 0), COALESCE(t.reserved, 0))
    RETURNING l.member_id, l.currency_id
"""
# A balance's own instant may be early; one that is late is mended.
_MEND_ACCOUNTS = """
    INSERT INTO members_pointsaccount AS x (member_id, currency_id, pending, available, held, last_number)
    SELECT member_id, currency_id,
           COALESCE(sum(amount) FILTER (WHERE credit = 'pending'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'pending'), 0),
           COALESCE(sum(amount) FILTER (WHERE credit = 'available'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'available'), 0),
           COALESCE(sum(amount) FILTER (WHERE credit = 'held'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'held'), 0),
           max(number)
    FROM members_pointsentry WHERE member_id BETWEEN %(a)s AND %(b)s GROUP BY member_id, currency_id
    ON CONFLICT (member_id, currency_id) DO UPDATE
    SET pending = EXCLUDED.pending, available = EXCLUDED.available, held = EXCLUDED.held,
        last_number = EXCLUDED.last_number
    WHERE (x.pending, x.available, x.held, x.last_number)
          IS DISTINCT FROM (EXCLUDED.pending, EXCLUDED.available, EXCLUDED.held, EXCLUDED.last_number)
    RETURNING member_id, currency_id
"""
_MEND_DUE = """
    UPDATE members_pointsaccount x SET due_at = d.due_at
    FROM (
        SELECT y.member_id, y.currency_id, points_next_due(y) AS due_at FROM members_pointsaccount y
        WHERE y.member_id BETWEEN %(a)s AND %(b)s
    ) d
    WHERE x.member_id = d.member_id AND x.currency_id = d.currency_id AND d.due_at IS NOT NULL
      AND (x.due_at IS NULL OR x.due_at > d.due_at)
    RETURNING x.member_id, x.currency_id
"""
_MEND_STEPS = """
    UPDATE members_pointsaccount x SET in_steps = true
    WHERE x.member_id BETWEEN %(a)s AND %(b)s AND NOT x.in_steps AND points_in_steps(x.member_id)
    RETURNING x.member_id, x.currency_id
"""


def rebuild(*, report: Callable[[int], None] = lambda _done: None) -> int:
    """Recompute every balance, lot and due instant, and mend what differs; answers how many accounts were wrong.

    0 when the ledger kept them right. Each range of members is one transaction, in which they are held; `report` hears
    the last id of each. What only grows is never touched: a fault in entries or allocations is for `points_check`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(min(member_id), 1), COALESCE(max(member_id), 0) FROM members_pointsentry")
        low, high = cursor.fetchone()
    wrong = 0
    for start in range(low, high + 1, _CHUNK):
        bounds = {"a": start, "b": min(start + _CHUNK - 1, high)}
        with atomic(), connection.cursor() as cursor:
            cursor.execute(_HOLD, bounds)
            cursor.execute(_HOLD_ACCOUNTS, bounds)
            mended: set[tuple[int, int]] = set()
            for statement in (_MEND_LOTS, _MEND_ACCOUNTS, _MEND_DUE, _MEND_STEPS):
                cursor.execute(statement, bounds)
                mended.update(cursor.fetchall())
        wrong += len(mended)
        report(bounds["b"])
    return wrong
