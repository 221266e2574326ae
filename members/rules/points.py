"""When points become available and when they expire. Pure: the shop's zone is passed in."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

LARGEST_AMOUNT = 10**12


@dataclass(frozen=True, slots=True)
class Policy:
    """What a currency says about time: `expiry` is an `ExpiryKind`, `count` its N."""

    pending_days: int = 0
    expiry: str = "never"
    count: int = 0
    month: int = 12
    day: int = 31


def activation(policy: Policy, earned_at: datetime) -> datetime:
    """When points earned at an instant become available."""
    return earned_at + timedelta(days=policy.pending_days)


def expiry(policy: Policy, earned_at: datetime, zone: tzinfo) -> datetime | None:
    """The instant from which points earned at `earned_at` can no longer be spent; None: never, or by inactivity.

    Points of a calendar policy can be spent through the whole of their last shop day. Months clamp: one month after
    31 January is the last of February. A fixed day that a year does not have (29 February) is the day before.
    """
    day = earned_at.astimezone(zone).date()
    match policy.expiry:
        case "days":
            return earned_at + timedelta(days=policy.count)
        case "months":
            return _through(_shifted(day, policy.count), zone)
        case "month_end":
            return _through(_month_end(day, policy.count), zone)
        case "quarter_end":
            return _through(_month_end(day, (2 - (day.month - 1) % 3) + 3 * policy.count), zone)
        case "year_end":
            return _through(date(day.year + policy.count, 12, 31), zone)
        case "fixed_day":
            return _through(_fixed(policy, day), zone)
    return None


def _fixed(policy: Policy, day: date) -> date:
    """The first fixed day on or after the day, N years later."""
    this = _clamped(day.year, policy.month, policy.day)
    year = day.year if this >= day else day.year + 1
    return _clamped(year + policy.count, policy.month, policy.day)


def _through(day: date, zone: tzinfo) -> datetime:
    """The end of a shop day."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)


def _shifted(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return _clamped(year, month + 1, day.day)


def _month_end(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return _clamped(year, month + 1, 31)


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))
