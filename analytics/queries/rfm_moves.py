"""Who moved between classes or layers from any published run to any later one, over the members an actor sees.

Each run logs who changed. What a member was at a run is where their first change after it came from; without one, it
is what they are now. "" means without orders in the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import RfmModel, RfmRun
from analytics.queries import rfm
from analytics.queries.rfm import Name
from analytics.rules import moves as rules
from members.queries import scopes
from scrm.common.access import Actor, DataScope
from scrm.common.errors import Invalid, NotFound

# What moves: the columns of changes and of scores.
COLUMNS = {"layer": ("layer_before", "layer"), "class": ("class_before", "rfm_class")}


@dataclass(frozen=True, slots=True)
class Migration:
    """The moves from one run to a later one."""

    earlier: RfmRun
    later: RfmRun
    kind: str
    names: dict[str, Name]
    matrix: rules.Matrix


def published(model: RfmModel, limit: int = 400) -> list[RfmRun]:
    """The runs that a migration can start or end at, newest first."""
    found = RfmRun.objects.filter(model=model, state=RunState.PUBLISHED).order_by("-id")
    return list(found.defer("distribution", "ranges_done")[:limit])


def between(
    *, actor: Actor, model: RfmModel, earlier_id: int | None = None, later_id: int | None = None, kind: str = "layer"
) -> Migration | None:
    """The moves between two published runs; by default the last two. None while there are no two.

    Raises `NotFound` (`no_such_run`) and `Invalid` (`runs_out_of_order`).
    """
    later, earlier = _run(model, later_id), _run(model, earlier_id)
    if later is None:
        later = RfmRun.objects.filter(model=model, state=RunState.PUBLISHED).order_by("-id").first()
    if earlier is None and later is not None:
        earlier = RfmRun.objects.filter(model=model, state=RunState.PUBLISHED, pk__lt=later.pk).order_by("-id").first()
    if later is None or earlier is None:
        return None
    if earlier.pk >= later.pk:
        raise Invalid(_("The first run has to be earlier than the second."), code="runs_out_of_order", field="earlier")
    sql, params = states_sql(model_id=model.pk, earlier_id=earlier.pk, later_id=later.pk, kind=kind)
    visible, scope_params = scopes.member_sql(actor)
    inside = "" if actor.scope == DataScope.ALL else f"JOIN members_member m ON m.id = t.member_id AND {visible}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.before, t.after, t.now, count(*) FROM ({sql}) t {inside} GROUP BY 1, 2, 3",
            [*params, *(scope_params if inside else [])],
        )
        touched = cursor.fetchall()
    names = _names(earlier, later, kind)
    return Migration(earlier, later, kind, names, rules.matrix(touched, _current(actor, model, kind), list(names)))


def states_sql(*, model_id: int, earlier_id: int, later_id: int, kind: str) -> tuple[str, list[Any]]:
    """SQL of (member_id, before, after, now) for each member who changed since the earlier run."""
    before, now = COLUMNS[kind]
    return (
        f"""
        SELECT c.member_id, c.before, coalesce(c.after, s.{now}, '') AS after, coalesce(s.{now}, '') AS now
        FROM (
            SELECT h.member_id, (array_agg(h.{before} ORDER BY h.run_id))[1] AS before,
                   (array_agg(h.{before} ORDER BY h.run_id) FILTER (WHERE h.run_id > %s))[1] AS after
            FROM analytics_rfmchange h
            WHERE h.run_id = ANY(ARRAY(SELECT id FROM analytics_rfmrun WHERE model_id = %s AND id > %s))
            GROUP BY h.member_id
        ) c LEFT JOIN analytics_rfmscore s ON s.model_id = %s AND s.member_id = c.member_id
        """,  # columns are constants
        [later_id, model_id, earlier_id, model_id],
    )


def movers_sql(
    *, model_id: int, earlier_id: int, later_id: int, kind: str, before: str, after: str
) -> tuple[str, list[Any]]:
    """SQL of the ids of the members who were `before` at one run and `after` at the other."""
    sql, params = states_sql(model_id=model_id, earlier_id=earlier_id, later_id=later_id, kind=kind)
    movers = f"SELECT t.member_id FROM ({sql}) t WHERE t.before = %s AND t.after = %s"
    if before != after:
        return movers, [*params, before, after]
    now = COLUMNS[kind][1]
    return (
        f"""
        {movers} UNION ALL
        SELECT s.member_id FROM analytics_rfmscore s WHERE s.model_id = %s AND s.{now} = %s AND NOT EXISTS (
            SELECT FROM analytics_rfmchange h WHERE h.member_id = s.member_id
            AND h.run_id = ANY(ARRAY(SELECT id FROM analytics_rfmrun WHERE model_id = %s AND id > %s)))
        """,  # columns are constants
        [*params, before, after, model_id, before, model_id, earlier_id],
    )


def _run(model: RfmModel, run_id: int | None) -> RfmRun | None:
    if run_id is None:
        return None
    found = RfmRun.objects.filter(model=model, state=RunState.PUBLISHED, pk=run_id).first()
    if found is None:
        raise NotFound(_("There is no such run."), code="no_such_run")
    return found


def _names(earlier: RfmRun, later: RfmRun, kind: str) -> dict[str, Name]:
    """The later run's names first, then those that only the earlier run knew."""
    found: dict[str, Name] = {}
    for run in (later, earlier):
        definition = rfm.definition_of(run)
        names = rfm.class_names(definition) if kind == "class" else rfm.layer_names(definition)[:-1]
        for name in names:
            found.setdefault(name.key, name)
    found[rules.NOWHERE] = Name(rules.NOWHERE, _("Without orders"), "grey")
    return found


def _current(actor: Actor, model: RfmModel, kind: str) -> dict[str, int]:
    """Members per class or layer now."""
    if actor.scope == DataScope.ALL:
        run = rfm.published_run(model)
        found = run.distribution if run else {}
    else:
        found = rfm.counted(actor, model)
    part = found.get("classes" if kind == "class" else "layers", {})
    return {key: members for key, (members, _net) in part.items()}
