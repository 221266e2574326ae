"""Publishing an RFM run: everybody scored at once in arrays, compared with the scores that stand, and only what
differs written, in one transaction.

What ranges add up to waits in an unlogged table, one row per range, so that a crash of the database, which empties it,
is noticed. The rows of the run that readers see stay: previews of edited models are computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db.backends.utils import CursorWrapper

from analytics.enums import RunState
from analytics.models import RfmAggregate, RfmRun
from analytics.operations import rfm_aggregation as columns
from analytics.operations.rfm_aggregation import Packed
from analytics.queries import rfm_scope
from analytics.rules import rfm as rules
from analytics.rules import rfm_facts
from analytics.rules.rfm_facts import CLASS_KEYS, Facts, Ints, Scored
from scrm.common import clock

# Old scores are read in so many parts, by position in the table.
PARTS = 4


def day_before(day: date) -> date:
    return day - timedelta(days=1)


def window(run: RfmRun) -> tuple[datetime, datetime]:
    """From the start of the window's first shop day to the end of `as_of`, half open."""
    return clock.day_start(run.as_of - timedelta(days=run.model.window_days)), clock.day_end(run.as_of)


def aggregate(cursor: CursorWrapper, run: RfmRun, *, low: int, high: int, number: int) -> None:
    """Add up the orders of the member ids in (low, high], and keep the sums as the range of that number."""
    since, until = window(run)
    counted = rfm_scope.resolve(currency=run.model.currency, scope=run.model.scope)
    facts = columns.aggregate(cursor, counted, since=since, until=until, low=low, high=high)
    columns.execute_with(
        "INSERT INTO analytics_rfmaggregate (run_id, number, members, packed)"
        " VALUES (%(run)s, %(number)s, %(members)s, %(packed)b)",
        {"run": run.pk, "number": number, "members": facts.size, "packed": facts.pack()},
    )


def complete(run: RfmRun) -> bool:
    """Whether every range's sums are there."""
    return RfmAggregate.objects.filter(run_id=run.pk).count() == run.ranges_total


def facts_of(run_id: int) -> Facts:
    """The sums of a run, in member order."""
    rows = columns.execute_with(
        "SELECT packed FROM analytics_rfmaggregate WHERE run_id = %(run)s ORDER BY number", {"run": run_id}, binary=True
    )
    return Facts.joined([Facts.unpack(packed) for (packed,) in rows])


def discard(run_id: int) -> None:
    """Throw the sums of a run away."""
    RfmAggregate.objects.filter(run_id=run_id).delete()


def publish(cursor: CursorWrapper, run: RfmRun, *, now: datetime) -> None:
    """Score, write what differs, log the moves, and describe the result in the run's row."""
    columns.share_work(cursor, "work_mem = '64MB'")
    definition = rules.parse(run.model.definition)
    facts = _active(cursor, facts_of(run.pk))
    starts = [clock.day_start(day) for day in rfm_facts.window_days(run.as_of, run.model.window_days)]
    values = rfm_facts.Values.of(facts, starts)
    scales = rfm_facts.scales(definition, values)
    scored = rfm_facts.score(values, scales) if scales else Scored(*(np.empty(0, dtype=np.int16) for _ in range(2)))
    first = not RfmRun.objects.filter(model_id=run.model_id, state=RunState.PUBLISHED).exists()
    keys, layer_of = rfm_facts.layer_codes(definition.layers)
    run.changed = _write(cursor, run, facts, scored, keys, layer_of[scored.scores], log=not first)
    run.cuts = {name: list(scale.cuts) for name, scale in scales.items()}
    run.middles = {name: {"value": s.middle, "high_from": s.high_from} for name, s in scales.items()}
    run.distribution = rfm_facts.distribution(scored, facts.monetary, definition.layers)
    run.distribution["currency"] = rfm_scope.resolve(currency=run.model.currency, scope=run.model.scope).currency
    run.distribution["moves"] = _moves(cursor, run)
    run.buyers = run.distribution["buyers"]
    run.state, run.published_at = RunState.PUBLISHED, now
    run.save()
    RfmAggregate.objects.filter(run__model_id=run.model_id).exclude(run_id=run.pk).delete()


def _active(cursor: CursorWrapper, facts: Facts) -> Facts:
    """Merged and erased members have no scores: a count equals the members that can be opened behind it."""
    cursor.execute("SELECT id FROM members_member WHERE status <> 'active'")
    gone = np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)
    return facts.keep(~np.isin(facts.member_ids, gone)) if len(gone) else facts


@dataclass(frozen=True, slots=True)
class _Standing:
    """The scores that stand, in member order. `marks` are hashes of class and layer together."""

    facts: Facts
    scores: Ints
    marks: Ints


def _standing(cursor: CursorWrapper, model_id: int) -> _Standing:
    """Read what stands, by position in the table so that parallel workers share the reading."""
    cursor.execute("SELECT pg_relation_size('analytics_rfmscore') / current_setting('block_size')::int")
    pages = int(cursor.fetchone()[0])
    step = pages // PARTS + 1
    part = """
        SELECT array_agg(member_id), array_agg(last_paid_at), array_agg(frequency), array_agg(monetary),
               array_agg((r - 1) * 25 + (f - 1) * 5 + m - 1), array_agg(hashtextextended(rfm_class || ' ' || layer, 0))
        FROM analytics_rfmscore WHERE model_id = %(model)s AND ctid >= '({low},0)' AND ctid < '({high},0)'
    """
    sql = " UNION ALL ".join(part.format(low=n * step, high=(n + 1) * step) for n in range(PARTS))
    read = columns.read_columns(sql, {"model": model_id}, "q", "q", "i", "q", "i", "q")
    ids, paid, frequency, monetary, scores, marks = (np.concatenate([row[n] for row in read]) for n in range(6))
    order = np.argsort(ids, kind="stable")
    return _Standing(Facts(ids[order], paid[order], frequency[order], monetary[order]), scores[order], marks[order])


def _marks(cursor: CursorWrapper, keys: list[str]) -> Ints:
    """The hash of each class and layer, at class code × number of layers + layer code."""
    texts = [f"{class_} {key}" for class_ in CLASS_KEYS for key in keys]
    cursor.execute("SELECT hashtextextended(t, 0) FROM unnest(%s::text[]) WITH ORDINALITY u (t, n) ORDER BY n", [texts])
    return np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)


def _write(
    cursor: CursorWrapper, run: RfmRun, facts: Facts, scored: Scored, keys: list[str], layers: Any, *, log: bool
) -> int:
    """Update what differs, insert what is new, delete who has no order left. Answers how many rows changed."""
    standing = _standing(cursor, run.model_id)
    old_ids = standing.facts.member_ids
    places = np.searchsorted(old_ids, facts.member_ids)
    places[places == len(old_ids)] = 0
    known = old_ids[places] == facts.member_ids if len(old_ids) else np.zeros(facts.size, dtype=bool)
    same = known.copy()
    if len(old_ids):
        marks = _marks(cursor, keys)[scored.classes.astype(np.int64) * len(keys) + layers]
        for new, old in (
            (facts.paid, standing.facts.paid),
            (facts.frequency, standing.facts.frequency),
            (facts.monetary, standing.facts.monetary),
            (scored.scores, standing.scores),
            (marks, standing.marks),
        ):
            same &= new == old[places]
    gone = np.ones(len(old_ids), dtype=bool)
    gone[places[known]] = False
    differing = ~same
    if not differing.any() and not gone.any():
        return 0
    r, f, m = (column[differing] for column in scored.split())
    rows = columns.execute_with(
        _WRITE,
        {
            "model": run.model_id,
            "run": run.pk,
            "log": log,
            "class_keys": list(CLASS_KEYS),
            "layer_keys": keys,
            "members": Packed("q", facts.member_ids[differing]),
            "paid": Packed("t", facts.paid[differing]),
            "frequency": Packed("i", facts.frequency[differing]),
            "monetary": Packed("q", facts.monetary[differing]),
            "r": Packed("h", r),
            "f": Packed("h", f),
            "m": Packed("h", m),
            "classes": Packed("h", scored.classes[differing] + 1),
            "layers": Packed("h", layers[differing] + 1),
            "is_known": Packed("h", known[differing]),
            "gone": Packed("q", old_ids[gone]),
        },
    )
    return int(rows[0][0])


# One statement: rows of the columns that differ, whether they are new, and the ids of those without orders left.
_WRITE = """
    WITH differing AS MATERIALIZED (
        SELECT d.member_id, d.last_paid_at, d.frequency, d.monetary, d.r, d.f, d.m, d.is_known = 1 AS is_known,
               (%(class_keys)s::text[])[d.class] AS rfm_class, (%(layer_keys)s::text[])[d.layer] AS layer
        FROM unnest(%(members)s, %(paid)s, %(frequency)s, %(monetary)s, %(r)s, %(f)s, %(m)s, %(classes)s, %(layers)s,
                    %(is_known)s)
            AS d (member_id, last_paid_at, frequency, monetary, r, f, m, class, layer, is_known)
    ), updated AS (
        UPDATE analytics_rfmscore s SET last_paid_at = d.last_paid_at, frequency = d.frequency,
            monetary = d.monetary, r = d.r, f = d.f, m = d.m, rfm_class = d.rfm_class, layer = d.layer,
            run_id = %(run)s
        FROM differing d WHERE d.is_known AND s.model_id = %(model)s AND s.member_id = d.member_id
        RETURNING s.member_id, old.rfm_class AS class_before, new.rfm_class AS class_after,
                  old.layer AS layer_before, new.layer AS layer_after
    ), inserted AS (
        INSERT INTO analytics_rfmscore
            (model_id, member_id, last_paid_at, frequency, monetary, r, f, m, rfm_class, layer, run_id)
        SELECT %(model)s, member_id, last_paid_at, frequency, monetary, r, f, m, rfm_class, layer, %(run)s
        FROM differing WHERE NOT is_known
        RETURNING member_id, '' AS class_before, rfm_class AS class_after, '' AS layer_before, layer AS layer_after
    ), deleted AS (
        DELETE FROM analytics_rfmscore s USING unnest(%(gone)s) AS g (member_id)
        WHERE s.model_id = %(model)s AND s.member_id = g.member_id
        RETURNING s.member_id, s.rfm_class AS class_before, '' AS class_after, s.layer AS layer_before,
                  '' AS layer_after
    ), moved AS (
        SELECT * FROM updated UNION ALL SELECT * FROM inserted UNION ALL SELECT * FROM deleted
    ), logged AS (
        INSERT INTO analytics_rfmchange (member_id, run_id, class_before, class_after, layer_before, layer_after)
        SELECT member_id, %(run)s, class_before, class_after, layer_before, layer_after
        FROM moved WHERE %(log)s AND (class_before <> class_after OR layer_before <> layer_after)
    )
    SELECT count(*) FROM moved
"""


def _moves(cursor: CursorWrapper, run: RfmRun) -> list[list[Any]]:
    """[layer before, layer after, members] of those who changed their layer in this run."""
    cursor.execute(
        "SELECT layer_before, layer_after, count(*) FROM analytics_rfmchange WHERE run_id = %s GROUP BY 1, 2", [run.pk]
    )
    return [list(row) for row in cursor.fetchall() if row[0] != row[1]]
