"""The tiers of members, as earning rules ask for them."""

from __future__ import annotations

from collections.abc import Collection


def tier_of(member_ids: Collection[int]) -> dict[int, str]:
    """The key of each member's tier; members without one are left out. No tier is set up, so nobody has one."""
    return {}


def known_tiers() -> dict[str, str]:
    """The name of every tier by its key."""
    return {}
