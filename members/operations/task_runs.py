"""Finding those who have done a task already, when it is started or opened to others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.models import Task
from members.operations import summaries, task_settling, tasks_known
from members.queries import task_facts
from members.queries.task_facts import Counted
from scrm.common import clock, jobs
from scrm.common.conditions import Sql
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic, current_actor

JOB_KIND = "evaluate_task"
# Member ids that are looked through in one read, which locks nobody, and members held at once.
_RANGE, _CHUNK = 50_000, 500


def queue(task: Task) -> None:
    """Have everyone evaluated in the background. One waiting job is enough."""
    if not Job.objects.filter(kind=JOB_KIND, state=JobState.QUEUED, params__task_id=task.pk).exists():
        jobs.create(
            kind=JOB_KIND,
            label=_("Find who has done “%(name)s”") % {"name": task.name},
            params={"task_id": task.pk},
            actor=current_actor(),
        )


def run(*, params: dict[str, Any], progress: jobs.Progress) -> None:
    """The background job: from the start, or from where it stood."""

    def report(at: int, highest: int, settled: int) -> None:
        progress.report(done=at, total=highest, counts={"looked_at": settled}, checkpoint={"after": at})

    evaluate_everyone(
        task_id=params["task_id"], now=clock.now(), after=progress.checkpoint.get("after", 0), report=report
    )
    progress.finish_with(result_url=f"/tasks/{params['task_id']}/")


def evaluate_everyone(*, task_id: int, now: datetime, after: int = 0, report: Any = None) -> int:
    """Settle a started task for all members above the id `after` who have facts for it; answers how many.

    Looks for them in ranges without locks and settles a few at a time, while they are held, so that facts which land
    meanwhile are never lost. Safe to run twice and side by side.
    """
    with atomic():
        # Whoever lands facts and did not know of the task yet has committed then.
        tasks_known.GATE.shut()
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        highest = cursor.fetchone()[0]
    low, settled = after, 0
    while low < highest:
        with atomic():
            task = tasks_known.GATE.enter(now=now).tasks.get(task_id)
        if task is None:
            return settled
        concerned = _concerned(task.counted, low, low + _RANGE, now)
        for start in range(0, len(concerned), _CHUNK):
            settled += _settle(task_id, concerned[start : start + _CHUNK], now)
        low += _RANGE
        if report is not None:
            report(min(low, highest), highest, settled)
    return settled


def _concerned(counted: Counted, low: int, high: int, now: datetime) -> list[int]:
    facts = task_facts.of_everyone(
        counted, sample=Sql("m.id > %s AND m.id <= %s", (low, high)), since=counted.since(now)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT member_id FROM ({facts.text}) f ORDER BY 1", list(facts.params))
        return [row[0] for row in cursor.fetchall()]


def _settle(task_id: int, member_ids: list[int], now: datetime) -> int:
    with atomic():
        held = summaries.hold(member_ids)
        known = tasks_known.GATE.enter(now=now)
        if task_id in known.tasks:
            task_settling.settle({task_id: held}, known=known, now=now)
        return len(held)
