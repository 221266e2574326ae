"""What benefits ask about tiers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's tier, and its cycle: what tells it from others, and the shop day it ends before (None: never)."""

    key: str
    name: str
    cycle: tuple[str, date | None]


def standings(member_ids: Collection[int], *, now: datetime) -> Mapping[int, Standing]:
    """The tier of each of these members that has one."""
    return {}


def names() -> dict[str, str]:
    """The names of the tiers by their keys, the lowest first."""
    return {}
