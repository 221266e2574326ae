"""The preview of a ladder over everybody: counted in the background, range by range. No member is written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from members.models import TierTrial
from members.operations import tier_schemes as schemes
from members.operations.tier_schemes import Content, StepContent
from members.queries import tier_preview, tier_schemes
from members.queries.tier_preview import RANGE, Pairs
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict
from scrm.common.jobs import Progress
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic

KIND = "tiers.trial"


def queue(*, content: Content, actor: Actor, now: datetime) -> TierTrial:
    """Count in the background who would move, of everybody, by the facts until now.

    While the same ladder is being counted, that trial is answered. Raises `Invalid` with `field`.
    """
    schemes.checked(content)
    with atomic():
        with connection.cursor() as cursor:
            # One after the other, so that the second sees the trial of the first.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [KIND])
        same = latest(content)
        if same is not None and is_open(same):
            return same
        trial = TierTrial.objects.create(version=_version(), content=asdict(content), as_of=now, created_by=actor.ref)
        trial.job = jobs.create(
            kind=KIND, label=_("Exact preview of the ladder"), params={"trial": trial.pk}, actor=actor
        )
        trial.save(update_fields=["job"])
        return trial


def latest(content: Content) -> TierTrial | None:
    """The last trial of this ladder, unless another version was saved since."""
    return tier_preview.latest_trial(asdict(content), version=_version())


def is_open(trial: TierTrial) -> bool:
    """Whether it is still being counted."""
    return trial.job is not None and trial.job.state in (JobState.QUEUED, JobState.RUNNING)


def content_of(trial: TierTrial) -> Content:
    """The ladder that was tried, as something to edit."""
    steps = [StepContent(**step) for step in trial.content["steps"]]
    return Content(**{**trial.content, "steps": steps})


def run(*, progress: Progress) -> None:
    """The job: from the start, or from where it stood. Raises `Conflict` (`stale_version`), `Invalid`."""
    trial = tier_preview.trial(progress.job.params["trial"])
    if trial.version != _version():
        raise Conflict(_("Another version of the ladder was saved meanwhile: count again."), code="stale_version")
    content = content_of(trial)
    scheme, gifts = schemes.scheme_of(content, now=trial.as_of), schemes.gifts_on_change(content)
    # Who joins while it counts is not counted, also when it goes on after a crash.
    last: int = progress.checkpoint.get("last", tier_preview.highest_id())
    pairs: Pairs = Counter({(held, reached): n for held, reached, n in progress.checkpoint.get("pairs", [])})
    progress.report(total=last)
    for low in range(progress.checkpoint.get("next", 0), last + 1, RANGE):
        high = min(low + RANGE, last + 1)
        pairs += tier_preview.counted(scheme, low=low, high=high, now=trial.as_of)
        progress.report(done=high - 1, checkpoint={"last": last, "next": high, "pairs": _listed(pairs)})
    _finish(trial, asdict(tier_preview.summed(pairs, scheme=scheme, gifts=gifts, exact=True)))
    progress.finish_with(result_url=f"{reverse('tier_edit')}?trial={trial.pk}")


def _finish(trial: TierTrial, result: dict[str, Any]) -> None:
    with atomic():
        trial.result, trial.finished_at = result, clock.now()
        trial.save(update_fields=["result", "finished_at"])


def _listed(pairs: Pairs) -> Sequence[tuple[int, int, int]]:
    return [(*pair, members) for pair, members in sorted(pairs.items())]


def _version() -> int:
    newest = tier_schemes.newest()
    return 0 if newest is None else newest.version
