"""Thin Celery entry points of members."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from celery import shared_task
from django.urls import reverse

from members.operations import exports, imports, points_due, task_runs
from members.queries import scopes
from scrm.common import clock, jobs
from scrm.common.jobs import Progress
from scrm.common.queues import Queues
from scrm.common.transactions import acting_as


@jobs.handles("import")
def run_import(_job_id: int, progress: Progress) -> None:
    """Import the job's file on behalf of whoever asked for it."""
    user = progress.job.created_by
    with acting_as(scopes.actor_of(user)) if user is not None else nullcontext():
        imports.run(params=progress.job.params, progress=progress)


@jobs.handles(exports.KIND)
def run_member_export(_job_id: int, progress: Progress) -> None:
    """Write the file as whoever asked for it may see the members now."""
    actor = scopes.actor_of(progress.job.created_by)
    with acting_as(actor):
        exports.write(actor=actor, job=progress.job, progress=progress)
    progress.finish_with(result_url=reverse("member_export_file", args=[progress.job.pk]))


@jobs.handles(task_runs.JOB_KIND)
def run_task_evaluation(_job_id: int, progress: Progress) -> None:
    task_runs.run(params=progress.job.params, progress=progress)


@shared_task(queue=Queues.DEFAULT.value)
def remove_old_import_files(**_: Any) -> None:
    imports.remove_old(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def book_due_points(**_: Any) -> None:
    points_due.book_due(now=clock.now())
