"""The tiers of members by key, as earning rules ask for them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from members.models import Tier
from members.queries import tiers


def tier_of(member_ids: Collection[int], *, now: datetime) -> dict[int, str]:
    """The key of each member's tier; empty while there is no ladder."""
    held = tiers.tier_of(list(member_ids), now=now)
    keys = dict(Tier.objects.values_list("id", "key")) if held else {}
    return {member_id: keys[tier_id] for member_id, tier_id in held.items()}


def known_tiers() -> dict[str, str]:
    """The name of every tier that is not retired, by its key."""
    return dict(Tier.objects.filter(retired_at=None).order_by("level").values_list("key", "name"))
