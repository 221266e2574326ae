"""The first credits of members who have had nothing yet: any number of each, all in one statement.

An import of past orders gives each member many credits at once. Booked one after the other, each would find the
account, look whether it is known, and write the account anew. Where there is no account there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from members.models import PointsCurrency
from members.operations import columns, points
from members.operations.points import Credit


def open_accounts(kind: PointsCurrency, member_ids: Collection[int]) -> set[int]:
    """Make the accounts that are missing, and answer whose: nobody else books there until the transaction ends.

    Members who are merged or erased, and those whose ledger was moved, are left out; who was given the ledger of
    another has an account already, or has nothing of it in this currency. The members are held as in every booking, so
    that the order of locks is kept.
    """
    listed = columns.integers(sorted(member_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM members_membersummary WHERE member_id = ANY(%s::bigint[]) ORDER BY member_id"
            " FOR NO KEY UPDATE",
            [listed],
        )
        cursor.execute(
            """
            INSERT INTO members_pointsaccount (member_id, currency_id)
            SELECT m.id, %s FROM members_member m
            WHERE m.id = ANY(%s::bigint[]) AND m.status = 'active'
              AND NOT EXISTS (SELECT 1 FROM members_pointsmove o WHERE o.member_id = m.id AND o.undone_at IS NULL)
            ORDER BY m.id ON CONFLICT DO NOTHING RETURNING member_id
            """,
            [kind.pk, listed],
        )
        return {member_id for (member_id,) in cursor.fetchall()}


def credit(kind: PointsCurrency, credits: Sequence[Credit], *, now: datetime) -> None:
    """Credit members whose accounts were opened in this transaction, each one's credits in their order.

    It leaves what `points_earn_many` leaves, called once for each. A reference comes once a member. Raises as
    `points.earn_many` does.
    """
    if not credits:
        return
    ordered = sorted(credits, key=lambda one: one.member_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS MATERIALIZED (
                SELECT t.*, row_number() OVER (PARTITION BY t.member_id ORDER BY t.place) AS number,
                       CASE WHEN t.activates_at <= %(now)s THEN t.amount ELSE 0 END AS at_once,
                       sum(CASE WHEN t.activates_at <= %(now)s THEN t.amount ELSE 0 END)
                           OVER (PARTITION BY t.member_id ORDER BY t.place) AS available
                FROM unnest(%(member_ids)s::bigint[], %(amounts)s::bigint[], {columns.named("references")},
                            {columns.named("sources")}, %(occurred)s::timestamptz[], %(activates)s::timestamptz[],
                            %(expires)s::timestamptz[], {columns.named("details")}) WITH ORDINALITY
                     AS t (member_id, amount, reference, source, occurred_at, activates_at, expires_at, detail, place)
            ), entries AS (
                INSERT INTO members_pointsentry (
                    member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
                    reference, source, detail, actor, occurred_at, booked_at
                )
                SELECT member_id, %(currency)s, number, number, 'earn', 'issued',
                       CASE WHEN activates_at <= %(now)s THEN 'available' ELSE 'pending' END, amount, available,
                       reference, COALESCE(source, ''), detail::jsonb,
                       COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), occurred_at, %(now)s
                FROM given ORDER BY place
            ), lots AS (
                INSERT INTO members_pointslot (
                    member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at,
                    source
                )
                SELECT member_id, %(currency)s, number, amount, amount, activates_at <= %(now)s, occurred_at,
                       activates_at, expires_at, COALESCE(source, '')
                FROM given ORDER BY place
            ), idle AS (
                SELECT expiry_count * interval '1 day' AS days FROM members_pointscurrency
                WHERE id = %(currency)s AND expiry = 'inactivity'
            )
            UPDATE members_pointsaccount a
            SET available = g.available, pending = g.amount - g.available, last_number = g.number,
                idle_at = %(now)s + (SELECT days FROM idle),
                due_at = LEAST(g.due_at, %(now)s + (SELECT days FROM idle))
            FROM (
                SELECT member_id, sum(at_once) AS available, sum(amount) AS amount, max(number) AS number,
                       min(CASE WHEN activates_at <= %(now)s THEN expires_at ELSE activates_at END) AS due_at
                FROM given GROUP BY member_id
            ) g
            WHERE a.member_id = g.member_id AND a.currency_id = %(currency)s
            """,
            {"currency": kind.pk, "now": now, **points.columns_of(kind, ordered, now=now)},
        )
        # Booked as of now what time has brought meanwhile.
        cursor.execute(
            """
            SELECT points_settle(a, %s) FROM members_pointsaccount a
            WHERE a.member_id = ANY(%s::bigint[]) AND a.currency_id = %s AND a.due_at <= %s
            """,
            [now, columns.integers({one.member_id: None for one in ordered}), kind.pk, now],
        )
