"""Which of the tiers that a member holds counts: earned, paid for, or set by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from members.rules.tier_steps import Standing
from members.rules.tiers import Scheme


@dataclass(frozen=True, slots=True)
class Hand:
    """Set by a person until an instant. `rules`: it was set below what the member had, and counts all the same."""

    tier_id: int
    since: datetime
    until: datetime
    rules: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """The tier of a running membership."""

    tier_id: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """The tier that counts. `expires_at` None: it does not expire."""

    tier_id: int
    source: str  # a TierSource
    since: datetime | None
    expires_at: datetime | None


def holding(scheme: Scheme, earned: Standing | None, hand: Hand | None, paid: Paid | None, *, now: datetime) -> Holding:
    """The higher one counts; of equals the one that lasts longer, and then the earned one."""
    if hand is not None and hand.until <= now:
        hand = None
    if paid is not None and paid.until <= now:
        paid = None
    if hand is not None and hand.rules:
        return Holding(hand.tier_id, "hand", hand.since, hand.until)
    found = [
        Holding(scheme.base.tier_id, "earned", None, None)
        if earned is None
        else Holding(earned.tier_id, "earned", earned.since, earned.expires_at)
    ]
    if hand is not None:
        found.append(Holding(hand.tier_id, "hand", hand.since, hand.until))
    if paid is not None:
        found.append(Holding(paid.tier_id, "paid", paid.since, paid.until))
    # `max` answers the first of equals.
    return max(found, key=lambda one: (scheme.level(one.tier_id), one.expires_at is None, one.expires_at or now))
