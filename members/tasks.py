"""Thin Celery entry points of members."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

from celery import shared_task
from django.urls import reverse

from members.operations import (
    benefit_due,
    benefit_owed,
    benefit_stock,
    earning_backfill,
    earning_trials,
    exports,
    imports,
    memberships,
    points_due,
    points_export,
    points_grants,
    points_liability,
    points_warnings,
    task_funnels,
    task_runs,
    tier_days,
    tier_schemes,
    tier_trials,
    tiers,
)
from members.queries import scopes
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM
from scrm.common.jobs import Progress
from scrm.common.queues import Queues
from scrm.common.transactions import acting_as

# As often as `scrm/schedule.py` starts it.
_TICK_S = 2.0


@jobs.handles("import")
def run_import(_job_id: int, progress: Progress) -> None:
    """Import the job's file on behalf of whoever asked for it."""
    user = progress.job.created_by
    with acting_as(scopes.actor_of(user)) if user is not None else nullcontext():
        imports.run(params=progress.job.params, progress=progress)


@jobs.handles(benefit_stock.JOB_KIND)
def run_benefit_codes(_job_id: int, progress: Progress) -> None:
    """Take the job's file of codes into stock on behalf of whoever asked for it."""
    user = progress.job.created_by
    with acting_as(scopes.actor_of(user)) if user is not None else nullcontext():
        benefit_stock.run(params=progress.job.params, progress=progress)


@jobs.handles(exports.KIND)
def run_member_export(_job_id: int, progress: Progress) -> None:
    """Write the file as whoever asked for it may see the members now."""
    actor = scopes.actor_of(progress.job.created_by)
    with acting_as(actor):
        exports.write(actor=actor, job=progress.job, progress=progress)
    progress.finish_with(result_url=reverse("member_export_file", args=[progress.job.pk]))


@jobs.handles(points_export.KIND)
def run_points_export(_job_id: int, progress: Progress) -> None:
    """Write the file as whoever asked for it may see the members now."""
    actor = scopes.actor_of(progress.job.created_by)
    with acting_as(actor):
        points_export.write(actor=actor, job=progress.job, progress=progress)
    progress.finish_with(result_url=reverse("points_export_file", args=[progress.job.pk]))


@jobs.handles(points_liability.KIND)
def run_points_liability(_job_id: int, progress: Progress) -> None:
    points_liability.count(now=clock.now(), progress=progress)
    progress.finish_with(result_url=reverse("points_liability"))


@jobs.handles(earning_backfill.KIND)
def run_earning_backfill(_job_id: int, progress: Progress) -> None:
    """Give past orders their points, as whoever let the rule count."""
    with acting_as(scopes.actor_of(progress.job.created_by)) if progress.job.created_by else nullcontext():
        earning_backfill.run(progress=progress)


@jobs.handles(earning_trials.KIND)
def run_earning_trial(_job_id: int, progress: Progress) -> None:
    earning_trials.run(progress=progress)


@jobs.handles(tier_trials.KIND)
def run_tier_trial(_job_id: int, progress: Progress) -> None:
    """Count on behalf of whoever asked for it."""
    user = progress.job.created_by
    with acting_as(scopes.actor_of(user)) if user is not None else nullcontext():
        tier_trials.run(progress=progress)


@jobs.handles(task_funnels.KIND)
def run_task_funnels(_job_id: int, progress: Progress) -> None:
    task_funnels.count(now=clock.now(), progress=progress)
    progress.finish_with(result_url=reverse("task_list"))


@jobs.handles(points_grants.KIND)
def run_points_grant(_job_id: int, progress: Progress) -> None:
    """Grant points on behalf of whoever asked for it."""
    user = progress.job.created_by
    with acting_as(scopes.actor_of(user)) if user is not None else nullcontext():
        points_grants.run(params=progress.job.params, progress=progress)


@jobs.handles(task_runs.JOB_KIND)
def run_task_evaluation(_job_id: int, progress: Progress) -> None:
    task_runs.run(params=progress.job.params, progress=progress)


@shared_task(queue=Queues.DEFAULT.value)
def remove_old_import_files(**_: Any) -> None:
    imports.remove_old(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def book_due_points(**_: Any) -> None:
    """What time has brought: at the end of a year to everybody, so a tick goes on until the next one takes over."""
    until = time.monotonic() + _TICK_S
    while points_due.book_due(now=clock.now()) and time.monotonic() < until:
        pass


@shared_task(queue=Queues.DEFAULT.value)
def run_nightly_points_liability(**_: Any) -> None:
    points_liability.count(now=clock.now())


@shared_task(queue=Queues.COMPUTE.value)
def count_task_funnels(**_: Any) -> None:
    task_funnels.count(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def warn_of_expiring_points(**_: Any) -> None:
    points_warnings.warn(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def lapse_claims(**_: Any) -> None:
    benefit_due.lapse(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def tell_of_low_stock(**_: Any) -> None:
    benefit_due.tell_of_low_stock(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def give_owed_benefits(**_: Any) -> None:
    benefit_owed.sweep(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def give_birthday_gifts(**_: Any) -> None:
    """Until everybody was looked at; what a worker that dies leaves is done an hour later."""
    now = clock.now()
    for benefit_id in benefit_due.birthday_benefits(now=now):
        last: int | None = 0
        while last is not None:
            _given, last = benefit_due.give_birthday_gifts(benefit_id=benefit_id, after=last, now=now)


@jobs.handles(tier_schemes.KIND)
def run_tiers(_job_id: int, progress: Progress) -> None:
    """Look at everybody after the ladder has changed."""
    changed = tiers.evaluate_everyone(
        now=clock.now(), report=lambda done, total: progress.report(done=done, total=total)
    )
    tier_schemes.applied(now=clock.now())
    progress.report(counts={"changed": changed})
    progress.finish_with(result_url=reverse("tier_list"))


@shared_task(queue=Queues.DEFAULT.value)
def sweep_tiers(**_: Any) -> None:
    now = clock.now()
    tier_schemes.take_effect(now=now, actor=SYSTEM)
    memberships.sweep(now=now)
    while tiers.evaluate_due(now=now) >= 1_000:
        pass


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_tiers(**_: Any) -> None:
    now = clock.now()
    tiers.evaluate_everyone(now=now)
    tier_days.count(now=now)
