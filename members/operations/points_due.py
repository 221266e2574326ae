"""Booking what time has brought to accounts: lots become available or expire, holds time out.

Balances are right at read time without it (`queries.points`); this keeps the books, and what hangs on them, close to
the clock.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from members.models import PointsCurrency
from members.operations import points, summaries
from scrm.common import reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic


def book_due(*, now: datetime, limit: int = 1_000) -> int:
    """Bring up to `limit` accounts that are due up to date; answers how many. Safe to run twice and side by side.

    Accounts whose members somebody else holds are passed over: whoever holds them books what is due.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, currency_id FROM members_pointsaccount WHERE due_at <= %s ORDER BY due_at LIMIT %s",
            [now, limit],
        )
        due: list[tuple[int, int]] = cursor.fetchall()
        if not due:
            return 0
        held = set(summaries.hold({member_id for member_id, _ in due}, wait=False))
        mine = sorted(one for one in due if one[0] in held)
        cursor.execute(
            """
            SELECT (points_account(v.member_id, v.currency_id, %s)).member_id
            FROM unnest(%s::bigint[], %s::bigint[]) AS v (member_id, currency_id)
            """,
            [now, [member_id for member_id, _ in mine], [currency_id for _, currency_id in mine]],
        )
        keys = dict(PointsCurrency.objects.values_list("pk", "key"))
        members_of: dict[str, set[int]] = {}
        for member_id, currency_id in mine:
            members_of.setdefault(points.topic(keys[currency_id]), set()).add(member_id)
        reactions.run(
            Facts(
                now=now,
                member_ids=sorted({member_id for member_id, _ in mine}),
                topics=frozenset(members_of),
                members_of=members_of,
            )
        )
        return len(mine)
