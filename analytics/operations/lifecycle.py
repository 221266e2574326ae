"""Lifecycle and AIPL stages of everyone: set-based over member id ranges, writing only what differs.

The SQL says the same as analytics/rules/lifecycle.py. Each range is one transaction with its stage changes and its
timeline events, so a run that is repeated after a crash repeats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import LifecycleModel, LifecycleRun
from analytics.queries.lifecycle import limits_of
from analytics.rules.lifecycle import Limits
from members.operations import timeline
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic

RANGE = 100_000
SOURCE = "analytics"
EVENT = "lifecycle.changed"

Report = Callable[[int, int], None]


def start(*, as_of: date, actor: Actor, now: datetime) -> LifecycleRun:
    """Queue a run. Raises `Conflict` (`run_in_progress`) and `Invalid` (`as_of_in_future`)."""
    with atomic():
        run_ = _open(as_of=as_of, now=now)
        run_.job = jobs.create(
            kind="lifecycle", label=f"{_('Lifecycle')} · {as_of.isoformat()}", params={"run_id": run_.pk}, actor=actor
        )
        run_.save()
    return run_


def run(*, as_of: date, actor: Actor, now: datetime | None = None) -> LifecycleRun:
    """Run here and now, and answer the finished run. Raises as `start` does."""
    with atomic():
        run_ = _open(as_of=as_of, now=now or clock.now())
        run_.job = Job.objects.create(
            kind="lifecycle",
            label=f"{_('Lifecycle')} · {as_of.isoformat()}",
            params={"run_id": run_.pk},
            state=JobState.RUNNING,
            started_at=clock.now(),
            heartbeat_at=clock.now(),
            created_by_id=actor.id if actor.kind == "user" else None,
        )
        run_.save()
    job = run_.job
    progress = jobs.Progress(job)
    try:
        carry_on(run_id=run_.pk, report=lambda done, total: progress.report(done=done, total=total))
    except BaseException as error:
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FAILED, error_code="internal_error", error=str(error)[:500], finished_at=clock.now()
        )
        raise
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, finished_at=clock.now(), result_url="/lifecycle/")
    run_.refresh_from_db()
    return run_


def start_nightly(*, now: datetime, actor: Actor) -> int | None:
    """Queue the run of this shop day, unless it has one."""
    as_of = clock.shop_date(now)
    version = _model().version
    if LifecycleRun.objects.filter(as_of=as_of, model_version=version).exclude(state=RunState.FAILED).exists():
        return None
    try:
        return start(as_of=as_of, actor=actor, now=now).pk
    except Conflict:
        return None


def redefine(*, version: int, limits: Limits) -> LifecycleModel:
    """Change the limits; stages follow at the next run.

    Raises `Invalid` (`out_of_range`, `limits_out_of_order`; `field` names the place) and `Conflict` (`stale_version`).
    """
    for name, value in asdict(limits).items():
        if not 1 <= value <= 3650:
            raise Invalid(_("A number from 1 to 3,650 is needed."), code="out_of_range", field=name)
    if not limits.new_days <= limits.sleeping_days < limits.lost_days:
        raise Invalid(
            _("A member is new for no longer than awake, and sleeps before being lost."),
            code="limits_out_of_order",
            field="sleeping_days",
        )
    with atomic():
        _model()
        model = LifecycleModel.objects.select_for_update().order_by("id")[0]
        if model.version != version:
            raise Conflict(
                _("Somebody else has changed the limits meanwhile. Load the page again and repeat your change."),
                code="stale_version",
            )
        for name, value in asdict(limits).items():
            setattr(model, name, value)
        model.version += 1
        model.save()
    return model


def fail(*, run_id: int) -> None:
    """Close an open run; stages written so far stay, they are right."""
    LifecycleRun.objects.filter(pk=run_id).exclude(state=RunState.PUBLISHED).update(state=RunState.FAILED)


def _model() -> LifecycleModel:
    found = LifecycleModel.objects.order_by("id").first()
    return found or LifecycleModel.objects.create()


def _open(*, as_of: date, now: datetime) -> LifecycleRun:
    if as_of > clock.shop_date(now):
        raise Invalid(_("The day lies in the future."), code="as_of_in_future", field="as_of")
    _model()
    model = LifecycleModel.objects.select_for_update().order_by("id")[0]
    for former in LifecycleRun.objects.filter(state=RunState.PUBLISHING).select_related("job"):
        if former.job is not None and former.job.state in (JobState.QUEUED, JobState.RUNNING):
            raise Conflict(_("Stages are being computed already. Wait until it has finished."), code="run_in_progress")
        fail(run_id=former.pk)
    return LifecycleRun.objects.create(model_version=model.version, as_of=as_of, started_at=now)


def carry_on(*, run_id: int, report: Report = lambda done, total: None) -> None:
    """Bring an open run to its end. Safe to repeat: what is right already is not written again.

    When anything is raised, also by `report`, the run is closed; a later one goes on from the stages written so far.
    """
    try:
        _carry_on(run_id, report)
    except BaseException:
        fail(run_id=run_id)
        raise


def _carry_on(run_id: int, report: Report) -> None:
    current = LifecycleRun.objects.get(pk=run_id)
    if current.state != RunState.PUBLISHING:
        return
    first = not LifecycleRun.objects.filter(state=RunState.PUBLISHED).exists()
    limits = limits_of(_model())
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        highest = cursor.fetchone()[0]
    total = max(1, -(-highest // RANGE))
    changed = 0
    for number in range(total):
        changed += _update_range(current, limits, low=number * RANGE, high=(number + 1) * RANGE, log=not first)
        report(number + 1, total)
    with atomic(), connection.cursor() as cursor:
        # Merged and erased members have no stage.
        cursor.execute(
            "DELETE FROM analytics_memberstage s USING members_member m"
            " WHERE m.id = s.member_id AND m.status <> 'active'"
        )
        cursor.execute("SELECT stage, aipl, count(*) FROM analytics_memberstage GROUP BY stage, aipl")
        stages: dict[str, int] = {}
        aipl: dict[str, int] = {}
        for stage, level, count in cursor.fetchall():
            stages[stage] = stages.get(stage, 0) + count
            aipl[level] = aipl.get(level, 0) + count
        LifecycleRun.objects.filter(pk=run_id, state=RunState.PUBLISHING).update(
            state=RunState.PUBLISHED,
            published_at=clock.now(),
            changed=changed,
            distribution={"stages": stages, "aipl": aipl, "members": sum(stages.values())},
        )


# Stages of the members in (low, high], as analytics/rules/lifecycle.py decides. A comeback needs an order in the last
# `returned_days` and a first one `lost_days` before it: only for those few the orders themselves are looked at.
STAGES_SQL = """
    SELECT d.member_id, d.stage, d.aipl,
        CASE d.stage
            WHEN 'prospect' THEN d.joined_on
            WHEN 'new' THEN d.first_on
            WHEN 'active' THEN d.first_on + %(new_days)s
            WHEN 'sleeping' THEN d.last_on + %(sleeping_days)s
            WHEN 'lost' THEN d.last_on + %(lost_days)s
            ELSE d.comeback_on
        END AS entered_on,
        CASE d.aipl WHEN 'awareness' THEN d.joined_on WHEN 'interest' THEN d.last_event_on
                    WHEN 'purchase' THEN d.first_on ELSE d.last_on END AS aipl_entered_on
    FROM (
        SELECT b.*,
            CASE
                WHEN b.first_on IS NULL OR b.last_on IS NULL THEN 'prospect'
                WHEN %(as_of)s - b.last_on >= %(lost_days)s THEN 'lost'
                WHEN %(as_of)s - b.last_on >= %(sleeping_days)s THEN 'sleeping'
                WHEN b.comeback_on IS NOT NULL THEN 'returned'
                WHEN %(as_of)s - b.first_on < %(new_days)s THEN 'new'
                ELSE 'active'
            END AS stage,
            CASE
                WHEN b.order_count >= greatest(%(loyal_orders)s, 1) THEN 'loyalty'
                WHEN b.order_count > 0 THEN 'purchase'
                WHEN %(as_of)s - b.last_event_on < %(interest_days)s THEN 'interest'
                ELSE 'awareness'
            END AS aipl
        FROM (
            SELECT m.id AS member_id,
                (m.joined_at AT TIME ZONE %(zone)s)::date AS joined_on,
                (s.first_order_at AT TIME ZONE %(zone)s)::date AS first_on,
                (s.last_order_at AT TIME ZONE %(zone)s)::date AS last_on,
                (s.last_event_at AT TIME ZONE %(zone)s)::date AS last_event_on,
                coalesce(s.order_count, 0) AS order_count,
                CASE WHEN s.last_order_at >= %(recent_from)s
                      AND s.last_order_at - s.first_order_at > make_interval(days => %(lost_days)s - 2) THEN (
                    SELECT max(g.paid_on) FROM (
                        SELECT (paid_at AT TIME ZONE %(zone)s)::date AS paid_on,
                               (lag(paid_at) OVER (ORDER BY paid_at) AT TIME ZONE %(zone)s)::date AS before_on
                        FROM members_order o WHERE o.member_id = m.id AND o.counts
                    ) g
                    WHERE g.paid_on - g.before_on >= %(lost_days)s AND %(as_of)s - g.paid_on < %(returned_days)s
                ) END AS comeback_on
            FROM members_member m LEFT JOIN members_membersummary s ON s.member_id = m.id
            WHERE m.id > %(low)s AND m.id <= %(high)s AND m.status = 'active'
        ) b
    ) d
"""


def _update_range(run_: LifecycleRun, limits: Limits, *, low: int, high: int, log: bool) -> int:
    """Write the stages that differ in one range, their changes and their timeline events."""
    values: dict[str, Any] = {
        **asdict(limits),
        "as_of": run_.as_of,
        "zone": settings.TIME_ZONE,
        "recent_from": clock.day_start(run_.as_of - timedelta(days=limits.returned_days)),
        "low": low,
        "high": high,
    }
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        # A member whose former stage is known entered the new one on the day of the run that sees it.
        cursor.execute(
            f"""
            WITH n AS MATERIALIZED ({STAGES_SQL})
            INSERT INTO analytics_memberstage AS s (member_id, stage, stage_since, aipl, aipl_since)
            SELECT n.member_id, n.stage, least(n.entered_on, %(as_of)s), n.aipl, least(n.aipl_entered_on, %(as_of)s)
            FROM n LEFT JOIN analytics_memberstage f ON f.member_id = n.member_id
            WHERE f.member_id IS NULL OR f.stage <> n.stage OR f.aipl <> n.aipl
            ON CONFLICT (member_id) DO UPDATE SET
                stage = excluded.stage,
                stage_since = CASE WHEN s.stage = excluded.stage THEN s.stage_since ELSE %(as_of)s END,
                aipl = excluded.aipl,
                aipl_since = CASE WHEN s.aipl = excluded.aipl THEN s.aipl_since ELSE %(as_of)s END
            RETURNING s.member_id, coalesce(old.stage, ''), new.stage, coalesce(old.aipl, ''), new.aipl
            """,  # a constant
            values,
        )
        rows = cursor.fetchall()
        if log and rows:
            _log(run_, rows)
    return len(rows)


def _log(run_: LifecycleRun, rows: list[tuple[int, str, str, str, str]]) -> None:
    """Keep the changes, and put them on the members' timelines."""
    moves = [
        (member_id, kind, before, after)
        for member_id, stage_before, stage_after, aipl_before, aipl_after in rows
        for kind, before, after in (
            ("lifecycle", stage_before, stage_after),
            ("aipl", aipl_before, aipl_after),
        )
        if before != after
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_stagechange (member_id, run_id, kind, before, after)
            SELECT (v ->> 0)::bigint, %s, v ->> 1, v ->> 2, v ->> 3 FROM jsonb_array_elements(%s::jsonb) v
            """,
            [run_.pk, json.dumps(moves)],
        )
    now = clock.now()
    at = min(now, clock.day_end(run_.as_of))
    timeline.append(
        source=SOURCE,
        type=EVENT,
        rows=[
            (member_id, f"{kind}:{run_.pk}", at, {"kind": kind, "before": before, "after": after})
            for member_id, kind, before, after in moves
        ],
        now=now,
    )
