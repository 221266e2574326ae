"""Thin Celery entry points of analytics."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from analytics.operations import lifecycle, model_tags, rfm
from analytics.queries import dashboard
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM
from scrm.common.queues import Queues


@jobs.handles("rfm")
def compute_rfm(job_id: int, progress: jobs.Progress) -> None:
    run_id = progress.job.params["run_id"]
    rfm.carry_on(
        run_id=run_id,
        report=lambda done, total: progress.report(done=done, total=total),
        hint=lambda number: aggregate_rfm_range.delay(run_id=run_id, number=number),
    )
    progress.finish_with(result_url="/rfm/")


@jobs.handles("lifecycle")
def compute_lifecycle(job_id: int, progress: jobs.Progress) -> None:
    lifecycle.carry_on(
        run_id=progress.job.params["run_id"],
        report=lambda done, total: progress.report(done=done, total=total),
    )
    progress.finish_with(result_url="/lifecycle/")


@shared_task(queue=Queues.COMPUTE.value)
def aggregate_rfm_range(*, run_id: int, number: int, **_: Any) -> None:
    """Help a run along; the run's own worker does what no helper gets to."""
    rfm.aggregate(run_id=run_id, number=number)


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_rfm(**_: Any) -> None:
    rfm.start_nightly(now=clock.now(), actor=SYSTEM)


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_lifecycle(**_: Any) -> None:
    lifecycle.start_nightly(now=clock.now(), actor=SYSTEM)


@jobs.handles(model_tags.JOB)
def compute_model_tags(job_id: int, progress: jobs.Progress) -> None:
    model_tags.carry_on(job_id=job_id, report=lambda done, total: progress.report(done=done, total=total))
    progress.finish_with(result_url=model_tags.RESULT_URL)


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_model_tags(**_: Any) -> None:
    model_tags.start_nightly(now=clock.now(), actor=SYSTEM)


@shared_task(queue=Queues.COMPUTE.value)
def refresh_dashboard(**_: Any) -> None:
    """Renew the figures that were too slow to count for every visitor."""
    dashboard.refresh(now=clock.now())
