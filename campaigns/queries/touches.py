"""How often members were written to: one ledger over all campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from campaigns.enums import MessageState
from scrm.common import clock


def window_start(now: datetime, days: int) -> datetime:
    """The instant at which a window of `days` calendar days in the shop's zone begins; today is one of them."""
    return clock.day_start(clock.shop_date(now) - timedelta(days=days - 1))


def count(*, member_ids: Sequence[int], days: int, now: datetime) -> dict[int, int]:
    """Touches per member in the last `days` calendar days, today included. Members without any are absent.

    A touch is a message that was handed over, may have been (unknown), or is being handed over right now; a message
    that was skipped or failed is none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT member_id, count(*) FROM (
                SELECT member_id FROM campaigns_message
                WHERE member_id = ANY(%(members)s) AND handed_at >= %(since)s
                UNION ALL
                SELECT m.member_id
                FROM campaigns_campaign c
                JOIN campaigns_message m ON m.campaign_id = c.id AND m.state = %(claimed)s AND m.handed_at IS NULL
                WHERE c.id IN (SELECT campaign_id FROM campaigns_campaignchunk WHERE state = 'claimed')
                  AND m.member_id = ANY(%(members)s)
            ) touch GROUP BY member_id
            """,
            {
                "members": list(member_ids),
                "since": window_start(now, days),
                "claimed": MessageState.CLAIMED.value,
            },
        )
        return dict(cursor.fetchall())
