"""Computing RFM: open a run, add up orders range by range, publish.

A run is a row in Postgres and the truth about its progress. Ranges of member ids are added up by whoever gets to
them first, the job's own worker or helpers on the compute queue; a range holds its lock for one transaction, so a
dead helper loses nothing. Publication is one transaction: readers see the former scores until it commits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from analytics.enums import RunState
from analytics.models import RfmModel, RfmRun
from analytics.operations import alerts, following, rfm_publication
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.audit import record
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic

OPEN = (RunState.AGGREGATING, RunState.PUBLISHING)
OPEN_JOBS = (JobState.QUEUED, JobState.RUNNING)
# Member ids per range: some 0.3 s of work, so that a crash repeats little and two workers share evenly.
RANGE = 500_000
# Order lines have no index by member: models of categories read them as seldom as memory allows.
LINES_RANGE = 20 * RANGE
# First key of the advisory locks of ranges; the second is made of run and range.
_LOCKS = 7_046

Report = Callable[[int, int], None]
Hint = Callable[[int], None]


def start(*, model_id: int, as_of: date, actor: Actor, now: datetime) -> RfmRun:
    """Queue a run; it is followed in the task centre.

    Raises `NotFound`, `Invalid` (`as_of_in_future`) and `Conflict` (`run_in_progress`).
    """
    with atomic():
        run_ = _open(model_id=model_id, as_of=as_of, now=now)
        job = jobs.create(
            kind="rfm",
            label=f"RFM · {run_.model.name} · {as_of.isoformat()}",
            params={"run_id": run_.pk},
            actor=actor,
            total=run_.ranges_total + 1,
        )
        RfmRun.objects.filter(pk=run_.pk).update(job=job)
        run_.job = job
    return run_


def run(*, model_id: int, as_of: date, actor: Actor, now: datetime | None = None) -> RfmRun:
    """Run here and now, and answer the published run. Raises as `start` does.

    It stands in the task centre too; when this process dies, a worker carries it on.
    """
    with atomic():
        run_ = _open(model_id=model_id, as_of=as_of, now=now or clock.now())
        job = Job.objects.create(
            kind="rfm",
            label=f"RFM · {run_.model.name} · {as_of.isoformat()}",
            params={"run_id": run_.pk},
            total=run_.ranges_total + 1,
            state=JobState.RUNNING,
            started_at=clock.now(),
            heartbeat_at=clock.now(),
            created_by_id=actor.id if actor.kind == "user" else None,
        )
        RfmRun.objects.filter(pk=run_.pk).update(job=job)
    progress = jobs.Progress(job)
    try:
        carry_on(run_id=run_.pk, report=lambda done, total: progress.report(done=done, total=total))
    except BaseException as error:
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FAILED, error_code="internal_error", error=str(error)[:500], finished_at=clock.now()
        )
        raise
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, finished_at=clock.now(), result_url="/rfm/")
    run_.refresh_from_db()
    return run_


def _open(*, model_id: int, as_of: date, now: datetime) -> RfmRun:
    if as_of > clock.shop_date(now):
        raise Invalid(_("The day lies in the future."), code="as_of_in_future", field="as_of")
    model = RfmModel.objects.select_for_update().filter(pk=model_id).first()
    if model is None:
        raise NotFound(_("There is no such RFM model."), code="no_such_model")
    for former in RfmRun.objects.filter(model=model, state__in=OPEN).select_related("job"):
        if former.job is not None and former.job.state in OPEN_JOBS:
            raise Conflict(
                _("RFM is being computed already. Wait until it has finished."), code="run_in_progress", run=former.pk
            )
        fail(run_id=former.pk, reason="abandoned")
    if model.archived_at is not None:
        raise Conflict(_("This model is archived: bring it back first."), code="model_archived")
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        (highest,) = cursor.fetchone()
    try:
        with transaction.atomic():
            opened = RfmRun.objects.create(
                model=model,
                model_version=model.version,
                as_of=as_of,
                started_at=now,
                ranges_total=max(1, -(-highest // _range_of(model))),
            )
    except IntegrityError as error:  # one open run per model is a constraint
        raise Conflict(
            _("RFM is being computed already. Wait until it has finished."), code="run_in_progress"
        ) from error
    record(action="rfm.run", object_type="analytics_rfmmodel", object_id=model.pk, detail={"as_of": as_of.isoformat()})
    return opened


def _range_of(model: RfmModel) -> int:
    return LINES_RANGE if model.scope.get("categories") else RANGE


def carry_on(*, run_id: int, report: Report = lambda done, total: None, hint: Hint | None = None) -> None:
    """Bring an open run to its publication, from wherever it stands. Safe to call again, and from two workers.

    `report` is called with (steps done, steps in all) outside of any transaction and may raise to stop; `hint` with
    each range that a helper may take. When anything is raised, the run is closed and the former scores stay.
    """
    try:
        _carry_on(run_id, report, hint)
    except BaseException as error:
        fail(run_id=run_id, reason=f"{type(error).__name__}: {error}")
        raise


def _carry_on(run_id: int, report: Report, hint: Hint | None) -> None:
    while True:
        current = RfmRun.objects.get(pk=run_id)
        if current.state not in OPEN:
            steps = current.ranges_total + 1
            following.follow_rfm(run_id=run_id, now=clock.now(), tick=functools.partial(report, steps, steps))
            return
        missing = sorted(set(range(current.ranges_total)) - set(current.ranges_done))
        if not missing and publish(run_id=run_id):
            report(current.ranges_total + 1, current.ranges_total + 1)
            continue
        for number in missing[1:] if hint else ():
            hint(number)  # type: ignore[misc]
        left = []
        for number in missing:
            if aggregate(run_id=run_id, number=number, wait=False):
                done = RfmRun.objects.values_list("ranges_done", flat=True).get(pk=run_id)
                report(len(done), current.ranges_total + 1)
            else:
                left.append(number)
        for number in left:  # somebody else is at these: wait for them, take over what they dropped
            aggregate(run_id=run_id, number=number, wait=True)


def aggregate(*, run_id: int, number: int, wait: bool = False) -> bool:
    """Add up one range of member ids, once. False when somebody else is doing it and `wait` is not asked for."""
    with atomic(), connection.cursor() as cursor:
        key = (run_id * 8_192 + number) % 2**31
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCKS, key])
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCKS, key])
            if not cursor.fetchone()[0]:
                return False
        current = RfmRun.objects.select_related("model").get(pk=run_id)
        if current.state in OPEN and number not in current.ranges_done:
            size = _range_of(current.model)
            rfm_publication.aggregate(cursor, current, low=number * size, high=(number + 1) * size, number=number)
            cursor.execute(
                "UPDATE analytics_rfmrun SET ranges_done = array_append(ranges_done, %s) WHERE id = %s",
                [number, run_id],
            )
    return True


def publish(*, run_id: int) -> bool:
    """Score everybody and publish. False when the scratch rows were lost in a crash and the ranges start over."""
    with atomic(), connection.cursor() as cursor:
        current = RfmRun.objects.select_for_update().get(pk=run_id)
        if current.state not in OPEN:
            return True
        if not rfm_publication.complete(current):
            rfm_publication.discard(run_id)
            RfmRun.objects.filter(pk=run_id).update(ranges_done=[])
            return False
        rfm_publication.publish(cursor, current, now=clock.now())
        alerts.judge_rfm(current, now=clock.now())
    return True


def fail(*, run_id: int, reason: str) -> None:
    """Close an open run without publishing it; the former scores stay."""
    with atomic():
        if RfmRun.objects.filter(pk=run_id, state__in=OPEN).update(state=RunState.FAILED, error=reason[:500]):
            rfm_publication.discard(run_id)


def start_nightly(*, now: datetime, actor: Actor) -> list[int]:
    """Queue the nightly models for the shop day that has just ended; a day that has its run gets no second one."""
    today = clock.shop_date(now)
    as_of = rfm_publication.day_before(today)
    started = []
    for model in RfmModel.objects.filter(nightly=True, archived_at=None).order_by("id"):
        has_run = (
            RfmRun.objects.filter(model=model, model_version=model.version, as_of__gte=as_of)
            .filter(started_at__gte=clock.day_start(today))
            .exclude(state=RunState.FAILED)
        )
        if has_run.exists():
            continue
        try:
            started.append(start(model_id=model.pk, as_of=as_of, actor=actor, now=now).pk)
        except Conflict:
            continue  # a person started one just now
    return started
