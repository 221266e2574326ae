"""Thin entry points of background work on tags."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from members.queries import scopes
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM, Actor
from scrm.common.models import Job
from scrm.common.queues import Queues
from scrm.common.transactions import acting_as
from tags.operations import (
    automatic_trials,
    bulk,
    lists,
    merging,
    segment_lists,
    segment_samples,
    segment_sizes,
    statistics,
    tagging,
    watch_runs,
    watches,
)
from tags.queries import merged

# At most so many chunks of tags whose validity is over per tick; the next tick goes on.
_LAPSES = 20


def _actor(job: Job) -> Actor:
    """The person who asked; the system when nobody did."""
    return scopes.actor_of(job.created_by) if job.created_by is not None else SYSTEM


@jobs.handles(bulk.JOB_KIND)
def run_bulk_tag(_job_id: int, progress: jobs.Progress) -> None:
    """Tag a large selection chunk by chunk, as the person who asked; continues after the last finished chunk."""
    actor = _actor(progress.job)
    after = progress.checkpoint.get("after", 0)
    done, changed = progress.checkpoint.get("done", 0), progress.checkpoint.get("changed", 0)
    params = progress.job.params
    with acting_as(actor):
        while chunk := bulk.next_chunk(actor=actor, params=params, after=after):
            changed += bulk.change(
                member_ids=chunk,
                add=params["add"],
                remove=params["remove"],
                reason=params["reason"],
                now=clock.now(),
            )
            after, done = chunk[-1], done + len(chunk)
            progress.report(
                done=done,
                counts={"changed": changed},
                checkpoint={"after": after, "done": done, "changed": changed},
            )
    progress.finish_with(result_url=f"/members/?{params['query']}" if params["query"] else "/members/")


@jobs.handles(lists.JOB_KIND)
def run_tag_list(_job_id: int, progress: jobs.Progress) -> None:
    """Tag the members of an uploaded list."""
    lists.run(actor=_actor(progress.job), params=progress.job.params, progress=progress)


@jobs.handles(merged.JOB_KIND)
def run_merge_tags(_job_id: int, progress: jobs.Progress) -> None:
    """Merge a tag that many have."""
    with acting_as(_actor(progress.job)):
        merging.run(params=progress.job.params, progress=progress)


@jobs.handles(segment_lists.FILL_KIND)
def run_segment_fill(_job_id: int, progress: jobs.Progress) -> None:
    """Add a large selection of the member list to a list."""
    segment_lists.fill(actor=_actor(progress.job), params=progress.job.params, progress=progress)


@jobs.handles(segment_lists.IMPORT_KIND)
def run_segment_import(_job_id: int, progress: jobs.Progress) -> None:
    """Add the members of an uploaded list."""
    segment_lists.run_import(actor=_actor(progress.job), params=progress.job.params, progress=progress)


@jobs.handles(segment_samples.FREEZE_KIND)
def run_segment_freeze(_job_id: int, progress: jobs.Progress) -> None:
    """Write the members of a large snapshot."""
    params = progress.job.params
    segment_samples.write(actor=_actor(progress.job), params=params)
    progress.finish_with(result_url=f"/segments/{params['segment_id']}/")


@jobs.handles(segment_sizes.COUNT_KIND)
def run_segment_sizes(_job_id: int, progress: jobs.Progress) -> None:
    """Count every segment."""
    segment_sizes.count_all(actor=_actor(progress.job), progress=progress)


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_segment_sizes(**_: Any) -> None:
    segment_sizes.start_nightly(now=clock.now(), actor=SYSTEM)


@jobs.handles(watch_runs.JOB_KIND)
def run_evaluate_watch(_job_id: int, progress: jobs.Progress) -> None:
    """Evaluate an enabled watch for everyone."""
    with acting_as(_actor(progress.job)):
        watch_runs.run(params=progress.job.params, progress=progress, now=clock.now())


@jobs.handles(watch_runs.CHECK_KIND)
def run_check_watches(_job_id: int, progress: jobs.Progress) -> None:
    """Evaluate every enabled watch for everyone, to be sure."""
    watch_runs.check_all(progress=progress)


@jobs.handles(automatic_trials.JOB_KIND)
def run_replay_rule(_job_id: int, progress: jobs.Progress) -> None:
    """Work out what a rule would have done."""
    automatic_trials.run_replay(params=progress.job.params, progress=progress)


@shared_task(queue=Queues.DEFAULT.value)
def sweep_watches(**_: Any) -> None:
    """What time alone has turned by now."""
    watches.sweep_due()


@shared_task(queue=Queues.COMPUTE.value)
def lapse_tags(**_: Any) -> None:
    """Tags whose validity is over."""
    for _number in range(_LAPSES):
        if not tagging.lapse(now=clock.now()):
            break


@shared_task(queue=Queues.COMPUTE.value)
def count_tags(**_: Any) -> None:
    statistics.count(now=clock.now())
    statistics.alert(now=clock.now())


@shared_task(queue=Queues.COMPUTE.value)
def run_nightly_watches(**_: Any) -> None:
    watches.purge()
    watch_runs.start_nightly(now=clock.now(), actor=SYSTEM)
