"""Price sensitivity in SQL; the formula is analytics/rules/model_tags/price.py."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import LINES, ModelSql, Population, Scope, days, orders, shown
from analytics.rules.model_tags import price as rules

_LINES = f"{LINES} JOIN members_source source ON source.id = o.source_id"
_COLUMNS = "source.currency, p.category, (l.unit_price * 10000)::bigint AS unit"
# Barriers: the planner takes the few cut points and products for a good start and multiplies the orders by them.
_BARRIER = "OFFSET 0"
_CUTS = f"""
    SELECT currency, category, ARRAY(SELECT cut::bigint FROM jsonb_array_elements_text(list) cut) AS cuts
    FROM jsonb_to_recordset(%(cuts)s::jsonb) AS known (currency text, category text, list jsonb)
    {_BARRIER}
"""
_PLACE = "width_bucket(l.unit, c.cuts) + width_bucket(l.unit - 1, c.cuts)"


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """The cut points of each category's prices."""
    cursor.execute(
        f"""
        WITH {scope.cte}, l AS ({orders(_COLUMNS, joins=_LINES)})
        SELECT currency, category, percentile_disc(%(shares)s::float8[]) WITHIN GROUP (ORDER BY unit)
        FROM l GROUP BY currency, category HAVING count(*) >= %(enough)s AND min(unit) < max(unit)
        ORDER BY currency, category
        """,
        {
            **scope.params,
            **days(as_of, rules.WINDOW),
            "shares": [(number + 1) / (rules.CUTS + 1) for number in range(rules.CUTS)],
            "enough": rules.CATEGORY_MINIMUM,
        },
    )
    return {
        "cuts": [
            {"currency": currency, "category": category, "list": list(cuts)}
            for currency, category, cuts in cursor.fetchall()
        ]
    }


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    return {
        **days(as_of, rules.WINDOW),
        "cuts": json.dumps(population["cuts"]),
        "minimum": rules.MINIMUM,
        "prior": rules.PRIOR,
        "steps": rules.CUTS,
        "high": rules.HIGH,
        "low": rules.LOW,
    }


SCORES = f"""
    SELECT member_id, CASE WHEN score >= %(high)s::float8 THEN 'high' WHEN score <= %(low)s::float8 THEN 'low'
                           ELSE 'middle' END AS value,
           '{{}}'::varchar[] AS others, {shown("score")} AS score, evidence
    FROM (
        SELECT l.member_id, count(*)::int AS evidence,
               1 - (sum({_PLACE}) + %(steps)s * %(prior)s)::float8
                   / (2.0::float8 * %(steps)s * (count(*) + %(prior)s)) AS score
        FROM ({orders(_COLUMNS, joins=_LINES)} {_BARRIER}) l JOIN ({_CUTS}) c USING (currency, category)
        GROUP BY l.member_id HAVING count(*) >= %(minimum)s
    ) placed
"""
# How dear the later lines are, against the middle.
LATER = f"""
    SELECT concluded.value, count(*), sum(({_PLACE}) / (2.0 * %(steps)s)), count(*) * 0.5
    FROM concluded JOIN ({orders(_COLUMNS, joins=_LINES, prefix="later_")} {_BARRIER}) l USING (member_id)
    JOIN ({_CUTS}) c USING (currency, category) GROUP BY concluded.value
"""

MODEL = ModelSql(ModelKey.PRICE, learn, parameters, SCORES, LATER)
