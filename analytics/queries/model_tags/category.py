"""Category preference in SQL; the formula is analytics/rules/model_tags/category.py."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import LINES, ModelSql, Population, Scope, age, days, orders, shares, shown
from analytics.rules.model_tags import category as rules
from analytics.rules.model_tags.conclusions import UNIT

_COLUMNS = f"p.category, {age('o.paid_at')} AS age"
_SHARES = "SELECT key AS category, value::float8 AS common FROM jsonb_each_text(%(shares)s::jsonb)"


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """Everybody's share of each category."""
    cursor.execute(
        f"""
        WITH {scope.cte} SELECT category, sum((%(weights)s::int[])[age + 1])
        FROM ({orders(_COLUMNS, joins=LINES)}) l GROUP BY category
        """,
        {**scope.params, **days(as_of, rules.WINDOW), "weights": list(rules.WEIGHTS)},
    )
    return {"shares": shares(dict(cursor.fetchall()))}


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    return {
        **days(as_of, rules.WINDOW),
        "shares": json.dumps(population["shares"]),
        "weights": list(rules.WEIGHTS),
        "lent": rules.PRIOR * UNIT,
        "minimum": rules.MINIMUM,
        "share": rules.SHARE,
        "lift": rules.LIFT,
        "most": rules.MOST,
        "broad": rules.BROAD,
    }


SCORES = f"""
    SELECT member_id, coalesce(preferred[1], %(broad)s) AS value,
           coalesce(preferred[2:%(most)s], '{{}}')::varchar[] AS others,
           coalesce({shown("lifts[1]")}, 1) AS score, evidence
    FROM (
        SELECT member_id, max(evidence) AS evidence,
               array_agg(category ORDER BY share * (lift - 1) DESC, category COLLATE "C")
                   FILTER (WHERE share >= %(share)s::float8 AND lift >= %(lift)s::float8) AS preferred,
               array_agg(lift ORDER BY share * (lift - 1) DESC, category COLLATE "C")
                   FILTER (WHERE share >= %(share)s::float8 AND lift >= %(lift)s::float8) AS lifts
        FROM (
            SELECT member_id, category, share, share / common AS lift, evidence
            FROM (
                SELECT member_id, category, common,
                       (weight + %(lent)s * common)
                           / (sum(weight) OVER (PARTITION BY member_id) + %(lent)s)::float8 AS share,
                       (sum(lines) OVER (PARTITION BY member_id))::int AS evidence
                FROM (
                    SELECT member_id, category, sum((%(weights)s::int[])[age + 1]) AS weight, count(*) AS lines
                    FROM ({orders(_COLUMNS, joins=LINES)}) l GROUP BY member_id, category
                ) bought JOIN ({_SHARES}) known USING (category)
            ) shared WHERE evidence >= %(minimum)s
        ) lifted GROUP BY member_id
    ) found
"""
# Later lines that are of the preferred category, against everybody's share of it.
LATER = f"""
    SELECT concluded.value, count(*), count(*) FILTER (WHERE l.category = concluded.value), sum(common)
    FROM concluded JOIN ({_SHARES}) known ON known.category = concluded.value
    JOIN ({orders("p.category", joins=LINES, prefix="later_")}) l USING (member_id)
    GROUP BY concluded.value
"""

MODEL = ModelSql(ModelKey.CATEGORY, learn, parameters, SCORES, LATER)
