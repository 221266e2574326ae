"""Counting the funnels of the tasks that many have begun: every hour, or when somebody does not want to wait."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from members.models import Task, TaskFunnel
from members.queries import task_funnels
from scrm.common import jobs
from scrm.common.access import Actor, DataScope, Permission
from scrm.common.errors import Forbidden
from scrm.common.models import Job
from scrm.common.transactions import atomic

KIND = "task_funnels"
_NAMES = ("started", "done", "rewarded", "completions", "rewarded_completions")


def start(*, actor: Actor) -> Job:
    """Queue a count. Raises `Forbidden`."""
    if not actor.may(Permission.LOYALTY_VIEW) or actor.scope != DataScope.ALL:
        raise Forbidden(_("You may not do this."))
    return jobs.create(kind=KIND, label=_("Count of tasks"), params={}, actor=actor)


def count(*, now: datetime, progress: jobs.Progress | None = None) -> None:
    """Count each task that many have begun, and keep it. Doing it again replaces it."""
    large = sorted(task_funnels.many(list(Task.objects.values_list("pk", flat=True))))
    for place, task_id in enumerate(large, 1):
        found = dict(zip(_NAMES, task_funnels.counts([task_id])[task_id], strict=True))
        with atomic():
            TaskFunnel.objects.update_or_create(task_id=task_id, defaults={**found, "counted_at": now})
        if progress is not None:
            progress.report(done=place, total=len(large))
    TaskFunnel.objects.exclude(task__in=large).delete()
