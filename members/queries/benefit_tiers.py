"""What benefits ask about tiers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from members.models import MemberTier
from members.queries import tier_schemes, tiers
from scrm.common import clock


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's tier, and its cycle: what tells it from others, and the shop day it ends before (None: never)."""

    key: str
    name: str
    cycle: tuple[str, date | None]


def standings(member_ids: Collection[int], *, now: datetime) -> Mapping[int, Standing]:
    """The tier of each of these members; nobody's while there is no ladder. Four queries."""
    known = tiers.tier_of(list(member_ids), now=now)
    if not known:
        return {}
    cycles = {
        member_id: (cycle, expires_at)
        for member_id, cycle, expires_at in MemberTier.objects.filter(member_id__in=member_ids).values_list(
            "member_id", "cycle", "expires_at"
        )
    }
    named = tier_schemes.tiers()
    found = {}
    for member_id, tier_id in known.items():
        # Whoever has no row has had the lowest tier all along: one cycle without an end.
        cycle, expires_at = cycles.get(member_id, (0, None))
        ends = None if expires_at is None or expires_at <= now else clock.shop_date(expires_at)
        tier = named[tier_id]
        found[member_id] = Standing(tier.key, tier.name, (f"{tier.key}:{cycle}", ends))
    return found


def names() -> dict[str, str]:
    """The names of the tiers in use by their keys, the lowest first."""
    known = sorted(tier_schemes.tiers().values(), key=lambda tier: (tier.level, tier.pk))
    return {tier.key: tier.name for tier in known if tier.retired_at is None}
