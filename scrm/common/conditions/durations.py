"""Spans of time before or after an instant, and the window over which facts are counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from scrm.common import clock

# The largest count of each unit: a century.
LONGEST = {"hour": 876_000, "day": 36_500, "week": 5_200, "month": 1_200}


@dataclass(frozen=True, slots=True)
class Duration:
    """`n` units. Days, weeks and months are walked on the shop's calendar, hours on the clock."""

    n: int
    unit: str

    def shift(self, instant: datetime, sign: int) -> datetime:
        """The instant this long after (`sign` 1) or before (-1), in UTC."""
        if self.unit == "hour":
            return instant + sign * timedelta(hours=self.n)
        return (instant.astimezone(clock.shop_zone()) + sign * self._delta()).astimezone(UTC)

    def shift_day(self, day: date, sign: int) -> date:
        """The day this long after or before. Hours have no meaning for days; the reader refuses them."""
        return day + sign * self._delta()

    def _delta(self) -> relativedelta:
        match self.unit:
            case "month":
                return relativedelta(months=self.n)
            case "week":
                return relativedelta(weeks=self.n)
            case _:
                return relativedelta(days=self.n)


@dataclass(frozen=True, slots=True)
class Window:
    """Over which time facts count: the last while, or from one shop day to another, both included."""

    last: Duration | None = None
    start: date | None = None
    end: date | None = None

    def bounds(self, as_of: datetime) -> list[tuple[str, datetime]]:
        """(comparison, instant) pairs that a fact's time must all satisfy."""
        if self.last is not None:
            return [(">", self.last.shift(as_of, -1)), ("<=", as_of)]
        bounds = []
        if self.start is not None:
            bounds.append((">=", clock.day_start(self.start)))
        if self.end is not None:
            bounds.append(("<", clock.day_end(self.end)))
        return bounds


def anniversary_codes(first: date, days: int) -> list[int]:
    """Month × 100 + day of every day of `days` days from `first`.

    Who was born on 29 February has the anniversary on the 28th in other years.
    """
    codes = set()
    for offset in range(days):
        day = first + timedelta(days=offset)
        codes.add(day.month * 100 + day.day)
        if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
            codes.add(229)
    return sorted(codes)
