"""What merged tags mean: in conditions that still name them, the tag that they were merged into."""

from __future__ import annotations

from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tags.models import Tag

# A large merge; its checkpoint says from when on conditions mean the other tag.
JOB_KIND = "merge_tags"
REWRITTEN = "rewritten"


def meanings() -> dict[int, int]:
    """By merged tag the one that it is read as.

    Not while a large merge is still putting the other one on: until its members have that, a condition means the tag
    itself. So conditions that cannot be rewritten, such as former versions of rules, go on to work.
    """
    merged: dict[int, int] = dict(Tag.objects.exclude(merged_into=None).values_list("pk", "merged_into_id"))
    if not merged:
        return {}
    large = Job.objects.filter(kind=JOB_KIND).exclude(state=JobState.SUCCEEDED)
    for tag_id, checkpoint in large.values_list("params__tag_id", "checkpoint"):
        if not checkpoint.get(REWRITTEN):
            merged.pop(tag_id, None)
    return merged


def under_way(into_id: int) -> bool:
    """Whether a large merge still puts this tag on the members of another one, or waits to."""
    waiting = [JobState.QUEUED, JobState.RUNNING]
    return Job.objects.filter(kind=JOB_KIND, state__in=waiting, params__into_id=into_id).exists()
