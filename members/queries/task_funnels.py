"""How far members are with each task: from its rows while they are few, else as they were last counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.models import Task, TaskFunnel
from scrm.common import clock
from scrm.common.errors import Conflict

# Cycles begun of a task: up to so many are counted when they are asked for.
FEW = 10_000
# (begun, done, rewarded, completions, rewarded completions)
Counts = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many members have begun a task, done it, and had its reward; how often it was rewarded; what that cost.

    `cost` is in minor units: of points, by what their currencies say. As of `counted_at`; `live`: that is now.
    """

    started: int
    done: int
    rewarded: int
    completions: int
    rewarded_completions: int
    cost: int
    counted_at: datetime
    live: bool


def many(task_ids: Sequence[int]) -> set[int]:
    """The tasks of which more is begun than is counted when it is asked for: each looked at no further than that."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id FROM unnest(%s::bigint[]) AS v (id)
            WHERE EXISTS (SELECT FROM members_taskprogress p WHERE p.task_id = v.id OFFSET %s)
            """,
            [list(task_ids), FEW],
        )
        return {row[0] for row in cursor.fetchall()}


def counts(task_ids: Sequence[int]) -> dict[int, Counts]:
    """The members of each task, counted by its indexes alone; one statement, so that the numbers fit each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, (SELECT count(DISTINCT p.member_id) FROM members_taskprogress p WHERE p.task_id = v.id),
                   c.done, c.rewarded, c.completions, c.rewarded_completions
            FROM unnest(%s::bigint[]) AS v (id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS done, count(*) FILTER (WHERE given > 0) AS rewarded,
                       COALESCE(sum(times), 0) AS completions, COALESCE(sum(given), 0) AS rewarded_completions
                FROM (
                    SELECT count(*) AS times, count(rewarded_at) AS given FROM members_taskcompletion
                    WHERE task_id = v.id AND undone_at IS NULL GROUP BY member_id
                ) each
            ) c
            """,
            [list(task_ids)],
        )
        return {row[0]: (row[1], row[2], row[3], int(row[4]), int(row[5])) for row in cursor.fetchall()}


def funnels(task_ids: Sequence[int]) -> dict[int, Funnel]:
    """The funnel of each task; those that many have begun and that were never counted are missing."""
    large, now = many(task_ids), clock.now()
    kept = {row.task_id: row for row in TaskFunnel.objects.filter(task__in=large)}
    found = {pk: (_counts_of(row), row.counted_at, False) for pk, row in kept.items()}
    for pk, live in counts([pk for pk in task_ids if pk not in large]).items():
        found[pk] = (live, now, True)
    prices = _prices()
    return {
        task.pk: Funnel(*found[task.pk][0], _cost(task, found[task.pk][0][4], prices), *found[task.pk][1:])
        for task in Task.objects.filter(pk__in=found)
    }


def of(task_id: int) -> Funnel:
    """The funnel of one task. Raises `Conflict` (`not_counted`)."""
    found = funnels([task_id]).get(task_id)
    if found is None:
        raise Conflict(
            _("So many have begun this task that it is counted every hour; it was not counted yet."),
            code="not_counted",
        )
    return found


def _counts_of(row: TaskFunnel) -> Counts:
    return row.started, row.done, row.rewarded, row.completions, row.rewarded_completions


def _prices() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, cost_per_1000 FROM members_pointscurrency")
        return {"points": 1_000, **dict(cursor.fetchall())}


def _cost(task: Task, given: int, prices: Mapping[str, int]) -> int:
    each: int = sum(one["amount"] * prices.get(one["currency"], 0) for one in task.rewards if one["kind"] == "points")
    return (given * each + 500) // 1_000
