"""What benefits ask about tiers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's tier, and the shop days of its cycle: from the first to before the last (None: it never ends)."""

    key: str
    name: str
    cycle: tuple[date, date | None]


def standings(member_ids: Collection[int], *, now: datetime) -> Mapping[int, Standing]:
    """The tier of each of these members that has one."""
    return {}


def names() -> dict[str, str]:
    """The names of the tiers by their keys, the lowest first."""
    return {}
