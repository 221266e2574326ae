"""Churn risk in SQL; the formula is analytics/rules/model_tags/churn.py."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from analytics.queries.model_tags.base import ModelSql, Population, Scope, days, orders, shown
from analytics.rules.model_tags import churn as rules
from scrm.common import clock

_DAY = "(o.paid_at AT TIME ZONE %(zone)s)::date AS day"
# The class of a member with the columns days, span and recency; see `rules.cell`.
_CELL = """
    10 * width_bucket(days, %(day_bounds)s::int[])
        + width_bucket(recency * (days - 1 + %(prior)s)::float8 / (span + %(prior)s * %(gap)s), %(ratios)s::float8[])
"""
UNTAUGHT = 60  # days between purchases where nobody has bought twice


def learn(cursor: CursorWrapper, scope: Scope, as_of: date) -> Population:
    """Everybody's rhythm, the probability of each cell, and how good such a table was one stretch later."""
    horizon = timedelta(days=rules.HORIZON)
    before = rules.fit(_counts(cursor, scope, as_of - 2 * horizon))
    recent = _counts(cursor, scope, as_of - horizon)
    table = rules.fit(recent)
    found: Population = {"gap": _gap(cursor, scope, as_of), "fitted_on": (as_of - horizon).isoformat()}
    if table is not None:
        found |= {"base": table.base, "cells": {str(cell): chance for cell, chance in sorted(table.cells.items())}}
    if before is not None and table is not None:
        found |= {"quality": rules.quality(before, recent), "calibration": rules.calibration(before, recent)}
    return found


def _gap(cursor: CursorWrapper, scope: Scope, as_of: date) -> int:
    """Everybody's mean days between two purchase days, whole."""
    cursor.execute(
        f"""
        WITH {scope.cte}
        SELECT sum(span)::float8 / nullif(sum(gaps), 0) FROM (
            SELECT max(day) - min(day) AS span, count(DISTINCT day) - 1 AS gaps
            FROM ({orders(_DAY)}) o GROUP BY member_id
        ) bought
        """,
        {**scope.params, **days(as_of, rules.WINDOW)},
    )
    mean = cursor.fetchone()[0]
    return max(1, int(mean + 0.5)) if mean else UNTAUGHT


def _counts(cursor: CursorWrapper, scope: Scope, cut: date) -> dict[int, tuple[int, int]]:
    """Members by cell as of `cut`, and how many of them bought within the horizon after it."""
    cursor.execute(
        f"""
        WITH {scope.cte}
        SELECT {_CELL}, count(*), count(*) FILTER (WHERE bought) FROM (
            SELECT count(DISTINCT day) FILTER (WHERE day <= %(cut)s)::int AS days,
                   max(day) FILTER (WHERE day <= %(cut)s) - min(day) AS span,
                   %(cut)s::date - max(day) FILTER (WHERE day <= %(cut)s) AS recency,
                   bool_or(day > %(cut)s) AS bought
            FROM ({orders(_DAY)}) o GROUP BY member_id HAVING min(day) <= %(cut)s
        ) known GROUP BY 1
        """,
        {
            **scope.params,
            **_constants(_gap(cursor, scope, cut)),
            **days(cut, rules.WINDOW),
            "until": clock.day_end(cut + timedelta(days=rules.HORIZON)),
            "cut": cut,
        },
    )
    return {cell: (members, buyers) for cell, members, buyers in cursor.fetchall()}


def _constants(gap: int) -> dict[str, Any]:
    return {"day_bounds": list(rules.DAYS), "ratios": list(rules.RATIOS), "prior": rules.PRIOR, "gap": gap}


def parameters(population: Population, as_of: date) -> dict[str, Any]:
    return {
        **days(as_of, rules.WINDOW),
        **_constants(population["gap"]),
        "cells": json.dumps(population.get("cells", {})),
        "base": population.get("base"),
        "high": rules.HIGH,
        "low": rules.LOW,
    }


SCORES = f"""
    SELECT member_id, CASE WHEN chance < %(high)s::float8 THEN 'high' WHEN chance >= %(low)s::float8 THEN 'low'
                           ELSE 'middle' END AS value,
           '{{}}'::varchar[] AS others, {shown("chance")} AS score, days AS evidence
    FROM (
        SELECT member_id, days, coalesce((%(cells)s::jsonb ->> ({_CELL})::text)::float8, %(base)s::float8) AS chance
        FROM (
            SELECT member_id, count(DISTINCT day)::int AS days, max(day) - min(day) AS span,
                   %(as_of)s::date - max(day) AS recency
            FROM ({orders(_DAY)}) o GROUP BY member_id
        ) known
    ) rated WHERE chance IS NOT NULL
"""

MODEL = ModelSql(ModelKey.CHURN, learn, parameters, SCORES)
