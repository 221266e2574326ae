"""Terms of paid memberships, and what is given back of their price. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from members.rules.tiers import shifted


def ends(starts_at: datetime, *, months: int, days: int, zone: tzinfo) -> datetime:
    """When a term ends: so many months and days later on the shop's calendar, at the same time of day.

    Month ends clamp: a month from 31 January ends on the last of February.
    """
    local = starts_at.astimezone(zone)
    day = shifted(local.date(), months) + timedelta(days=days)
    return datetime.combine(day, local.time().replace(fold=0), tzinfo=zone).astimezone(UTC)


def refund(price: int, *, starts_at: datetime, ends_at: datetime, at: datetime, zone: tzinfo) -> int:
    """What is left of a price, in minor units: by whole days that have not begun, rounded half up.

    All of it before the term begins, nothing after it has ended; never more than the price.
    """
    if at < starts_at:
        return price
    days = (_day(ends_at, zone) - _day(starts_at, zone)).days
    left = (_day(ends_at, zone) - _day(at, zone)).days
    if days <= 0 or left <= 0 or at >= ends_at:
        return 0
    # On the day it begins everything is left.
    return min(price, (2 * price * left + days) // (2 * days))


def notice(ends_at: datetime, days: int, zone: tzinfo) -> datetime:
    """So many days before the end."""
    return ends(ends_at, months=0, days=-days, zone=zone)


def through(day: date, zone: tzinfo) -> datetime:
    """The end of a day of the shop."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def _day(instant: datetime, zone: tzinfo) -> date:
    return instant.astimezone(zone).date()
