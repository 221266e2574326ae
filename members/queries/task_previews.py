"""How many members would have done a task lately: counted set-based, in a fixed sample where there are many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from members.enums import TaskMeasure, TaskWindow
from members.models import Task
from members.queries import task_facts
from members.queries.task_facts import Counted
from scrm.common import clock, conditions
from scrm.common.conditions import Sql, bind, compose

DAYS = 30
# From so many members on a sample is asked.
_SAMPLE = 200_000


@dataclass(frozen=True, slots=True)
class Preview:
    """Members with something that counts, members who would have done the task, and how often in all.

    `exact` is False where a sample was asked.
    """

    started: int
    done: int
    completions: int
    exact: bool


def preview(task: Task, *, now: datetime) -> Preview:
    """What the task, which need not be stored, would have been over the last 30 days. Chains are left aside."""
    since = now - timedelta(days=DAYS)
    counted = Counted(task.kind, task.counting, ((since, None),))
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        step = max(1, -(-cursor.fetchone()[0] // _SAMPLE))
        sample = compose("m.id %% {} = 0", bind(step)) if step > 1 else Sql("TRUE")
        if task.who:
            condition = conditions.compile_condition(conditions.parse(task.who), as_of=now)
            sample = conditions.join(" AND ", [sample, condition])
        facts = task_facts.of_everyone(counted, sample=sample, since=counted.since(now))
        times = _times(task, facts)
        limit = Sql("times") if not task.times else compose("LEAST(times, {})", bind(task.times))
        query = compose(
            "SELECT count(*), count(*) FILTER (WHERE times > 0), COALESCE(sum({}), 0) FROM ({}) q", limit, times
        )
        cursor.execute(query.text, list(query.params))
        started, done, completions = cursor.fetchone()
    return Preview(started * step, done * step, int(completions) * step, step == 1)


def _times(task: Task, facts: Sql) -> Sql:
    """(member_id, times): how often each member with facts would have done it."""
    zone = bind(str(clock.shop_zone()))
    day = compose("(f.at AT TIME ZONE {})::date", zone)
    needed = bind(task.needed)
    if task.measure == TaskMeasure.STREAK:
        return compose(
            "SELECT member_id, sum(length / {}) AS times FROM (SELECT member_id, count(*) AS length FROM ("
            "SELECT member_id, day - (row_number() OVER (PARTITION BY member_id ORDER BY day))::int AS island,"
            " {} AS cycle FROM (SELECT DISTINCT f.member_id, {} AS day FROM ({}) f) d) i"
            " GROUP BY member_id, island, cycle) r GROUP BY member_id",
            needed, _cycle(task.window, Sql("d.day")), day, facts,
        )  # fmt: skip
    if task.window == TaskWindow.ROLLING:
        return _rolling(task, facts, day)
    value = {
        TaskMeasure.SUM: Sql("GREATEST(sum(f.amount), 0)"),
        TaskMeasure.DAYS: compose("count(DISTINCT {})", day),
    }.get(TaskMeasure(task.measure), Sql("count(*)"))
    if task.window == TaskWindow.WHOLE:
        return compose("SELECT f.member_id, {} / {} AS times FROM ({}) f GROUP BY 1", value, needed, facts)
    return compose(
        "SELECT member_id, count(*) FILTER (WHERE value >= {}) AS times FROM ("
        "SELECT f.member_id, {} AS cycle, {} AS value FROM ({}) f GROUP BY 1, 2) c GROUP BY 1",
        needed, _cycle(task.window, day), value, facts,
    )  # fmt: skip


def _cycle(window: str, day: Sql) -> Sql:
    if window in (TaskWindow.WEEK, TaskWindow.MONTH):
        return compose(f"date_trunc('{window}', {{}}::timestamp)", day)
    return day if window == TaskWindow.DAY else Sql("0")


def _rolling(task: Task, facts: Sql, day: Sql) -> Sql:
    """Whether any window held enough: once at most, however often it would have been done again."""
    over = compose(
        "(PARTITION BY f.member_id ORDER BY f.at RANGE BETWEEN {}::interval PRECEDING AND CURRENT ROW)",
        bind(timedelta(days=task.window_days) - timedelta(microseconds=1)),
    )
    if task.measure == TaskMeasure.DAYS:
        # Days are counted by the first fact of each.
        facts = compose(
            "SELECT DISTINCT ON (f.member_id, {}) f.member_id, f.key, f.at, f.amount FROM ({}) f"
            " ORDER BY f.member_id, {}, f.at",
            day, facts, day,
        )  # fmt: skip
    value = Sql("sum(f.amount)") if task.measure == TaskMeasure.SUM else Sql("count(*)")
    return compose(
        "SELECT member_id, bool_or(value >= {})::int AS times FROM ("
        "SELECT f.member_id, {} OVER {} AS value FROM ({}) f) w GROUP BY 1",
        bind(task.needed), value, over, facts,
    )  # fmt: skip
