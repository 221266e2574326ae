"""The SQL of lifecycle and AIPL stages: it says the same as analytics/rules/lifecycle.py."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.conf import settings

from analytics.rules.lifecycle import Limits
from scrm.common import clock


def values(limits: Limits, *, as_of: date, low: int, high: int, factor: int = 1) -> dict[str, Any]:
    """The parameters of `STAGES_SQL`: member ids in (low, high], of these every `factor`-th."""
    return {
        **limits.numbers(),
        "activity": list(limits.activity_types),
        "as_of": as_of,
        "zone": settings.TIME_ZONE,
        "recent_from": clock.day_start(as_of - timedelta(days=limits.returned_days)),
        "interest_from": clock.day_start(as_of - timedelta(days=limits.interest_days)),
        "low": low,
        "high": high,
        "factor": factor,
    }


# Stages of the members in (low, high], as analytics/rules/lifecycle.py decides. A comeback needs an order in the last
# `returned_days` and a first one `lost_days` before it: only for those few the orders themselves are looked at.
STAGES_SQL = """
    SELECT d.member_id, d.stage, d.aipl,
        CASE d.stage
            WHEN 'prospect' THEN d.joined_on
            WHEN 'new' THEN d.first_on
            WHEN 'active' THEN d.first_on + %(new_days)s
            WHEN 'sleeping' THEN d.last_on + %(sleeping_days)s
            WHEN 'lost' THEN d.last_on + %(lost_days)s
            ELSE d.comeback_on
        END AS entered_on,
        CASE d.aipl WHEN 'awareness' THEN d.joined_on WHEN 'interest' THEN d.last_event_on
                    WHEN 'purchase' THEN d.first_on ELSE d.last_on END AS aipl_entered_on
    FROM (
        SELECT b.*,
            CASE
                WHEN b.first_on IS NULL OR b.last_on IS NULL THEN 'prospect'
                WHEN %(as_of)s - b.last_on >= %(lost_days)s THEN 'lost'
                WHEN %(as_of)s - b.last_on >= %(sleeping_days)s THEN 'sleeping'
                WHEN b.comeback_on IS NOT NULL THEN 'returned'
                WHEN %(as_of)s - b.first_on < %(new_days)s THEN 'new'
                ELSE 'active'
            END AS stage,
            CASE
                WHEN b.order_count >= greatest(%(loyal_orders)s, 1) THEN 'loyalty'
                WHEN b.order_count > 0 THEN 'purchase'
                WHEN %(as_of)s - b.last_event_on < %(interest_days)s THEN 'interest'
                ELSE 'awareness'
            END AS aipl
        FROM (
            SELECT m.id AS member_id,
                (m.joined_at AT TIME ZONE %(zone)s)::date AS joined_on,
                (s.first_order_at AT TIME ZONE %(zone)s)::date AS first_on,
                (s.last_order_at AT TIME ZONE %(zone)s)::date AS last_on,
                (CASE
                    WHEN %(activity)s::text[] = '{}' THEN s.last_event_at
                    WHEN coalesce(s.order_count, 0) = 0 AND s.last_event_at >= %(interest_from)s THEN (
                        SELECT max(e.occurred_at) FROM members_event e
                        WHERE e.member_id = m.id AND e.occurred_at >= %(interest_from)s
                          AND e.type_id = ANY(ARRAY(SELECT id FROM members_eventtype WHERE key = ANY(%(activity)s)))
                    )
                END AT TIME ZONE %(zone)s)::date AS last_event_on,
                coalesce(s.order_count, 0) AS order_count,
                CASE WHEN s.last_order_at >= %(recent_from)s
                      AND s.last_order_at - s.first_order_at > make_interval(days => %(lost_days)s - 2) THEN (
                    SELECT max(g.paid_on) FROM (
                        SELECT (paid_at AT TIME ZONE %(zone)s)::date AS paid_on,
                               (lag(paid_at) OVER (ORDER BY paid_at) AT TIME ZONE %(zone)s)::date AS before_on
                        FROM members_order o WHERE o.member_id = m.id AND o.counts
                    ) g
                    WHERE g.paid_on - g.before_on >= %(lost_days)s AND %(as_of)s - g.paid_on < %(returned_days)s
                ) END AS comeback_on
            FROM members_member m LEFT JOIN members_membersummary s ON s.member_id = m.id
            WHERE m.id > %(low)s AND m.id <= %(high)s AND m.id %% %(factor)s = 0 AND m.status = 'active'
        ) b
    ) d
"""
