"""Windows, periods and terms of tiers, and the level that a value reaches. Pure: the shop's zone is passed in.

Instants are half-open: a window (start, end) holds what happened from `start` on and before `end`. Days are the shop's.
A period is a month, quarter, half or year of the calendar; where the window is the year of membership, that year.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder. Thresholds are in growth, in minor units of money, or in orders.

    `retention` is what keeps the tier when it expires; at most the threshold.
    """

    tier_id: int
    level: int
    threshold: int
    retention: int


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version of the ladder and what it says about time. `rungs` begin at level 1, whose threshold is 0.

    `retired` are tiers that are no step any more, with the level that those who still hold them are counted at.
    """

    rungs: tuple[Rung, ...]
    version: int = 1
    basis: str = "growth"
    window: str = "lifetime"
    period: str = "year"
    window_months: int = 12
    start: str = "at_once"
    validity: str = "forever"
    validity_months: int = 12
    extension_days: int = 0
    grace_days: int = 0
    notice_days: int = 30
    downgrade: str = "earned"
    on_refund: str = "keep"
    retired: tuple[tuple[int, int], ...] = ()
    _levels: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._levels.update(dict(self.retired))
        self._levels.update({rung.tier_id: rung.level for rung in self.rungs})

    @property
    def base(self) -> Rung:
        return self.rungs[0]

    def level(self, tier_id: int) -> int:
        """The level of a tier; that of a tier nobody knows any more is the lowest."""
        return self._levels.get(tier_id, 1)

    def rung(self, level: int) -> Rung:
        """The step at a level; above the highest the highest."""
        return self.rungs[min(max(level, 1), len(self.rungs)) - 1]

    def reached(self, value: int) -> Rung:
        """The highest step whose threshold the value reaches; nobody is below the lowest."""
        found = self.base
        for rung in self.rungs:
            if rung.threshold <= value:
                found = rung
        return found


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that counts: so much at an instant, known from `seen_at` on, gone from `gone_at` on."""

    at: datetime
    amount: int
    seen_at: datetime | None = None
    gone_at: datetime | None = None


class Facts:
    """The facts of one member, to be added up over many windows."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        listed = sorted(facts, key=lambda fact: fact.at)
        plain = [fact for fact in listed if fact.gone_at is None and (fact.seen_at or fact.at) <= fact.at]
        self._moving = [fact for fact in listed if fact.gone_at is not None or (fact.seen_at or fact.at) > fact.at]
        self._times = [fact.at for fact in plain]
        self._sums = [0, *accumulate(fact.amount for fact in plain)]
        # When each became known.
        self.instants = sorted({max(fact.at, fact.seen_at or fact.at) for fact in listed})

    def total(self, span: Span) -> int:
        """What they add up to in a window, as it stood at the window's last instant. Never below 0."""
        start, end = span
        found = self._sums[bisect_left(self._times, end)] - self._sums[bisect_left(self._times, start)]
        for fact in self._moving:
            seen = fact.seen_at is None or fact.seen_at < end
            if start <= fact.at < end and seen and (fact.gone_at is None or fact.gone_at >= end):
                found += fact.amount
        return max(found, 0)


@dataclass(frozen=True, slots=True)
class Almanac:
    """The calendar of one member under one scheme: `joined_on` is a day of the shop."""

    scheme: Scheme
    joined_on: date
    zone: tzinfo

    def window(self, end: datetime) -> Span:
        """What counts just before an instant."""
        day = self.day_before(end)
        match self.scheme.window:
            case "calendar" | "anniversary":
                return self.start_of(self.period(day)[0]), end
            case "rolling":
                # So many months of whole days, the last one included.
                return self.start_of(shifted(day, -self.scheme.window_months) + timedelta(days=1)), end
        return BEGINNING, end

    def window_now(self, now: datetime) -> Span:
        """What counts at an instant, that instant included."""
        return self.window(now + MOMENT)

    def period(self, day: date) -> tuple[date, date]:
        """The first day of the period that a day is in, and the first day after it."""
        if self.scheme.window == "anniversary":
            return membership_year(self.joined_on, day)
        months = _MONTHS[self.scheme.period]
        first = day.month - (day.month - 1) % months
        start = date(day.year, first, 1)
        return start, shifted(start, months)

    def period_start(self, now: datetime) -> datetime:
        """When the period began that an instant is in."""
        return self.start_of(self.period(self.day(now))[0])

    def period_end(self, now: datetime) -> datetime:
        return self.start_of(self.period(self.day(now))[1])

    def ends(self, since: datetime) -> datetime | None:
        """When a tier ends that was reached at an instant, days of extension not counted. None: never.

        N months run through the whole of the same day of the month; month ends clamp.
        """
        match self.scheme.validity:
            case "period_end":
                return self.period_end(since)
            case "next_period_end":
                return self.period_end(self.period_end(since))
            case "months":
                return self.start_of(shifted(self.day(since), self.scheme.validity_months) + timedelta(days=1))
        return None

    def renewed(self, ended: datetime) -> datetime | None:
        """When a tier ends that was kept at its end."""
        match self.scheme.validity:
            case "period_end" | "next_period_end":
                # The period that has just ended is what it was kept by: the one that begins is the next one.
                if self.period_start(ended) == ended:
                    return self.period_end(ended)
                return self.ends(ended)
            case "months":
                return self.ends(ended - MOMENT)
        return None

    def expires(self, ends_at: datetime | None) -> datetime | None:
        """The end with the days of extension, on the shop's calendar."""
        return None if ends_at is None else self.later(ends_at, self.scheme.extension_days)

    def decides(self, ends_at: datetime | None) -> datetime | None:
        """When it is decided what becomes of a tier: after the days of extension and of grace."""
        if ends_at is None:
            return None
        return self.later(ends_at, self.scheme.extension_days + self.scheme.grace_days)

    def notice(self, expires_at: datetime | None) -> datetime | None:
        """When members are told that their tier will expire; None: never."""
        if expires_at is None or not self.scheme.notice_days:
            return None
        return self.later(expires_at, -self.scheme.notice_days)

    def later(self, instant: datetime, days: int) -> datetime:
        """So many days of the shop later, at the same time of day."""
        local = instant.astimezone(self.zone)
        moved = local.date() + timedelta(days=days)
        return datetime.combine(moved, local.time().replace(fold=0), tzinfo=self.zone).astimezone(UTC)

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def day_before(self, instant: datetime) -> date:
        """The day of the last moment before an instant."""
        return self.day(instant - MOMENT)

    def start_of(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)


def shifted(day: date, months: int) -> date:
    """So many months later; what the month does not have is its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def membership_year(joined: date, day: date) -> tuple[date, date]:
    """The year of membership that a day is in: from one anniversary to the next.

    Who joined on 29 February has the anniversary on the 28th in other years. Days before joining are in the first year.
    """
    years = max(day.year - joined.year, 0)
    if shifted(joined, 12 * years) > day:
        years = max(years - 1, 0)
    return shifted(joined, 12 * years), shifted(joined, 12 * (years + 1))
