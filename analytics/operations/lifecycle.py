"""Lifecycle and AIPL stages of everyone: set-based over member id ranges, writing only what differs.

The SQL says the same as analytics/rules/lifecycle.py. Each range is one transaction with its stage changes and its
timeline events, so a run that is repeated after a crash repeats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import LifecycleModel, LifecycleRun, LifecycleVersion
from analytics.operations import alerts, following
from analytics.queries.lifecycle import limits_of
from analytics.queries.lifecycle_stages import STAGES_SQL, values
from analytics.queries.rfm_scope import shop_currency
from analytics.queries.summary import sources
from analytics.rules.lifecycle import Limits
from members.operations import timeline
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic, current_actor

RANGE = 100_000
SOURCE = "analytics"
EVENTS = {"lifecycle": "lifecycle.changed", "aipl": "aipl.changed"}
MOST_TYPES = 50

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
    limits = checked(limits)
    with atomic():
        _model()
        model = LifecycleModel.objects.select_for_update().order_by("id")[0]
        if model.version != version:
            raise Conflict(
                _("Somebody else has changed the limits meanwhile. Load the page again and repeat your change."),
                code="stale_version",
            )
        for name, value in limits.numbers().items():
            setattr(model, name, value)
        model.activity_types = list(limits.activity_types)
        model.version += 1
        model.save()
        _keep(model)
    return model


def checked(limits: Limits) -> Limits:
    """The same, with the event types in order. Raises `Invalid` as `redefine` does."""
    for name, value in limits.numbers().items():
        if not 1 <= value <= 3650:
            raise Invalid(_("A number from 1 to 3,650 is needed."), code="out_of_range", field=name)
    if not limits.new_days <= limits.sleeping_days < limits.lost_days:
        raise Invalid(
            _("A member is new for no longer than awake, and sleeps before being lost."),
            code="limits_out_of_order",
            field="sleeping_days",
        )
    types = tuple(sorted(set(limits.activity_types)))
    if len(types) > MOST_TYPES or not all(0 < len(key) <= 60 and "\x00" not in key for key in types):
        raise Invalid(
            _("At most %(most)s can be named.") % {"most": MOST_TYPES}, code="too_many", field="activity_types"
        )
    return replace(limits, activity_types=types)


def restore(*, version: int, from_version: int) -> LifecycleModel:
    """Make what `from_version` was the next version. Raises as `redefine` does, and `NotFound` (`no_such_version`)."""
    found = LifecycleVersion.objects.filter(version=from_version).first()
    if found is None:
        raise NotFound(_("There is no such version."), code="no_such_version")
    content = {**found.content, "activity_types": tuple(found.content.get("activity_types", ()))}
    return redefine(version=version, limits=Limits(**content))


def _keep(model: LifecycleModel) -> None:
    LifecycleVersion.objects.update_or_create(
        version=model.version, defaults={"content": asdict(limits_of(model)), "actor": current_actor().ref}
    )


def fail(*, run_id: int) -> None:
    """Close an open run; stages written so far stay, they are right."""
    LifecycleRun.objects.filter(pk=run_id).exclude(state=RunState.PUBLISHED).update(state=RunState.FAILED)


def _model() -> LifecycleModel:
    found = LifecycleModel.objects.order_by("id").first()
    if found is None:
        found = LifecycleModel.objects.create()
        _keep(found)
    return found


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
    total = 1
    if current.state == RunState.PUBLISHING:
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
        _publish(current, changed)
    following.follow_lifecycle(run_id=run_id, now=clock.now(), tick=lambda: report(total, total))


def _publish(run_: LifecycleRun, changed: int) -> None:
    with atomic(), connection.cursor() as cursor:
        # Merged and erased members have no stage.
        cursor.execute(
            "DELETE FROM analytics_memberstage s USING members_member m"
            " WHERE m.id = s.member_id AND m.status <> 'active'"
        )
        run_.distribution = _distribution(cursor, run_.as_of)
        run_.changed, run_.state, run_.published_at = changed, RunState.PUBLISHED, clock.now()
        if LifecycleRun.objects.filter(pk=run_.pk, state=RunState.PUBLISHING).update(
            distribution=run_.distribution, changed=changed, state=run_.state, published_at=run_.published_at
        ):
            alerts.judge_lifecycle(run_, now=run_.published_at)


def _distribution(cursor: CursorWrapper, as_of: date) -> dict[str, Any]:
    """Members, net amounts and median days per stage and per AIPL stage, of everybody."""
    currency = shop_currency()
    ids = [row.id for row in sources() if row.currency == currency]
    # What summaries hold is in the shop's currency when there is no other.
    if len(ids) == len(sources()):
        amounts = "SELECT member_id, net_amount AS net FROM members_membersummary WHERE net_amount <> 0"
    else:
        amounts = (
            "SELECT member_id, sum(net_amount)::bigint AS net FROM members_order"
            " WHERE counts AND source_id = ANY(%(sources)s) GROUP BY member_id"
        )
    found: dict[str, Any] = {"net": {}, "days": {}, "currency": currency}
    for part, column, since in (("stages", "stage", "stage_since"), ("aipl", "aipl", "aipl_since")):
        cursor.execute(
            f"""
            SELECT s.{column}, count(*), coalesce(sum(a.net), 0)::bigint,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY %(as_of)s - s.{since})
            FROM analytics_memberstage s LEFT JOIN ({amounts}) a ON a.member_id = s.member_id
            GROUP BY s.{column}
            """,  # fixed columns
            {"sources": ids, "as_of": as_of},
        )
        rows = cursor.fetchall()
        found[part] = {key: members for key, members, _net, _days in rows}
        found["net"][part] = {key: net for key, _members, net, _days in rows}
        found["days"][part] = {key: round(days, 1) for key, _members, _net, days in rows}
    return {**found, "members": sum(found["stages"].values())}


def _update_range(run_: LifecycleRun, limits: Limits, *, low: int, high: int, log: bool) -> int:
    """Write the stages that differ in one range, their changes and their timeline events."""
    parameters = values(limits, as_of=run_.as_of, low=low, high=high)
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
            parameters,
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
    for wanted, event in EVENTS.items():
        timeline.append(
            source=SOURCE,
            type=event,
            rows=[
                (member_id, f"{kind}:{run_.pk}", at, {"kind": kind, "before": before, "after": after})
                for member_id, kind, before, after in moves
                if kind == wanted
            ],
            now=now,
        )
