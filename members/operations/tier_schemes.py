"""Defining the ladder: every change makes its next version, from an instant on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.enums import (
    TierBasis,
    TierDowngrade,
    TierOnRefund,
    TierPeriod,
    TierStart,
    TierValidity,
    TierWindow,
)
from members.models import Tier, TierRung, TierScheme
from members.operations import rewards
from members.queries import tier_schemes
from members.rules.rewards import Reward, dump
from members.rules.tiers import Rung, Scheme
from scrm.common import jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.transactions import atomic, current_actor

KIND = "tiers"
MOST_LEVELS = 50
LARGEST = 10**12
TONES = ("grey", "blue", "green", "amber", "red", "violet", "pink", "jade")
ICONS = ("medal", "crown", "diamond", "award", "star", "heart", "leaf", "trophy")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class StepContent:
    """A step as it is to be. `tier_id` None makes a new tier with the key. `retention` None: as the threshold."""

    name: str
    threshold: int
    retention: int | None = None
    tier_id: int | None = None
    key: str = ""
    colour: str = "grey"
    icon: str = "medal"
    description: str = ""
    gifts: Any = field(default_factory=list)  # a list of rewards, as `members.rules.rewards` reads it


@dataclass(frozen=True, slots=True)
class Content:
    """A version as it is to be: the steps from the lowest, and what they say about time (as in `TierScheme`)."""

    steps: Sequence[StepContent]
    basis: str = TierBasis.GROWTH.value
    window: str = TierWindow.ROLLING.value
    period: str = TierPeriod.YEAR.value
    window_months: int = 12
    start: str = TierStart.AT_ONCE.value
    validity: str = TierValidity.MONTHS.value
    validity_months: int = 12
    extension_days: int = 0
    grace_days: int = 0
    notice_days: int = 30
    downgrade: str = TierDowngrade.EARNED.value
    on_refund: str = TierOnRefund.KEEP.value
    gifts_on_change: bool = False


# Told when everybody has been looked at by another version: what conditions say about tiers is to be read anew.
Follower = Callable[[datetime], object]
_followers: list[Follower] = []


def register_follower(follower: Follower) -> None:
    """Higher apps say here what of theirs follows a change of the ladder."""
    _followers.append(follower)


def applied(*, now: datetime) -> None:
    """Everybody has been looked at by the version in effect."""
    for follower in _followers:
        follower(now)


SETTINGS = tuple(one.name for one in fields(Content) if one.name != "steps")
_WORDS = {
    "basis": TierBasis, "window": TierWindow, "period": TierPeriod, "start": TierStart, "validity": TierValidity,
    "downgrade": TierDowngrade, "on_refund": TierOnRefund,
}  # fmt: skip
_RANGES = {
    "window_months": (1, 120), "validity_months": (1, 120), "extension_days": (0, 366), "grace_days": (0, 366),
    "notice_days": (0, 366),
}  # fmt: skip


def save(
    *, content: Content, version: int, effective_from: datetime | None = None, actor: Actor, now: datetime
) -> TierScheme:
    """Make the next version, effective at once unless `effective_from` lies ahead; everybody is then looked at in the
    background. Nobody loses a tier by it that has not expired.

    `version` is what the editor saw last, 0 for none. Raises `Conflict` (`stale_version`), `Invalid` with `field`
    ("steps[1].threshold").
    """
    with atomic():
        last = TierScheme.objects.select_for_update().order_by("-version").first()
        if (last.version if last else 0) != version:
            raise Conflict(
                _("Somebody else has changed the ladder meanwhile. Load the page again and repeat your change."),
                code="stale_version",
            )
        gifts = checked(content)
        at = effective_from or now
        if at < now:
            raise Invalid(_("This lies in the past."), code="in_past", field="effective_from")
        made = TierScheme.objects.create(
            version=version + 1, effective_from=at, actor=current_actor().ref,
            **{name: getattr(content, name) for name in SETTINGS},
        )  # fmt: skip
        tiers = [_tier(step, level) for level, step in enumerate(content.steps, 1)]
        TierRung.objects.bulk_create(
            TierRung(
                scheme=made, tier=tier, level=level, threshold=step.threshold,
                retention=step.threshold if step.retention is None else step.retention, gifts=dump(given),
            )
            for level, (tier, step, given) in enumerate(zip(tiers, content.steps, gifts, strict=True), 1)
        )  # fmt: skip
        if at <= now:
            take_effect(now=now, actor=actor)
    return made


def take_effect(*, now: datetime, actor: Actor) -> bool:
    """When another version has come into effect: levels follow, and everybody is looked at in the background.

    Answers whether there was one. Idempotent: called by a sweep.
    """
    with atomic():
        row = TierScheme.objects.select_for_update().filter(effective_from__lte=now).order_by("-version").first()
        if row is None or row.applied_at is not None or jobs_open(row.version):
            return False
        rungs = {rung.tier_id: rung for rung in row.rungs.all()}
        retiring = Tier.objects.exclude(pk__in=rungs)
        former = (
            TierRung.objects.filter(tier__in=retiring).order_by("scheme__version").values_list("tier_id", "threshold")
        )
        thresholds = dict(former)
        ladder = sorted(rungs.values(), key=lambda rung: rung.level)
        for tier_id, rung in rungs.items():
            Tier.objects.filter(pk=tier_id).exclude(level=rung.level, retired_at=None).update(
                level=rung.level, retired_at=None
            )
        for tier in retiring:
            # Those who still hold it count as of the level whose threshold theirs would reach.
            level = max((r.level for r in ladder if r.threshold <= thresholds.get(tier.pk, 0)), default=1)
            if tier.level != level or tier.retired_at is None:
                Tier.objects.filter(pk=tier.pk).update(level=level, retired_at=tier.retired_at or now)
        jobs.create(kind=KIND, label=_("Membership tiers of everybody"), params={"version": row.version}, actor=actor)
        return True


def jobs_open(version: int) -> bool:
    """Whether everybody is being looked at by this version already."""
    return Job.objects.filter(
        kind=KIND, params__version=version, state__in=[JobState.QUEUED, JobState.RUNNING]
    ).exists()


def checked(content: Content) -> list[tuple[Reward, ...]]:
    """The gifts of each step, read. Raises `Invalid` as `save` does."""
    for name, words in _WORDS.items():
        if getattr(content, name) not in words.values:
            raise Invalid(_("Not a known value."), code="unknown_value", field=name)
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(content, name) <= high:
            raise Invalid(
                _("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=name
            )
    if not 1 <= len(content.steps) <= MOST_LEVELS:
        raise Invalid(_("A ladder has 1 to 50 levels."), code="bad_ladder", field="steps")
    known = dict(Tier.objects.values_list("pk", "key"))
    seen: set[str] = set()
    former = -1
    found = []
    for place, step in enumerate(content.steps):
        where = f"steps[{place}]"
        _check_looks(step, where)
        if step.tier_id is not None and step.tier_id not in known:
            raise Invalid(_("There is no such tier."), code="unknown_tier", field=f"{where}.tier_id")
        key = known[step.tier_id] if step.tier_id is not None else step.key
        if not _KEY.fullmatch(key):
            raise Invalid(_("A key is up to 32 of a–z, 0–9 and _."), code="bad_key", field=f"{where}.key")
        if key in seen or (step.tier_id is None and key in known.values()):
            raise Invalid(_("This is already in use."), code="taken", field=f"{where}.key")
        seen.add(key)
        if place == 0 and step.threshold != 0:
            raise Invalid(
                _("Everybody begins at the lowest level: its threshold is 0."),
                code="lowest_is_free",
                field=f"{where}.threshold",
            )
        if not former < step.threshold <= LARGEST:
            raise Invalid(
                _("A threshold is higher than the one below it."), code="thresholds_rise", field=f"{where}.threshold"
            )
        if step.retention is not None and not 0 <= step.retention <= step.threshold:
            raise Invalid(
                _("What keeps a tier is at most what reaches it."),
                code="retention_above_threshold",
                field=f"{where}.retention",
            )
        former = step.threshold
        found.append(rewards.read(step.gifts, field=f"{where}.gifts"))
    return found


def gifts_on_change(content: Content) -> Sequence[tuple[Reward, ...]]:
    """What those whom this change lifts get at each step. Raises `Invalid` as `save` does."""
    gifts = checked(content)
    return gifts if content.gifts_on_change else [()] * len(gifts)


def scheme_of(content: Content, *, now: datetime) -> Scheme:
    """The rules that a version would have, for a preview: new tiers have ids below 0."""
    checked(content)
    rungs = tuple(
        Rung(
            step.tier_id if step.tier_id is not None else -level, level, step.threshold,
            step.threshold if step.retention is None else step.retention,
        )
        for level, step in enumerate(content.steps, 1)
    )  # fmt: skip
    kept = {rung.tier_id for rung in rungs}
    last = tier_schemes.row_in_effect(now)
    known = {step.tier.pk: step.threshold for step in tier_schemes.steps(last)} if last is not None else {}
    retired = tuple(
        (tier_id, max((rung.level for rung in rungs if rung.threshold <= threshold), default=1))
        for tier_id, threshold in known.items()
        if tier_id not in kept
    )
    settings = {name: getattr(content, name) for name in SETTINGS if name != "gifts_on_change"}
    return Scheme(rungs=rungs, version=(last.version if last else 0) + 1, retired=retired, **settings)


def content_of(scheme: TierScheme) -> Content:
    """A version as something to edit."""
    return Content(
        steps=[
            StepContent(
                name=step.tier.name, threshold=step.threshold, retention=step.retention, tier_id=step.tier.pk,
                key=step.tier.key, colour=step.tier.colour, icon=step.tier.icon, description=step.tier.description,
                gifts=dump(step.gifts),
            )
            for step in tier_schemes.steps(scheme)
        ],
        **{name: getattr(scheme, name) for name in SETTINGS},
    )  # fmt: skip


def _check_looks(step: StepContent, where: str) -> None:
    if not 1 <= len(step.name.strip()) <= 40 or not step.name.isprintable():
        raise Invalid(_("A name of 1 to 40 characters is needed."), code="bad_name", field=f"{where}.name")
    if step.colour not in TONES:
        raise Invalid(_("Not a known value."), code="unknown_value", field=f"{where}.colour")
    if step.icon not in ICONS:
        raise Invalid(_("Not a known value."), code="unknown_value", field=f"{where}.icon")
    if len(step.description) > 400 or "\x00" in step.description:
        raise Invalid(_("At most 400 characters."), code="too_long", field=f"{where}.description")


def _tier(step: StepContent, level: int) -> Tier:
    looks = {
        "name": step.name.strip(), "colour": step.colour, "icon": step.icon, "description": step.description.strip(),
    }  # fmt: skip
    if step.tier_id is None:
        return Tier.objects.create(key=step.key, level=level, **looks)
    tier = Tier.objects.get(pk=step.tier_id)
    if any(getattr(tier, name) != value for name, value in looks.items()):
        for name, value in looks.items():
            setattr(tier, name, value)
        tier.save(update_fields=[*looks])
    return tier
