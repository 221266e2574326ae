"""How many members have each tier, day by day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from members.queries import tier_schemes
from scrm.common import clock
from scrm.common.transactions import atomic


def count(*, now: datetime) -> None:
    """Note how many have each tier, as of the shop day that ended last; twice on a day the later count stays."""
    base = tier_schemes.base_id(now)
    if base is None:
        return
    day = clock.shop_date(now) - timedelta(days=1)
    with atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM members_tierday WHERE day = %s", [day])
        cursor.execute(
            """
            INSERT INTO members_tierday (day, tier_id, members)
            SELECT %s, COALESCE(t.tier_id, %s), count(*) FROM members_member m
            LEFT JOIN members_membertier t ON t.member_id = m.id
            WHERE m.status = 'active' GROUP BY 2
            """,
            [day, base],
        )
