"""Best contact hour in SQL; the formula is analytics/rules/model_tags/hour.py."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import ANSWERS, ModelSql, Population, Scope, age, days, orders, shown
from analytics.rules.model_tags import hour as rules
from analytics.rules.model_tags.conclusions import UNIT


def _facts(prefix: str = "") -> str:
    """Orders, the member's own events, and answers to messages, by hour of the shop's clock and age."""

    def columns(instant: str, factor: str) -> str:
        hour = f"extract(hour FROM {instant} AT TIME ZONE %(zone)s)::int AS hour"
        return f"{hour}, {age(instant, prefix)} AS age, {factor} AS factor"

    weight = "CASE WHEN kind.key = ANY(%(answers)s) THEN %(answer)s ELSE 1 END"
    return f"""
        {orders(columns("o.paid_at", "1"), prefix=prefix)}
        UNION ALL
        SELECT e.member_id, {columns("e.occurred_at", weight)}
        FROM scope JOIN members_event e ON e.member_id = scope.id
        JOIN members_eventtype kind ON kind.id = e.type_id JOIN members_source source ON source.id = e.source_id
        WHERE e.occurred_at >= %({prefix}since)s AND e.occurred_at < %({prefix}until)s
          AND (source.key NOT LIKE 'scrm.%%' OR kind.key = ANY(%(answers)s))
    """


_WEIGHT = "factor * (%(weights)s::int[])[age + 1]"


def _constants() -> dict[str, Any]:
    return {"weights": list(rules.WEIGHTS), "answers": list(ANSWERS), "answer": rules.ANSWER}


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """Everybody's day: the share of each hour, spread over its neighbours."""
    cursor.execute(
        f"WITH {scope.cte} SELECT hour, sum({_WEIGHT}) FROM ({_facts()}) f GROUP BY hour",
        {**scope.params, **days(as_of, rules.WINDOW), **_constants()},
    )
    found: dict[int, int] = dict(cursor.fetchall())
    smooth = rules.spread([int(found.get(hour, 0)) for hour in range(24)])
    total = sum(smooth)
    return {"shares": [weight / total for weight in smooth] if total else []}


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    shares = population["shares"]
    return {
        **days(as_of, rules.WINDOW),
        **_constants(),
        "shares": shares,
        # Who has nothing of their own in a hour is best met at everybody's best.
        "common": max(rules.HOURS, key=lambda hour: (shares[hour], -hour)) if shares else 0,
        "lent": rules.PRIOR * UNIT,
        "minimum": rules.MINIMUM if shares else 2**31 - 1,
        "first": rules.FIRST,
        "last": rules.LAST,
    }


SCORES = f"""
    SELECT DISTINCT ON (member_id) member_id, hour::text AS value, '{{}}'::varchar[] AS others,
           {shown("share")} AS score, evidence
    FROM (
        SELECT s.member_id, s.hour, t.evidence,
               (s.weight + 4 * %(lent)s * (%(shares)s::float8[])[s.hour + 1])
                   / (4.0::float8 * (t.total + %(lent)s)) AS share
        FROM (
            SELECT member_id, hour, sum(weight) AS weight FROM (
                SELECT member_id, (hour + step + 24) %% 24 AS hour, weight * (2 - abs(step)) AS weight
                FROM own CROSS JOIN generate_series(-1, 1) step
                UNION ALL SELECT DISTINCT member_id, %(common)s, 0 FROM own
            ) spread GROUP BY member_id, hour
        ) s JOIN (
            SELECT member_id, sum(weight) AS total, sum(facts)::int AS evidence FROM own GROUP BY member_id
            HAVING sum(facts) >= %(minimum)s
        ) t USING (member_id)
        WHERE s.hour BETWEEN %(first)s AND %(last)s
    ) found ORDER BY member_id, share DESC, hour
"""
OWN = f"SELECT member_id, hour, sum({_WEIGHT}) AS weight, count(*) AS facts FROM ({_facts()}) f GROUP BY 1, 2"
# Later facts within an hour of the best one, against those within an hour of everybody's best.
LATER = f"""
    SELECT concluded.value, count(*), count(*) FILTER (WHERE abs(f.hour - concluded.value::int) <= 1),
           count(*) FILTER (WHERE abs(f.hour - %(common)s) <= 1)
    FROM concluded JOIN ({_facts("later_")}) f USING (member_id) GROUP BY concluded.value
"""

MODEL = ModelSql(ModelKey.HOUR, learn, parameters, f"WITH own AS MATERIALIZED ({OWN}) {SCORES}", LATER)
