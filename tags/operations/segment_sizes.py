"""How large segments are, night by night."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import DomainError
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.transactions import acting_as, atomic
from tags.models import Segment, SegmentSize
from tags.operations import segment_rows as rows

COUNT_KIND = "segment_sizes"
# How long a segment's history of sizes is kept.
KEPT = timedelta(days=3 * 366)


def start_nightly(*, now: datetime, actor: Actor) -> Job:
    """Queue the count of every segment in use, and forget sizes older than anybody looks at."""
    with atomic():
        SegmentSize.objects.filter(counted_on__lt=clock.shop_date(now - KEPT)).delete()
        return jobs.create(
            kind=COUNT_KIND,
            label=_("Count all segments"),
            params={},
            actor=actor,
            total=Segment.objects.filter(archived_at=None).count(),
        )


def count_all(*, actor: Actor, progress: Progress) -> None:
    """Count every segment in use, one transaction each; continues after the last one counted.

    A broken segment keeps the size it had and is reported by the job's count of `broken`.
    """
    after, done = progress.checkpoint.get("after", 0), progress.checkpoint.get("done", 0)
    counts = dict(progress.checkpoint.get("counts") or {"counted": 0, "broken": 0})
    with acting_as(actor):
        for segment_id in list(
            Segment.objects.filter(archived_at=None, pk__gt=after).order_by("pk").values_list("pk", flat=True)
        ):
            counts["counted" if _counted(segment_id) else "broken"] += 1
            done += 1
            progress.report(done=done, counts=counts, checkpoint={"after": segment_id, "done": done, "counts": counts})
    progress.finish_with(result_url="/segments/")


def _counted(segment_id: int) -> bool:
    try:
        with atomic():
            rows.recount(rows.locked(segment_id), clock.now())
    except DomainError:  # broken, or deleted meanwhile: its page says what is wrong
        return False
    return True
