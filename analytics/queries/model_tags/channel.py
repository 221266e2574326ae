"""Channel preference in SQL; the formula is analytics/rules/model_tags/channel.py."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import ANSWERS, ModelSql, Population, Scope, age, days, orders, shares, shown
from analytics.rules.model_tags import channel as rules
from analytics.rules.model_tags.conclusions import UNIT

MOST = 30  # channels told apart; names sent by mistake end up beyond
_SHARES = "SELECT key AS channel, value::float8 AS common FROM jsonb_each_text(%(shares)s::jsonb)"


def _facts(prefix: str = "") -> str:
    """Orders by their channel, or their store's kind, and answers to messages by theirs."""
    of_order = "coalesce(nullif(o.channel, ''), store.kind)"
    store = "LEFT JOIN members_store store ON store.id = o.store_id"
    return f"""
        SELECT * FROM (
            {orders(f"{of_order} AS channel, {age('o.paid_at', prefix)} AS age", joins=store, prefix=prefix)}
            UNION ALL
            SELECT e.member_id, left(e.properties ->> 'channel', 60), {age("e.occurred_at", prefix)}
            FROM scope JOIN members_event e ON e.member_id = scope.id
            JOIN members_eventtype kind ON kind.id = e.type_id AND kind.key = ANY(%(answers)s)
            JOIN members_source source ON source.id = e.source_id AND source.key LIKE 'scrm.%%'
            WHERE e.occurred_at >= %({prefix}since)s AND e.occurred_at < %({prefix}until)s
        ) told WHERE channel <> ''
    """


def _constants() -> dict[str, Any]:
    return {"weights": list(rules.WEIGHTS), "answers": list(ANSWERS)}


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """Everybody's share of each channel."""
    cursor.execute(
        f"WITH {scope.cte} SELECT channel, sum((%(weights)s::int[])[age + 1]) FROM ({_facts()}) f GROUP BY channel",
        {**scope.params, **days(as_of, rules.WINDOW), **_constants()},
    )
    return {"shares": shares(dict(cursor.fetchall()), MOST)}


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    known = population["shares"]
    return {
        **days(as_of, rules.WINDOW),
        **_constants(),
        "shares": json.dumps(known),
        "lent": rules.PRIOR * UNIT,
        "minimum": rules.MINIMUM,
        "share": rules.SHARE,
        "several": rules.SEVERAL,
        "common": max(known, key=lambda channel: (known[channel], channel), default=""),
    }


SCORES = f"""
    SELECT DISTINCT ON (member_id) member_id,
           CASE WHEN share >= %(share)s::float8 THEN channel ELSE %(several)s END AS value,
           '{{}}'::varchar[] AS others, {shown("share")} AS score, evidence
    FROM (
        SELECT member_id, channel,
               (weight + %(lent)s * common) / (sum(weight) OVER (PARTITION BY member_id) + %(lent)s)::float8 AS share,
               (sum(facts) OVER (PARTITION BY member_id))::int AS evidence
        FROM (
            SELECT member_id, channel, sum((%(weights)s::int[])[age + 1]) AS weight, count(*) AS facts
            FROM ({_facts()}) f GROUP BY member_id, channel
        ) used JOIN ({_SHARES}) known USING (channel)
    ) shared WHERE evidence >= %(minimum)s
    ORDER BY member_id, share DESC, channel COLLATE "C" DESC
"""
# Later facts through the preferred channel, against those through everybody's first one.
LATER = f"""
    SELECT concluded.value, count(*), count(*) FILTER (WHERE f.channel = concluded.value),
           count(*) FILTER (WHERE f.channel = %(common)s)
    FROM concluded JOIN ({_facts("later_")}) f USING (member_id)
    WHERE concluded.value <> %(several)s GROUP BY concluded.value
"""

MODEL = ModelSql(ModelKey.CHANNEL, learn, parameters, SCORES, LATER)
