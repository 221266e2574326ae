"""Computing model tags: open runs, learn what everybody does, conclude range by range, publish.

A run is a row in Postgres and the truth about its progress: each range is one transaction with its scores, tags and
timeline entries, and moves the run on. After a crash it continues with what it had learnt of everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from analytics.enums import ModelKey, RunState
from analytics.models import ModelRun
from analytics.operations import model_publication as publication
from analytics.queries.model_tags import base
from analytics.queries.model_tags.registry import MODELS
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.audit import record
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic

JOB = "model_tags"
OPEN_JOBS = (JobState.QUEUED, JobState.RUNNING)
RESULT_URL = "/model-tags/"

Report = Callable[[int, int], None]


def start(*, models: Sequence[ModelKey] | None = None, as_of: date, actor: Actor, now: datetime) -> Job:
    """Queue runs of these models, of all when none are named; followed in the task centre.

    Raises `Invalid` (`as_of_in_future`) and `Conflict` (`run_in_progress`).
    """
    with atomic():
        opened = _open(models or list(MODELS), as_of=as_of, now=now)
        job = jobs.create(kind=JOB, label=_label(opened, as_of), params={}, actor=actor)
        _attach(opened, job)
    return job


def run(*, models: Sequence[ModelKey] | None = None, as_of: date, actor: Actor, now: datetime) -> list[ModelRun]:
    """Run here and now, and answer the published runs. Raises as `start` does."""
    with atomic():
        opened = _open(models or list(MODELS), as_of=as_of, now=now)
        job = Job.objects.create(
            kind=JOB,
            label=_label(opened, as_of),
            state=JobState.RUNNING,
            started_at=clock.now(),
            heartbeat_at=clock.now(),
            created_by_id=actor.id if actor.kind == "user" else None,
        )
        _attach(opened, job)
    progress = jobs.Progress(job)
    try:
        carry_on(job_id=job.pk, report=lambda done, total: progress.report(done=done, total=total))
    except BaseException as error:
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FAILED, error_code="internal_error", error=str(error)[:500], finished_at=clock.now()
        )
        raise
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, finished_at=clock.now(), result_url=RESULT_URL)
    return list(ModelRun.objects.filter(job=job).order_by("id"))


def start_nightly(*, now: datetime, actor: Actor) -> int | None:
    """Queue all models for this shop day, unless it has its runs."""
    as_of = clock.shop_date(now)
    done = ModelRun.objects.filter(as_of=as_of).exclude(state=RunState.FAILED).values_list("model", flat=True)
    missing = [key for key in MODELS if key not in set(done)]
    if not missing:
        return None
    try:
        return start(models=missing, as_of=as_of, actor=actor, now=now).pk
    except Conflict:
        return None  # a person started one just now


def _label(opened: list[ModelRun], as_of: date) -> str:
    names = _("Model tags") if len(opened) > 1 else str(ModelKey(opened[0].model).label)
    return f"{names} · {as_of.isoformat()}"


def _attach(opened: list[ModelRun], job: Job) -> None:
    ModelRun.objects.filter(pk__in=[run_.pk for run_ in opened]).update(job=job)
    record(action="model_tags.run", object_type="common_job", object_id=job.pk, detail={"job": job.label})


def _open(models: Sequence[ModelKey], *, as_of: date, now: datetime) -> list[ModelRun]:
    if as_of > clock.shop_date(now):
        raise Invalid(_("The day lies in the future."), code="as_of_in_future", field="as_of")
    refusal = Conflict(
        _("Model tags are being computed already. Wait until they have finished."), code="run_in_progress"
    )
    for former in ModelRun.objects.filter(model__in=models, state=RunState.PUBLISHING).select_related("job"):
        if former.job is not None and former.job.state in OPEN_JOBS:
            raise refusal
        ModelRun.objects.filter(pk=former.pk).update(state=RunState.FAILED, error="abandoned")
    try:
        with transaction.atomic():
            return [ModelRun.objects.create(model=key, as_of=as_of, started_at=now) for key in models]
    except IntegrityError as error:  # one open run per model is a constraint
        raise refusal from error


def carry_on(*, job_id: int, report: Report = lambda done, total: None) -> None:
    """Bring the open runs of a job to their publication, from wherever they stand. Safe to call again.

    `report` is called with (steps done, steps in all) outside of any transaction and may raise to stop; then the runs
    are closed, and what was published of them stays: it is right.
    """
    try:
        _carry_on(job_id, report)
    except BaseException as error:
        ModelRun.objects.filter(job_id=job_id, state=RunState.PUBLISHING).update(
            state=RunState.FAILED, error=f"{type(error).__name__}: {error}"[:500]
        )
        raise


def _carry_on(job_id: int, report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        highest = cursor.fetchone()[0]
    ranges = max(1, -(-highest // publication.RANGE))
    runs = list(ModelRun.objects.filter(job_id=job_id).order_by("id"))
    total = len(runs) * (ranges + 1)
    for place, run_ in enumerate(runs):
        if run_.state != RunState.PUBLISHING:
            continue
        done = place * (ranges + 1)
        _learn(run_)
        report(done + 1, total)
        noted = ModelRun.objects.filter(model=run_.model, state=RunState.PUBLISHED).exists()
        while run_.next_id < highest:
            _conclude_range(run_, noted=noted)
            report(done + 1 + run_.next_id // publication.RANGE, total)
        _publish(run_)


def _learn(run_: ModelRun) -> None:
    """Read what everybody does, and how well the model did lately; kept for the whole run."""
    if run_.population:
        return
    sql = MODELS[ModelKey(run_.model)]
    with atomic(), connection.cursor() as cursor:
        publication.prepare(cursor)
        run_.population = sql.learn(cursor, base.sample(cursor), run_.as_of)
        run_.quality = {
            **run_.population.pop("quality", {}),
            "calibration": run_.population.pop("calibration", []),
            "held_out": publication.held_out(cursor, sql, run_.as_of, base.SAMPLE // 4),
        }
        publication.ensure_tags(ModelKey(run_.model), publication.values_of(ModelKey(run_.model), run_.population))
        run_.save(update_fields=["population", "quality"])


def _conclude_range(run_: ModelRun, *, noted: bool) -> None:
    low, high = run_.next_id, run_.next_id + publication.RANGE
    now = clock.now()
    with atomic():
        moved = publication.write_range(run_, MODELS[ModelKey(run_.model)], low=low, high=high, noted=noted, now=now)
        run_.next_id, run_.changed = high, run_.changed + moved
        run_.save(update_fields=["next_id", "changed"])


def _publish(run_: ModelRun) -> None:
    with atomic(), connection.cursor() as cursor:
        # Merged and erased members have no conclusions: a count equals the members behind it.
        cursor.execute(
            "DELETE FROM analytics_modelscore s USING members_member m"
            " WHERE m.id = s.member_id AND m.status <> 'active' AND s.model = %s",
            [run_.model],
        )
        cursor.execute("SELECT value, count(*) FROM analytics_modelscore WHERE model = %s GROUP BY value", [run_.model])
        run_.distribution = dict(cursor.fetchall())
        cursor.execute("SELECT count(*) FROM members_member WHERE status = 'active'")
        members = cursor.fetchone()[0]
        run_.known = sum(run_.distribution.values())
        run_.unknown = max(0, members - run_.known)
        run_.state, run_.published_at = RunState.PUBLISHED, clock.now()
        run_.save()
