"""Lists of members: which there are, and what became of the last file that was put into one."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from scrm.common.access import Actor, Permission
from scrm.common.models import Job
from tags.enums import LISTS
from tags.models import Segment

# The kinds of jobs that write members into a segment; their parameters name it.
JOB_KINDS = ("segment_fill", "segment_import", "segment_freeze")


@dataclass(frozen=True, slots=True)
class Filling:
    """The newest job that wrote into a segment. `may_open`: the reader may see the job and its file of bad rows."""

    job: Job
    may_open: bool


def editable() -> QuerySet[Segment]:
    """Lists in use, last changed first."""
    return Segment.objects.filter(archived_at=None, kind__in=LISTS).order_by("-updated_at", "-pk")


def last_filling(segment_id: int, *, actor: Actor) -> Filling | None:
    """The newest job that wrote members into the segment."""
    job = Job.objects.filter(kind__in=JOB_KINDS, params__segment_id=segment_id).order_by("-pk").first()
    if job is None:
        return None
    return Filling(
        job, may_open=actor.may(Permission.SETTINGS) or (job.created_by_id == actor.id and actor.id is not None)
    )


def made_from(segment_id: int) -> list[Segment]:
    """Snapshots, samples and parts of a segment that are in use, newest first."""
    return list(Segment.objects.filter(origin_id=segment_id, archived_at=None).order_by("-created_at", "-pk")[:50])
