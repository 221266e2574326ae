"""Thin Celery entry points of the shared parts."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.core.cache import cache

from scrm.common import clock, idempotency, jobs
from scrm.common.bitmaps import folding
from scrm.common.queues import Queues

BEAT_KEY = "beat-alive-at"


@shared_task(queue=Queues.IMPORTS.value)
def run_job(*, job_id: int, **_: Any) -> None:
    jobs.run(job_id=job_id)


@shared_task(queue=Queues.DEFAULT.value)
def resume_jobs(**_: Any) -> None:
    for job_id in jobs.stale_ids():
        jobs.announce(job_id)


@shared_task(queue=Queues.DEFAULT.value)
def purge_idempotency(**_: Any) -> None:
    idempotency.purge(now=clock.now())


@shared_task(queue=Queues.DEFAULT.value)
def beat_alive(**_: Any) -> None:
    """Beat sent it and a worker ran it: /healthz reads when."""
    cache.set(BEAT_KEY, clock.now().timestamp(), timeout=600)


@shared_task(queue=Queues.COMPUTE.value)
def fold_bitmaps(**_: Any) -> None:
    folding.fold_everything()
