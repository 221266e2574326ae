"""Promotion sensitivity in SQL; the formula is analytics/rules/model_tags/promotion.py."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import ModelSql, Population, Scope, days, orders, shown
from analytics.rules.model_tags import promotion as rules


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """Everybody's share of orders with a discount."""
    cursor.execute(
        f"WITH {scope.cte} SELECT count(*) FILTER (WHERE discount > 0), count(*) FROM ({orders('o.discount')}) o",
        {**scope.params, **days(as_of, rules.WINDOW)},
    )
    discounted, total = cursor.fetchone()
    return {"common": discounted / total if total else 0.0}


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    common = population["common"]
    return {
        **days(as_of, rules.WINDOW),
        "common": common,
        "prior": rules.PRIOR,
        # Unknown for everybody in a shop whose orders all, or none, carry a discount.
        "minimum": rules.MINIMUM if 0 < common < 1 else 2**31 - 1,
        "odds": rules.ODDS,
    }


SCORES = f"""
    SELECT member_id,
           CASE WHEN share * (1 - %(common)s::float8) >= %(odds)s * (%(common)s::float8 * (1 - share)) THEN 'high'
                WHEN share * (1 - %(common)s::float8) * %(odds)s <= %(common)s::float8 * (1 - share) THEN 'low'
                ELSE 'middle' END AS value,
           '{{}}'::varchar[] AS others, {shown("share")} AS score, evidence
    FROM (
        SELECT member_id, count(*)::int AS evidence,
               (count(*) FILTER (WHERE discount > 0) + %(prior)s * %(common)s::float8)
                   / (count(*) + %(prior)s)::float8 AS share
        FROM ({orders("o.discount")}) o GROUP BY member_id HAVING count(*) >= %(minimum)s
    ) counted
"""
# Later orders with a discount, against everybody's share.
LATER = f"""
    SELECT concluded.value, count(*), count(*) FILTER (WHERE discount > 0), count(*) * %(common)s::float8
    FROM concluded JOIN ({orders("o.discount", prefix="later_")}) o USING (member_id) GROUP BY concluded.value
"""

MODEL = ModelSql(ModelKey.PROMOTION, learn, parameters, SCORES, LATER)
