"""Evaluating a watch for everyone: when it is enabled or changed, and every night to be sure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.operations import summaries
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic, current_actor
from tags.models import Segment, TagRule, Watch
from tags.operations import watch_breaks, watch_effects
from tags.operations.watch_rounds import answers, follow_moves
from tags.operations.watch_statements import Watched, differing
from tags.operations.watches_known import GATE

JOB_KIND = "evaluate_watch"
CHECK_KIND = "check_watches"
# Member ids that are looked through in one read, which locks nobody.
RANGE = 50_000
# Members held at once, for a few hundredths of a second.
_CHUNK = 500

Report = Callable[[int, int, int], None]  # up to which id, of which highest, members that changed


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Members who began and who ceased to fulfil the condition."""

    began: int = 0
    ceased: int = 0


def queue(watch: Watch) -> None:
    """Have everyone evaluated in the background. One waiting job is enough."""
    if not Job.objects.filter(kind=JOB_KIND, state=JobState.QUEUED, params__watch_id=watch.pk).exists():
        jobs.create(kind=JOB_KIND, label=_label(watch.pk), params={"watch_id": watch.pk}, actor=current_actor())


def _label(watch_id: int) -> str:
    rule = TagRule.objects.filter(watch_id=watch_id).select_related("tag").first()
    if rule is not None:
        return _("Apply the rule of “%(name)s”") % {"name": rule.tag.name}
    segment = Segment.objects.filter(watch_id=watch_id).first()
    return _("Follow “%(name)s”") % {"name": segment.name if segment else "…"}


def evaluate_everyone(
    *, watch_id: int, now: datetime, after: int = 0, report: Report = lambda at, highest, changed: None
) -> Evaluated:
    """Make the stored answers of an enabled watch those of its condition, for all members above the id `after`.

    Reads ranges without locks and settles only the members that differ, each few in a transaction of their own and
    while they are held, so that facts which land meanwhile are never lost or overwritten. `now` is the present at the
    start; time goes on during the run. Stops without a word when the watch is switched off or changed meanwhile.
    Raises `Conflict` (`broken`) when the condition cannot be evaluated; the watch is marked broken then.
    """
    started = time.monotonic()
    with atomic():
        GATE.shut()
    watched = _enabled(watch_id)
    began = ceased = 0
    if watched is None:
        return Evaluated()
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        highest = cursor.fetchone()[0]
    low = after
    while low < highest:
        present = now + timedelta(seconds=time.monotonic() - started)
        for chunk in _chunks(_differing(watched, low, low + RANGE, present)):
            found = _settle(watch_id, watched.version, chunk, present)
            if found is None:
                return Evaluated(began, ceased)
            began, ceased = began + found.began, ceased + found.ceased
        low += RANGE
        report(min(low, highest), highest, began + ceased)
    Watch.objects.filter(pk=watch_id, version=watched.version, enabled=True).update(
        evaluated_at=now, evaluated_version=watched.version
    )
    return Evaluated(began, ceased)


def _enabled(watch_id: int) -> Watched | None:
    with atomic():
        return GATE.enter(now=clock.now(), by_index=True).by_id.get(watch_id)


def _differing(watched: Watched, low: int, high: int, now: datetime) -> list[int]:
    try:
        with atomic():
            return differing(watched, low=low, high=high, now=now)
    except Exception as error:
        reason = watch_breaks.reason(error)
        if reason is None:
            raise
        with atomic():
            watch_breaks.mark(watched.id, reason)
        raise Conflict(reason, code="broken") from error


def _chunks(member_ids: list[int]) -> list[list[int]]:
    return [member_ids[start : start + _CHUNK] for start in range(0, len(member_ids), _CHUNK)]


def _settle(watch_id: int, version: int, member_ids: list[int], now: datetime) -> Evaluated | None:
    """Settle one watch for some members, and what hangs on the tags it moves. None when the watch is another now."""
    with atomic():
        summaries.hold(member_ids)
        known = GATE.enter(now=now, by_index=True)
        watched = known.by_id.get(watch_id)
        if watched is None or watched.version != version:
            return None
        transitions = answers(known, {watch_id: member_ids}, now=now)
        follow_moves(watch_effects.apply(transitions, now=now), now=now)
        changed = [one for one in transitions if not one.goes_on]
        return Evaluated(sum(one.holds for one in changed), sum(not one.holds for one in changed))


def run(*, params: dict[str, Any], progress: jobs.Progress, now: datetime) -> None:
    """Evaluate a watch for everyone, from the start or from where it stood."""
    before = progress.checkpoint.get("changed", 0)

    def report(at: int, highest: int, changed: int) -> None:
        checkpoint = {"after": at, "changed": before + changed}
        progress.report(done=at, total=highest, counts={"changed": before + changed}, checkpoint=checkpoint)

    after = progress.checkpoint.get("after", 0)
    evaluate_everyone(watch_id=params["watch_id"], now=now, after=after, report=report)
    progress.finish_with(result_url=_page(params["watch_id"]))


def _page(watch_id: int) -> str:
    rule = TagRule.objects.filter(watch_id=watch_id).first()
    if rule is not None:
        return f"/tags/{rule.tag_id}/"
    segment = Segment.objects.filter(watch_id=watch_id).first()
    return f"/segments/{segment.pk}/" if segment else ""


def start_nightly(*, now: datetime, actor: Actor) -> int | None:
    """Queue the check of every enabled watch, unless one is waiting or under way, or none is enabled."""
    if not Watch.objects.filter(enabled=True).exists():
        return None
    if Job.objects.filter(kind=CHECK_KIND, state__in=[JobState.QUEUED, JobState.RUNNING]).exists():
        return None
    return jobs.create(kind=CHECK_KIND, label=_("Check tag rules and followed segments"), params={}, actor=actor).pk


def check_all(*, progress: jobs.Progress) -> None:
    """Evaluate every enabled watch for everyone; one that breaks does not stop the others.

    What it finds different was missed by the facts: a row changed by hand.
    """
    watch_ids = list(Watch.objects.filter(enabled=True).order_by("pk").values_list("pk", flat=True))
    changed, last = progress.checkpoint.get("changed", 0), progress.checkpoint.get("last", 0)
    for number, watch_id in enumerate(watch_ids):
        if watch_id <= last:
            continue
        try:
            found = evaluate_everyone(watch_id=watch_id, now=clock.now())
        except Conflict:
            continue
        changed += found.began + found.ceased
        progress.report(
            done=number + 1,
            total=len(watch_ids),
            counts={"changed": changed},
            checkpoint={"last": watch_id, "changed": changed},
        )
