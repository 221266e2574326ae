"""Writing what a model concludes: one range of member ids at a time, only what differs, with tags and timelines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import translation

from analytics.enums import ModelKey
from analytics.models import ModelRun, ModelValue
from analytics.queries import model_words
from analytics.queries.model_tags import base
from analytics.queries.model_tags.base import ModelSql
from analytics.rules.model_tags import hour
from scrm.common.transactions import atomic
from tags.enums import Choice, Colour
from tags.operations import model_tags as tagging
from tags.operations import watches

# Members per transaction: a fraction of a second of work, so that a crash repeats little and locks are short.
RANGE = 20_000
# A tag per category and channel up to so many; the rest is known but not tagged.
MOST_TAGS = 60

_COLOURS: dict[str, str] = {
    ModelKey.PRICE: Colour.ORANGE,
    ModelKey.PROMOTION: Colour.PINK,
    ModelKey.CATEGORY: Colour.GREEN,
    ModelKey.HOUR: Colour.BLUE,
    ModelKey.CHANNEL: Colour.TEAL,
    ModelKey.CHURN: Colour.RED,
}


def prepare(cursor: CursorWrapper) -> None:
    """Settings of the transaction that computes: small statements gain nothing from compilation."""
    cursor.execute("SET LOCAL jit = off")
    cursor.execute("SET LOCAL work_mem = '64MB'")
    cursor.execute("SET LOCAL statement_timeout = 0")


def values_of(model: ModelKey, population: dict[str, Any]) -> list[str]:
    """The values that get a tag, the most common first."""
    if model in model_words.BY_LEVEL:
        return ["high", "middle", "low"]
    if model == ModelKey.HOUR:
        return [str(number) for number in hour.HOURS]
    ranked = sorted(population["shares"], key=lambda name: -population["shares"][name])[:MOST_TAGS]
    return ranked if model == ModelKey.CATEGORY else [*ranked, "-"]


def ensure_tags(model: ModelKey, values: Iterable[str]) -> None:
    """Make the tags of values that have none, named in the shop's language."""
    known = dict(ModelValue.objects.filter(model=model).values_list("value", "tag_id"))
    missing = [value for value in values if value not in known]
    if not missing:
        return
    with atomic(), translation.override(settings.LANGUAGE_CODE):
        if known:
            group_id = tagging.group_of(tag_id=next(iter(known.values())))
        else:
            group_id = tagging.ensure_group(
                name=str(model.label),
                choice=Choice.MULTIPLE if model == ModelKey.CATEGORY else Choice.SINGLE,
                colour=_COLOURS[model],
            )
        taken = set(known.values())
        for value in missing:
            tag_id = tagging.ensure_tag(
                group_id=group_id,
                name=model_words.tag_name(model, value),
                description=str(model_words.DESCRIPTIONS[model]),
            )
            if tag_id not in taken:  # two values of one name share the first one's tag
                ModelValue.objects.create(model=model, value=value, tag_id=tag_id)
                taken.add(tag_id)


# What a range's members are concluded to be now against what is stored: written where it differs. A value and its
# company decide about tags; score and evidence are kept up to date beside them.
_WRITE = """
    WITH differing AS MATERIALIZED (
        SELECT coalesce(n.member_id, o.member_id) AS member_id, n.member_id IS NULL AS gone, o.member_id IS NULL AS new,
               n.value, n.others, n.score, n.evidence, o.value AS old_value, o.others AS old_others
        FROM model_fresh n FULL JOIN (
            SELECT * FROM analytics_modelscore WHERE model = %(model)s AND member_id > %(low)s AND member_id <= %(high)s
        ) o ON o.member_id = n.member_id
        WHERE (o.value, o.others, o.score, o.evidence) IS DISTINCT FROM (n.value, n.others, n.score, n.evidence)
    ), updated AS (
        UPDATE analytics_modelscore s SET value = d.value, others = d.others, score = d.score, evidence = d.evidence,
               as_of = %(as_of)s
        FROM differing d WHERE s.member_id = d.member_id AND s.model = %(model)s AND NOT d.gone AND NOT d.new
    ), inserted AS (
        INSERT INTO analytics_modelscore (member_id, model, value, others, score, evidence, as_of)
        SELECT member_id, %(model)s, value, others, score, evidence, %(as_of)s FROM differing WHERE new
    ), deleted AS (
        DELETE FROM analytics_modelscore s USING differing d
        WHERE s.member_id = d.member_id AND s.model = %(model)s AND d.gone
    )
    INSERT INTO model_moved (member_id, before, after, score, evidence)
    SELECT member_id, CASE WHEN new THEN '{}' ELSE old_value || old_others END,
           CASE WHEN gone THEN '{}' ELSE value || others END, score, evidence
    FROM differing
"""
_TAG_MOVES = """
    SELECT moved.member_id, known.tag_id, TRUE,
           replace(replace(replace(%(reason)s, '{percent}', round(moved.score * 100)::text),
                           '{score}', moved.score::text), '{evidence}', moved.evidence::text)
    FROM model_moved moved CROSS JOIN unnest(moved.after) AS a (value)
    JOIN analytics_modelvalue known ON known.model = %(model)s AND known.value = a.value
    WHERE a.value <> ALL(moved.before)
    UNION ALL
    SELECT moved.member_id, known.tag_id, FALSE, ''
    FROM model_moved moved CROSS JOIN unnest(moved.before) AS b (value)
    JOIN analytics_modelvalue known ON known.model = %(model)s AND known.value = b.value
    WHERE b.value <> ALL(moved.after)
"""


def write_range(run: ModelRun, sql: ModelSql, *, low: int, high: int, noted: bool, now: datetime) -> int:
    """Conclude about the members with low < id ≤ high and publish. Answers how many values changed."""
    scope = base.id_range(low, high)
    with connection.cursor() as cursor:
        prepare(cursor)
        _stage(cursor, "model_fresh", scope, sql, sql.parameters(run.population, run.as_of))
        cursor.execute("DROP TABLE IF EXISTS model_moved")
        cursor.execute(
            "CREATE TEMP TABLE model_moved (member_id bigint, before varchar[], after varchar[], score float8,"
            " evidence int) ON COMMIT DROP"
        )
        cursor.execute(_WRITE, {"model": run.model, "low": low, "high": high, "as_of": run.as_of})
        if cursor.rowcount == 0:
            return 0
        with translation.override(settings.LANGUAGE_CODE):
            reason = model_words.reason(run.model)
        tagging.publish(moves=_TAG_MOVES, params={"model": run.model, "reason": reason}, noted=noted, now=now)
        cursor.execute("SELECT member_id, before <> after FROM model_moved")
        moved = cursor.fetchall()
        topics = {"tag", "model", "event:tag.added", "event:tag.removed"}
        watches.refresh(topics=topics, member_ids=[row[0] for row in moved], now=now)
        return sum(turned for _member_id, turned in moved)


def _stage(cursor: CursorWrapper, table: str, scope: base.Scope, sql: ModelSql, params: dict[str, Any]) -> None:
    """A temporary table of what the model concludes about the members of a scope."""
    cursor.execute(f"DROP TABLE IF EXISTS {table}")
    cursor.execute(
        f"CREATE TEMP TABLE {table} ON COMMIT DROP AS WITH {scope.cte} SELECT * FROM ({sql.scores}) found",
        {**scope.params, **params},
    )
    cursor.execute(f"ANALYZE {table}")


def held_out(cursor: CursorWrapper, sql: ModelSql, as_of: date, most: int) -> dict[str, Any]:
    """How the model would have done: concluded as of some weeks ago, measured on what members did since.

    By value the rate of later facts that fit it, and the rate that ignorance of the member would have reached.
    """
    if not sql.later:
        return {}
    cut = as_of - timedelta(days=base.HELD_OUT_DAYS)
    scope = base.sample(cursor, most)
    population = sql.learn(cursor, scope, cut)
    params = sql.parameters(population, cut)
    _stage(cursor, "model_concluded", scope, sql, params)
    cursor.execute(
        f"WITH {scope.cte}, concluded AS (SELECT * FROM model_concluded) {sql.later}",
        {**scope.params, **params, **base.days(as_of, base.HELD_OUT_DAYS, "later_")},
    )
    rows = [(value, int(facts), float(hits), float(chance)) for value, facts, hits, chance in cursor.fetchall()]
    facts = sum(row[1] for row in rows)
    if not facts:
        return {}
    return {
        "since": cut.isoformat(),
        "facts": facts,
        "rate": round(sum(row[2] for row in rows) / facts, 4),
        "base_rate": round(sum(row[3] for row in rows) / facts, 4),
        "values": [
            {"value": value, "facts": n, "rate": round(hits / n, 4), "base_rate": round(chance / n, 4)}
            for value, n, hits, chance in sorted(rows, key=lambda row: -row[1])[:MOST_TAGS]
        ],
    }
