"""Streaks of check-ins, and what a streak has earned. Pure: days are those of the shop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any

GIFT = 0
_DAY = timedelta(days=1)


def streaks(days: Iterable[date]) -> dict[date, int]:
    """How many days in a row end on each day."""
    found: dict[date, int] = {}
    for day in sorted(set(days)):
        found[day] = found.get(day - _DAY, 0) + 1
    return found


def run_of(days: Collection[date], day: date) -> list[date]:
    """The unbroken days around `day`, which is one of them."""
    known = set(days)
    first = day
    while first - _DAY in known:
        first -= _DAY
    found = [first]
    while found[-1] + _DAY in known:
        found.append(found[-1] + _DAY)
    return found


def current(days: Iterable[date], today: date) -> int:
    """The streak that stands today: one that ended before yesterday is broken, today's check-in may be to come."""
    known = streaks(days)
    return known.get(today) or known.get(today - _DAY, 0)


def step(streak: int, cycle_days: int) -> int:
    """Which day of the cycle a streak has reached, from 1."""
    return (streak - 1) % cycle_days + 1


def earned(streak: int, cycle_days: int) -> Counter[int]:
    """Every step that an unbroken streak has earned, and how often; `GIFT` for full cycles."""
    full, rest = divmod(streak, cycle_days)
    found = Counter({one: full + (one <= rest) for one in range(1, cycle_days + 1)})
    found[GIFT] = full
    return +found


def owed(streak: int, cycle_days: int, given: Iterable[int]) -> tuple[list[int], list[int]]:
    """What a streak has earned and was not given yet, the gift last; and what was given on its days beyond that.

    The second is what a streak began anew had given before a day that was made up joined it to the one before.
    """
    due, had = earned(streak, cycle_days), Counter(given)
    missing = sorted((due - had).elements(), key=lambda one: (one == GIFT, one))
    return missing, sorted((had - due).elements())


def set_off(rewards: Iterable[dict[str, Any]], against: Counter[tuple[str, ...]]) -> list[dict[str, Any]]:
    """The rewards less what was given already; `against` (by `worth`) is used up, as far as it goes."""
    found = []
    for reward in rewards:
        name, size = ("amount" if reward["kind"] == "points" else "quantity"), worth(reward)
        ((what, amount),) = size.items()
        used = min(amount, against[what])
        against[what] -= used
        if amount > used:
            found.append({**reward, name: amount - used})
    return found


def worth(*rewards: dict[str, Any]) -> Counter[tuple[str, ...]]:
    """How much of what rewards are."""
    found: Counter[tuple[str, ...]] = Counter()
    for reward in rewards:
        what = tuple(str(reward.get(name, "")) for name in ("kind", "currency", "item", "key"))
        found[what] += reward.get("amount") or reward.get("quantity", 1)
    return found
