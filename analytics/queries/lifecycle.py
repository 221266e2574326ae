"""Lifecycle and AIPL as they stand: limits, distribution, last changes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import connection

from analytics.enums import AiplStage, RunState, Stage
from analytics.models import LifecycleModel, LifecycleRun, LifecycleVersion
from analytics.rules.lifecycle import Limits
from members.queries import event_types, scopes
from scrm.common.access import Actor, DataScope


def limits_of(model: LifecycleModel) -> Limits:
    values = {field.name: getattr(model, field.name) for field in fields(Limits)}
    return Limits(**{**values, "activity_types": tuple(model.activity_types)})


def current_limits() -> tuple[int, Limits]:
    """(version, limits)."""
    model = LifecycleModel.objects.order_by("id").first() or LifecycleModel()
    return model.version, limits_of(model)


def versions() -> list[LifecycleVersion]:
    """Every version of the limits, newest first."""
    return list(LifecycleVersion.objects.order_by("-version"))


def activity_choices() -> list[tuple[str, str]]:
    """Event types that can show interest, by name."""
    return event_types.deeds()


def open_run() -> LifecycleRun | None:
    return LifecycleRun.objects.filter(state=RunState.PUBLISHING).select_related("job").order_by("-id").first()


def last_run() -> LifecycleRun | None:
    """The run whose stages stand."""
    return LifecycleRun.objects.filter(state=RunState.PUBLISHED).order_by("-id").first()


def runs(limit: int = 10) -> list[LifecycleRun]:
    return list(LifecycleRun.objects.select_related("job").order_by("-id")[:limit])


@dataclass(frozen=True, slots=True)
class Distribution:
    """Members per stage and per AIPL stage, of those whom the actor sees.

    `net` (net amounts of all time in minor units) and `days` (median days in the stage so far) are known for everybody
    only, and keyed like the counts.
    """

    stages: dict[str, int]
    aipl: dict[str, int]
    members: int
    as_of: Any = None
    published_at: datetime | None = None
    net: dict[str, dict[str, int]] | None = None
    days: dict[str, dict[str, float]] | None = None
    currency: str = "CNY"

    def share(self, count: int) -> float:
        return round(100 * count / self.members, 1) if self.members else 0.0


def distribution(*, actor: Actor) -> Distribution:
    """Zero everywhere before the first run. Of the last run for those who see everybody; else counted live."""
    run = last_run()
    if run is None:
        return Distribution(dict.fromkeys(Stage.values, 0), dict.fromkeys(AiplStage.values, 0), 0)
    if actor.scope == DataScope.ALL:
        found_stages, found_aipl = run.distribution["stages"], run.distribution["aipl"]
    else:
        found_stages, found_aipl = _count(actor)
    stages = {stage: found_stages.get(stage, 0) for stage in Stage.values}
    aipl = {stage: found_aipl.get(stage, 0) for stage in AiplStage.values}
    everybody = run.distribution if actor.scope == DataScope.ALL else {}
    return Distribution(
        stages,
        aipl,
        sum(stages.values()),
        run.as_of,
        run.published_at,
        net=everybody.get("net"),
        days=everybody.get("days"),
        currency=run.distribution.get("currency", "CNY"),
    )


def _count(actor: Actor) -> tuple[dict[str, int], dict[str, int]]:
    visible, params = scopes.member_sql(actor)
    stages: dict[str, int] = {}
    aipl: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.stage, s.aipl, count(*)
            FROM members_member m JOIN analytics_memberstage s ON s.member_id = m.id
            WHERE m.status = 'active' AND {visible} GROUP BY s.stage, s.aipl
            """,  # the condition comes from members.queries.scopes
            params,
        )
        for stage, level, count in cursor.fetchall():
            stages[stage] = stages.get(stage, 0) + count
            aipl[level] = aipl.get(level, 0) + count
    return stages, aipl


@dataclass(frozen=True, slots=True)
class Move:
    kind: str
    before: str
    after: str
    members: int

    @property
    def before_label(self) -> str:
        return _label(self.kind, self.before)

    @property
    def after_label(self) -> str:
        return _label(self.kind, self.after)


def _label(kind: str, value: str) -> str:
    if not value:
        return ""
    return str(Stage(value).label if kind == "lifecycle" else AiplStage(value).label)


def last_moves(*, actor: Actor, limit: int = 20) -> tuple[LifecycleRun | None, list[Move]]:
    """Who moved from where to where in the last run that moved anybody, most members first."""
    visible, params = scopes.member_sql(actor)
    run = LifecycleRun.objects.filter(state=RunState.PUBLISHED, changed__gt=0).order_by("-id").first()
    if run is None:
        return None, []
    join = "" if actor.scope == DataScope.ALL else f"JOIN members_member m ON m.id = c.member_id AND {visible}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.kind, c.before, c.after, count(*) FROM analytics_stagechange c {join}
            WHERE c.run_id = %s GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT {int(limit)}
            """,  # the condition comes from members.queries.scopes
            [*(params if join else []), run.pk],
        )
        return run, [Move(*row) for row in cursor.fetchall()]
