"""Long work: a row in Postgres, a hint on the broker, a handler per kind.

A handler is called with the job's id and a `Progress`; it may be called again after a crash and continues from
`progress.checkpoint`. It raises `DomainError` to fail with a typed reason; any other exception fails the job as
`internal_error` and is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from scrm.common import clock
from scrm.common.access import Actor
from scrm.common.errors import DomainError
from scrm.common.models import Job, Notification
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic

logger = logging.getLogger(__name__)

# A running job whose worker has not been heard of for so long is taken over.
STALE_AFTER = timedelta(seconds=60)


class Cancelled(Exception):
    """The person asked to stop; the handler unwinds at its next report."""


# Told what each report wrote: how a management command shows its progress.
Watch = Callable[[dict[str, Any]], None]


class Progress:
    """How a running handler reports. Every call is one small committed update, so the page can follow."""

    def __init__(self, job: Job, watch: Watch | None = None) -> None:
        self.job = job
        self._watch = watch
        self.checkpoint: dict[str, Any] = job.checkpoint

    def report(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        counts: dict[str, int] | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> None:
        """Write how far the work is. Raises `Cancelled` when the person asked to stop."""
        values: dict[str, Any] = {"heartbeat_at": clock.now()}
        if done is not None:
            values["done"] = done
        if total is not None:
            values["total"] = total
        if counts is not None:
            values["counts"] = counts
        if checkpoint is not None:
            self.checkpoint = checkpoint
            values["checkpoint"] = checkpoint
        Job.objects.filter(pk=self.job.pk).update(**values)
        if self._watch is not None:
            self._watch(values)
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise Cancelled

    def finish_with(self, *, result_url: str = "", error_file: str = "") -> None:
        """Where the result is to be seen, and the file of rejected rows (relative to MEDIA_ROOT)."""
        Job.objects.filter(pk=self.job.pk).update(result_url=result_url, error_file=error_file)


Handler = Callable[[int, Progress], None]
_handlers: dict[str, Handler] = {}


def handles(kind: str) -> Callable[[Handler], Handler]:
    """Register the handler of a kind of job. Used in the `tasks.py` of the app that owns the kind."""

    def register(handler: Handler) -> Handler:
        _handlers[kind] = handler
        return handler

    return register


def create(
    *,
    kind: str,
    label: str,
    params: dict[str, Any],
    actor: Actor,
    total: int | None = None,
    announced: bool = True,
) -> Job:
    """Queue a job; the worker is told when the surrounding transaction commits, unless the caller runs it itself."""
    with atomic():
        job = Job.objects.create(
            kind=kind,
            label=label,
            params=params,
            total=total,
            created_by_id=actor.id if actor.kind == "user" else None,
            heartbeat_at=clock.now(),
        )
        if announced:
            transaction.on_commit(lambda: announce(job.pk))
    return job


def announce(job_id: int) -> None:
    """Tell a worker. A lost hint is repeated by the sweep."""
    from scrm.common.tasks import run_job  # noqa: PLC0415  # tasks import this module

    try:
        run_job.delay(job_id=job_id)
    except OperationalError:
        # The row is committed; the sweep announces it again when the broker is back.
        logger.warning("job %s could not be announced: the broker does not answer", job_id)


def request_cancel(*, job_id: int) -> None:
    """Ask a job to stop. A queued one is cancelled at once; a finished one stays as it is."""
    with atomic():
        Job.objects.filter(pk=job_id, state__in=[JobState.QUEUED, JobState.RUNNING]).update(cancel_requested=True)
        Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(state=JobState.CANCELLED, finished_at=clock.now())


def run(*, job_id: int, watch: Watch | None = None, handler: Handler | None = None) -> None:
    """Run a job here and now, unless another worker has it. Called by the task and by management commands.

    `handler` is for an operation that does its own short job at once, where the tasks need not be loaded.
    """
    now = clock.now()
    claimed = Job.objects.filter(
        Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, heartbeat_at__lt=now - STALE_AFTER), pk=job_id
    ).update(state=JobState.RUNNING, heartbeat_at=now, started_at=now)
    if not claimed:
        return
    job = Job.objects.get(pk=job_id)
    try:
        (handler or _handlers[job.kind])(job.pk, Progress(job, watch))
    except Cancelled:
        _end(job, JobState.CANCELLED)
    except DomainError as error:
        _end(job, JobState.FAILED, code=error.code, message=str(error))
    except Exception as error:
        logger.exception("job %s failed", job.pk)
        _end(job, JobState.FAILED, code="internal_error", message=f"{type(error).__name__}: {error}"[:500])
    else:
        _end(job, JobState.SUCCEEDED)


def _end(job: Job, state: JobState, *, code: str = "", message: str = "") -> None:
    with atomic():
        Job.objects.filter(pk=job.pk).update(
            state=state, finished_at=clock.now(), error_code=code, error=message, heartbeat_at=clock.now()
        )
        if job.created_by_id is not None:
            level, text = {
                JobState.SUCCEEDED: ("success", gettext_noop("%(label)s has finished")),
                JobState.CANCELLED: ("warning", gettext_noop("%(label)s was cancelled")),
                JobState.FAILED: ("danger", gettext_noop("%(label)s has failed")),
            }[state]
            Notification.objects.create(
                user_id=job.created_by_id,
                level=level,
                message=text,
                values={"label": job.label},
                url="/jobs/",
            )


def stale_ids() -> list[int]:
    """Jobs that no worker is busy with although they should run: a lost hint or a dead worker."""
    return list(
        Job.objects.filter(
            state__in=[JobState.QUEUED, JobState.RUNNING], heartbeat_at__lt=clock.now() - STALE_AFTER
        ).values_list("pk", flat=True)[:100]
    )
