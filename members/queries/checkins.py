"""Check-ins to be seen: a month of a member's calendar, with the streak and what comes next."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from members.models import CheckIn, CheckInCalendar, Member, PointsAccount
from members.queries.task_words import Words
from members.rules import checkins as rules
from scrm.common import clock
from scrm.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a month. `can_make_up`: it was missed and is not too far back."""

    day: date
    checked_in: bool
    made_up: bool
    streak: int
    can_make_up: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month of check-ins. `streak` stands today; `next_rewards` is what the next check-in gives.

    `gift_in` check-ins give `gift`; `makeups_left` days can still be made up this month, `cards` are there for it.
    """

    calendar: CheckInCalendar
    first: date
    days: list[Day]
    streak: int
    checked_in_today: bool
    step: int
    next_rewards: list[str]
    gift_in: int
    gift: list[str]
    makeups_left: int
    cards: int
    total: int

    @property
    def weeks(self) -> list[list[Day | None]]:
        """The days in weeks from Monday, None outside of the month."""
        cells: list[Day | None] = [None] * self.first.weekday() + list(self.days)
        cells += [None] * (-len(cells) % 7)
        return [cells[start : start + 7] for start in range(0, len(cells), 7)]


def calendars() -> list[CheckInCalendar]:
    """Every calendar; some at most."""
    return list(CheckInCalendar.objects.order_by("pk"))


def get(calendar_id: int | None) -> CheckInCalendar:
    """A calendar, or the one that members check in to. Raises `NotFound`."""
    known = CheckInCalendar.objects.order_by("-enabled", "pk")
    found = known.first() if calendar_id is None else known.filter(pk=min(calendar_id, 2**62)).first()
    if found is None:
        raise NotFound(_("There is no such check-in calendar."), code="unknown_calendar")
    return found


def first_of(text: str, now: datetime) -> date:
    """The first day of "2026-11"; of the present month for anything that is none."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return clock.shop_date(now).replace(day=1)


def month(*, member: Member, calendar: CheckInCalendar, first: date, now: datetime) -> Month:
    """The month that begins on `first`."""
    today = clock.shop_date(now)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    rows = {row.day: row for row in _of(member, calendar).filter(day__range=(first, last))}
    recent = dict(_of(member, calendar).filter(day__in=[today, today - timedelta(days=1)]).values_list("day", "streak"))
    streak = recent.get(today) or recent.get(today - timedelta(days=1), 0)
    made_up = _of(member, calendar).filter(made_up=True, booked_at__gte=clock.day_start(today.replace(day=1))).count()
    left = max(0, calendar.makeups_per_month - made_up)
    earliest = max(today - timedelta(days=calendar.back_days), clock.shop_date(member.joined_at))
    cards = (
        PointsAccount.objects.filter(member=member, currency__key="makeup_cards")
        .values_list("available", flat=True)
        .first()
    )
    coming = rules.step(streak + 1, calendar.cycle_days)
    words = Words()
    return Month(
        calendar=calendar,
        first=first,
        days=[
            _day(first + timedelta(days=number), rows, left > 0, earliest, today) for number in range(last.day)
        ],
        streak=streak,
        checked_in_today=today in recent,
        step=rules.step(streak, calendar.cycle_days) if streak else 0,
        next_rewards=words.rewards(calendar.ladder[coming - 1] if coming <= len(calendar.ladder) else []),
        gift_in=calendar.cycle_days - streak % calendar.cycle_days,
        gift=words.rewards(calendar.gift),
        makeups_left=left,
        cards=cards or 0,
        total=_of(member, calendar).count(),
    )  # fmt: skip


def _of(member: Member, calendar: CheckInCalendar) -> QuerySet[CheckIn]:
    return CheckIn.objects.filter(member=member, calendar=calendar)


def _day(day: date, rows: dict[date, CheckIn], may: bool, earliest: date, today: date) -> Day:
    row = rows.get(day)
    missed = row is None and earliest <= day < today
    return Day(day, row is not None, bool(row and row.made_up), row.streak if row else 0, missed and may)
