"""Who moved between stages from any published run to any later one, and what other limits would change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from analytics.enums import AiplStage, RunState, Stage
from analytics.models import LifecycleRun
from analytics.queries import lifecycle
from analytics.queries.lifecycle_stages import STAGES_SQL, values
from analytics.rules import moves as rules
from analytics.rules.lifecycle import Limits
from members.queries import scopes
from scrm.common.access import Actor, DataScope
from scrm.common.errors import Invalid, NotFound

# kind → (column of the stage now, the stages in order)
KINDS: dict[str, tuple[str, list[str]]] = {
    "lifecycle": ("stage", list(Stage.values)),
    "aipl": ("aipl", list(AiplStage.values)),
}
# A preview looks at about so many members: a larger shop gets an estimate, in the same time.
SAMPLE = 100_000


@dataclass(frozen=True, slots=True)
class Transition:
    """The moves from one run to a later one; "" is who was not a member yet."""

    earlier: LifecycleRun
    later: LifecycleRun
    kind: str
    matrix: rules.Matrix


@dataclass(frozen=True, slots=True)
class Preview:
    """From the stages published to those that other limits would give: both matrices, and whether counts are exact."""

    stages: rules.Matrix
    aipl: rules.Matrix
    exact: bool
    milliseconds: int


def published(limit: int = 400) -> list[LifecycleRun]:
    """The runs that a transition can start or end at, newest first."""
    return list(LifecycleRun.objects.filter(state=RunState.PUBLISHED).defer("distribution").order_by("-id")[:limit])


def between(
    *, actor: Actor, earlier_id: int | None = None, later_id: int | None = None, kind: str = "lifecycle"
) -> Transition | None:
    """The moves between two published runs; by default the last two. None while there are no two.

    Raises `NotFound` (`no_such_run`) and `Invalid` (`runs_out_of_order`).
    """
    later, earlier = _run(later_id), _run(earlier_id)
    if later is None:
        later = lifecycle.last_run()
    if earlier is None and later is not None:
        earlier = LifecycleRun.objects.filter(state=RunState.PUBLISHED, pk__lt=later.pk).order_by("-id").first()
    if later is None or earlier is None:
        return None
    if earlier.pk >= later.pk:
        raise Invalid(_("The first run has to be earlier than the second."), code="runs_out_of_order", field="earlier")
    column, order = KINDS[kind]
    sql, params = states_sql(earlier_id=earlier.pk, later_id=later.pk, kind=kind)
    visible, scope_params = scopes.member_sql(actor)
    everybody = actor.scope == DataScope.ALL
    inside = "" if everybody else f"JOIN members_member m ON m.id = t.member_id AND {visible}"
    of_stage = "" if everybody else f"JOIN members_member m ON m.id = s.member_id AND {visible}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.before, t.after, t.now, count(*) FROM ({sql}) t {inside} GROUP BY 1, 2, 3",
            [*params, *([] if everybody else scope_params)],
        )
        touched = cursor.fetchall()
        cursor.execute(
            f"SELECT s.{column}, count(*) FROM analytics_memberstage s {of_stage} GROUP BY 1",
            [] if everybody else scope_params,
        )
        current = dict(cursor.fetchall())
    return Transition(earlier, later, kind, rules.matrix(touched, current, order))


def states_sql(*, earlier_id: int, later_id: int, kind: str) -> tuple[str, list[Any]]:
    """SQL of (member_id, before, after, now) for each member who changed since the earlier run."""
    column = KINDS[kind][0]
    return (
        f"""
        SELECT c.member_id, c.before, coalesce(c.after, s.{column}) AS after, s.{column} AS now
        FROM (
            SELECT h.member_id, (array_agg(h.before ORDER BY h.run_id))[1] AS before,
                   (array_agg(h.before ORDER BY h.run_id) FILTER (WHERE h.run_id > %s))[1] AS after
            FROM analytics_stagechange h WHERE h.kind = %s AND h.run_id > %s GROUP BY h.member_id
        ) c JOIN analytics_memberstage s ON s.member_id = c.member_id
        """,  # a constant
        [later_id, kind, earlier_id],
    )


def movers_sql(*, earlier_id: int, later_id: int, kind: str, before: str, after: str) -> tuple[str, list[Any]]:
    """SQL of the ids of the members who were in `before` at one run and in `after` at the other."""
    sql, params = states_sql(earlier_id=earlier_id, later_id=later_id, kind=kind)
    movers = f"SELECT t.member_id FROM ({sql}) t WHERE t.before = %s AND t.after = %s"
    if before != after:
        return movers, [*params, before, after]
    return (
        f"""
        {movers} UNION ALL
        SELECT s.member_id FROM analytics_memberstage s WHERE s.{KINDS[kind][0]} = %s AND NOT EXISTS (
            SELECT FROM analytics_stagechange h
            WHERE h.member_id = s.member_id AND h.kind = %s AND h.run_id > %s)
        """,  # a constant
        [*params, before, after, before, kind, earlier_id],
    )


def preview(*, limits: Limits, as_of: date) -> Preview:
    """What these limits would make of everybody as of that day, beside the stages published. Writes nothing."""
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        highest = int(cursor.fetchone()[0])
        factor = max(1, highest // SAMPLE)
        cursor.execute(
            f"""
            SELECT coalesce(s.stage, ''), d.stage, coalesce(s.aipl, ''), d.aipl, count(*)
            FROM ({STAGES_SQL}) d LEFT JOIN analytics_memberstage s ON s.member_id = d.member_id
            GROUP BY 1, 2, 3, 4
            """,  # a constant
            values(limits, as_of=as_of, low=0, high=highest, factor=factor),
        )
        rows = cursor.fetchall()
    stages = [(before, after, after, members * factor) for before, after, _b, _a, members in rows]
    aipl = [(before, after, after, members * factor) for _b, _a, before, after, members in rows]
    return Preview(
        stages=rules.matrix(stages, _totals(stages), KINDS["lifecycle"][1]),
        aipl=rules.matrix(aipl, _totals(aipl), KINDS["aipl"][1]),
        exact=factor == 1,
        milliseconds=round((time.perf_counter() - started) * 1000),
    )


def _totals(rows: list[tuple[str, str, str, int]]) -> dict[str, int]:
    """Members per state now, when everybody is among the rows."""
    found: dict[str, int] = {}
    for _before, _after, now, members in rows:
        found[now] = found.get(now, 0) + members
    return found


def _run(run_id: int | None) -> LifecycleRun | None:
    if run_id is None:
        return None
    found = LifecycleRun.objects.filter(state=RunState.PUBLISHED, pk=run_id).first()
    if found is None:
        raise NotFound(_("There is no such run."), code="no_such_run")
    return found
