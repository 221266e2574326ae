"""The SQL of an RFM run: sorted aggregation over the covering index, exact cut points, one comparison of old and new.

Scratch rows are unlogged and unindexed. Each range leaves a marker row (member_id = −1 − range) in its own
transaction, so that after a crash of the database, which empties the table, nobody trusts `ranges_done`.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.enums import RunState
from analytics.models import RfmRun
from analytics.rules import rfm as rules
from analytics.rules.rfm import Scale
from scrm.common import clock

# The covering index delivers orders in member order: adding up without a hash table or a sort. For this transaction.
_AGGREGATION_SETTINGS = (
    "SET LOCAL enable_hashagg = off",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL jit = off",
    "SET LOCAL statement_timeout = 0",
)
_PUBLICATION_SETTINGS = (
    "SET LOCAL work_mem = '256MB'",
    "SET LOCAL jit = off",
    "SET LOCAL statement_timeout = 0",
)


def day_before(day: date) -> date:
    return day - timedelta(days=1)


def window(run: RfmRun) -> tuple[datetime, datetime]:
    """From the start of the window's first shop day to the end of `as_of`, half open."""
    return clock.day_start(run.as_of - timedelta(days=run.model.window_days)), clock.day_end(run.as_of)


def aggregate(cursor: CursorWrapper, run: RfmRun, *, low: int, high: int, number: int) -> None:
    """Add up the orders of the member ids in (low, high], and mark the range."""
    for setting in _AGGREGATION_SETTINGS:
        cursor.execute(setting)
    since, until = window(run)
    of_source = "AND source_id = %(source)s" if run.model.source_id is not None else ""
    cursor.execute(
        f"""
        INSERT INTO analytics_rfmaggregate (run_id, member_id, last_paid_at, frequency, monetary)
        SELECT %(run)s, o.member_id, o.last_paid_at, o.frequency, o.monetary - coalesce(u.amount, 0)
        FROM (
            SELECT member_id, max(paid_at) AS last_paid_at, count(*)::int AS frequency,
                   sum(net_amount)::bigint AS monetary
            FROM members_order
            WHERE counts AND member_id > %(low)s AND member_id <= %(high)s
              AND paid_at >= %(since)s AND paid_at < %(until)s {of_source}
            GROUP BY member_id
        ) o
        LEFT JOIN (
            SELECT member_id, sum(amount)::bigint AS amount
            FROM members_refund
            WHERE order_id IS NULL AND member_id > %(low)s AND member_id <= %(high)s
              AND refunded_at >= %(since)s AND refunded_at < %(until)s {of_source}
            GROUP BY member_id
        ) u USING (member_id)
        """,  # only the fixed source condition is put in
        {
            "run": run.pk,
            "low": low,
            "high": high,
            "since": since,
            "until": until,
            "source": run.model.source_id,
        },
    )
    cursor.execute(
        "INSERT INTO analytics_rfmaggregate (run_id, member_id, last_paid_at, frequency, monetary)"
        " VALUES (%s, %s, now(), 0, 0)",
        [run.pk, -1 - number],
    )


def complete(cursor: CursorWrapper, run: RfmRun) -> bool:
    """Whether every range's rows are there."""
    cursor.execute("SELECT count(*) FROM analytics_rfmaggregate WHERE run_id = %s AND member_id < 0", [run.pk])
    return bool(cursor.fetchone()[0] == run.ranges_total)


def discard(cursor: CursorWrapper, run_id: int) -> None:
    """Throw the scratch rows of a run away: at once when no other run has any."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM analytics_rfmaggregate WHERE run_id <> %s)", [run_id])
    if cursor.fetchone()[0]:
        cursor.execute("DELETE FROM analytics_rfmaggregate WHERE run_id = %s", [run_id])
    else:
        cursor.execute("TRUNCATE analytics_rfmaggregate")


def publish(cursor: CursorWrapper, run: RfmRun, *, now: datetime) -> None:
    """Score, write what differs, log the moves, and describe the result in the run's row."""
    for setting in _PUBLICATION_SETTINGS:
        cursor.execute(setting)
    cursor.execute("ANALYZE analytics_rfmaggregate")  # no autovacuum sees these rows before they are read
    _drop_inactive(cursor, run.pk)
    scales = _scales(cursor, run)
    first = not RfmRun.objects.filter(model_id=run.model_id, state=RunState.PUBLISHED).exists()
    run.changed = _write(cursor, run, scales, log=not first)
    run.cuts = {name: list(scale.cuts) for name, scale in scales.items()}
    run.middles = {name: {"value": s.middle, "high_from": s.high_from} for name, s in scales.items()}
    run.distribution = _distribution(cursor, run)
    run.buyers = run.distribution["buyers"]
    run.state, run.published_at = RunState.PUBLISHED, now
    run.save()


def _drop_inactive(cursor: CursorWrapper, run_id: int) -> None:
    """Merged and erased members have no scores: a count equals the members that can be opened behind it."""
    cursor.execute(
        """
        DELETE FROM analytics_rfmaggregate
        WHERE run_id = %s AND member_id = ANY(ARRAY(SELECT id FROM members_member WHERE status <> 'active'))
        """,
        [run_id],
    )


def _scales(cursor: CursorWrapper, run: RfmRun) -> dict[str, Scale]:
    """Cut points and middles over the scratch rows; empty when nobody bought."""
    definition = rules.parse(run.model.definition)
    days = run.model.window_days
    starts = [clock.day_start(run.as_of - timedelta(days=days - n)) for n in range(days + 1)]
    cursor.execute(
        """
        SELECT width_bucket(last_paid_at, %s::timestamptz[]), frequency, count(*) FROM analytics_rfmaggregate
        WHERE run_id = %s AND member_id > 0 GROUP BY 1, 2
        """,
        [starts, run.pk],
    )
    recency: Counter[int] = Counter()
    frequency: Counter[int] = Counter()
    for bucket, orders, members in cursor.fetchall():
        recency[days + 1 - bucket] += members
        frequency[orders] += members
    if not recency:
        return {}
    count = sum(frequency.values())
    # percentile_disc at (rank + ½) / count is exactly the value of that rank.
    cursor.execute(
        """
        SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY monetary), sum(monetary)
        FROM analytics_rfmaggregate WHERE run_id = %s AND member_id > 0
        """,
        [[(rank + 0.5) / count for rank in rules.ranks(count)], run.pk],
    )
    monetary_at_ranks, monetary_total = cursor.fetchone()
    found = {}
    for name, histogram in (("r", recency), ("f", frequency)):
        found[name] = rules.scale(
            name,
            definition,
            count=count,
            total=sum(value * times for value, times in histogram.items()),
            at_ranks=rules.at_ranks_of_histogram(histogram),
        )
    found["m"] = rules.scale("m", definition, count=count, total=int(monetary_total), at_ranks=monetary_at_ranks)
    return found


def _write(cursor: CursorWrapper, run: RfmRun, scales: dict[str, Scale], *, log: bool) -> int:
    """Update what differs, insert what is new, delete who has no order left: one comparison of old and new.

    Answers how many rows changed.
    """
    if not scales:
        cursor.execute(
            """
            WITH gone AS (DELETE FROM analytics_rfmscore WHERE model_id = %s RETURNING member_id, rfm_class, layer)
            INSERT INTO analytics_rfmchange (member_id, run_id, class_before, class_after, layer_before, layer_after)
            SELECT member_id, %s, rfm_class, '', layer, '' FROM gone
            """,
            [run.model_id, run.pk],
        )
        return int(cursor.rowcount)
    r, f, m = scales["r"], scales["f"], scales["m"]
    cursor.execute(
        f"""
        WITH differing AS MATERIALIZED (
            SELECT n.*, o.member_id AS old_member_id, o.rfm_class AS old_class, o.layer AS old_layer
            FROM (
                SELECT v.*, {_class_sql()} AS rfm_class, {_layer_sql()} AS layer
                FROM (
                    SELECT member_id, last_paid_at, frequency, monetary,
                           (1 + width_bucket(last_paid_at, %(r)s::timestamptz[]))::smallint AS r,
                           (1 + width_bucket(frequency, %(f)s::int[]))::smallint AS f,
                           (1 + width_bucket(monetary, %(m)s::bigint[]))::smallint AS m
                    FROM analytics_rfmaggregate WHERE run_id = %(run)s AND member_id > 0
                    OFFSET 0  -- keeps the planner from working each score out several times
                ) v
            ) n
            FULL JOIN (SELECT * FROM analytics_rfmscore WHERE model_id = %(model)s) o ON o.member_id = n.member_id
            WHERE (o.last_paid_at, o.frequency, o.monetary, o.r, o.f, o.m, o.rfm_class, o.layer)
                IS DISTINCT FROM (n.last_paid_at, n.frequency, n.monetary, n.r, n.f, n.m, n.rfm_class, n.layer)
        ), updated AS (
            UPDATE analytics_rfmscore s SET last_paid_at = d.last_paid_at, frequency = d.frequency,
                monetary = d.monetary, r = d.r, f = d.f, m = d.m, rfm_class = d.rfm_class, layer = d.layer
            FROM differing d WHERE s.model_id = %(model)s AND s.member_id = d.member_id AND d.old_member_id IS NOT NULL
        ), inserted AS (
            INSERT INTO analytics_rfmscore
                (model_id, member_id, last_paid_at, frequency, monetary, r, f, m, rfm_class, layer)
            SELECT %(model)s, member_id, last_paid_at, frequency, monetary, r, f, m, rfm_class, layer
            FROM differing WHERE old_member_id IS NULL
        ), deleted AS (
            DELETE FROM analytics_rfmscore s USING differing d
            WHERE s.model_id = %(model)s AND s.member_id = d.old_member_id AND d.member_id IS NULL
        ), logged AS (
            INSERT INTO analytics_rfmchange (member_id, run_id, class_before, class_after, layer_before, layer_after)
            SELECT coalesce(member_id, old_member_id), %(run)s, coalesce(old_class, ''), coalesce(rfm_class, ''),
                   coalesce(old_layer, ''), coalesce(layer, '')
            FROM differing
            WHERE %(log)s AND (old_class IS DISTINCT FROM rfm_class OR old_layer IS DISTINCT FROM layer)
        )
        SELECT count(*) FROM differing
        """,  # the class and layer tables are constants
        {
            "model": run.model_id,
            "run": run.pk,
            "log": log,
            # Fewer than `cut` days ago means on or after this day's start.
            "r": sorted(clock.day_start(rules.recent_from(run.as_of, cut)) for cut in r.cuts),
            "f": list(f.cuts),
            "m": list(m.cuts),
            "r_high": clock.day_start(run.as_of - timedelta(days=r.high_from)),
            "f_high": f.high_from,
            "m_high": m.high_from,
        },
    )
    return int(cursor.fetchone()[0])


def _class_sql() -> str:
    """The eight classes as an index into an array: bit by bit R, F and M."""
    names = [rules.CLASSES[bool(n & 4), bool(n & 2), bool(n & 1)].value for n in range(8)]
    whens = " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(names))
    return (
        "CASE (v.last_paid_at >= %(r_high)s)::int * 4 + (v.frequency >= %(f_high)s)::int * 2"
        f" + (v.monetary >= %(m_high)s)::int {whens} END"
    )


def _layer_sql() -> str:
    """The layers' table, first match wins."""
    whens = " ".join(
        f"WHEN v.r BETWEEN {rule.r_low} AND {rule.r_high} AND v.f + v.m >= {2 * rule.fm_low} THEN '{rule.layer.value}'"
        for rule in rules.LAYERS
    )
    return f"CASE {whens} END"


def _distribution(cursor: CursorWrapper, run: RfmRun) -> dict[str, Any]:
    """Members and net amounts per R×F cell, class and layer, and who moved between layers in this run."""
    cursor.execute(
        """
        SELECT r, f, rfm_class, layer, count(*), sum(monetary)::bigint FROM analytics_rfmscore
        WHERE model_id = %s GROUP BY r, f, rfm_class, layer
        """,
        [run.model_id],
    )
    result = rules.summed(cursor.fetchall())
    cursor.execute(
        "SELECT layer_before, layer_after, count(*) FROM analytics_rfmchange WHERE run_id = %s GROUP BY 1, 2", [run.pk]
    )
    result["moves"] = [list(row) for row in cursor.fetchall() if row[0] != row[1]]
    return result
