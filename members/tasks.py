"""Thin Celery entry points of members."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from celery import shared_task

from members.operations import imports
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


@shared_task(queue=Queues.DEFAULT.value)
def remove_old_import_files(**_: Any) -> None:
    imports.remove_old(now=clock.now())
