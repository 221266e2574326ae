"""Thin Celery entry points of members."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from celery import shared_task
from django.urls import reverse

from members.operations import (
    benefit_due,
    benefit_stock,
    exports,
    imports,
    memberships,
    points_due,
    tier_days,
    tier_schemes,
    tiers,
)
from members.queries import scopes
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM
from scrm.common.jobs import Progress
from scrm.common.queues import Queues
from scrm.common.transactions import acting_as


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


@shared_task(queue=Queues.DEFAULT.value)
def remove_old_import_files(**_: Any) -> None:
    imports.remove_old(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def book_due_points(**_: Any) -> None:
    points_due.book_due(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def lapse_claims(**_: Any) -> None:
    benefit_due.lapse(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def tell_of_low_stock(**_: Any) -> None:
    benefit_due.tell_of_low_stock(now=clock.now())


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
