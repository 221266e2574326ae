"""When a multiplier holds: days, weekdays, hours, birthdays, in shop time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Window:
    """When a multiplier holds, in shop time: all that is given must be true.

    `until` is the last day, `hours` from the first to before the second; day 31 means the last of shorter months.
    `birthday`: "month" or "day" of the member's birth; whoever was born on 29 February has it on the 28th otherwise.
    """

    start: date | None = None
    until: date | None = None
    weekdays: frozenset[int] = frozenset()  # 1 Monday to 7 Sunday
    hours: tuple[int, int] | None = None
    days: frozenset[int] = frozenset()
    birthday: str = ""


def within(window: Window, at: datetime, birth: tuple[int, int] | None) -> bool:
    """Whether an instant, in shop time, lies in the window."""
    day = at.date()
    last = _last_of_month(day)
    return (
        (window.start is None or day >= window.start)
        and (window.until is None or day <= window.until)
        and (not window.weekdays or day.isoweekday() in window.weekdays)
        and (window.hours is None or window.hours[0] <= at.hour < window.hours[1])
        and (not window.days or day.day in window.days or (day.day == last and max(window.days) > last))
        and (not window.birthday or (birth is not None and _is_birthday(window.birthday, day, birth)))
    )


def _is_birthday(kind: str, day: date, birth: tuple[int, int]) -> bool:
    if kind == "month":
        return day.month == birth[0]
    if birth == (2, 29) and _last_of_month(date(day.year, 2, 1)) == 28:
        birth = (2, 28)
    return (day.month, day.day) == birth


def _last_of_month(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (following - date.resolution).day
