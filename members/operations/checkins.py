"""Checking in: once a day of the shop, in streaks, with missed days that can be made up.

What a streak has earned is counted against what was given on its days: a day that is made up joins two streaks, and
the member gets what the one unbroken streak earns and was not given yet, once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from members.models import CheckIn, CheckInCalendar, CheckInReward, Member
from members.operations import checkin_rows, points, rewards, summaries, timeline
from members.operations.checkin_calendars import CARDS
from members.operations.rewards import Gift
from members.rules import checkins as rules
from members.rules import rewards as reward_rules
from scrm.common import clock, reactions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

TOPIC, EVENT = "checkin", "checkin.done"
SOURCES = ("api", "page")
CARD, POINTS = "card", "points"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check-in did. `duplicate`: the day was checked in already. `rewards` are those given by this call."""

    day: date
    streak: int
    duplicate: bool
    rewards: list[dict[str, Any]] = field(default_factory=list)


def check_in(*, member_id: int, calendar_id: int | None = None, source: str = "api", now: datetime) -> Answer:
    """Check a member in for today. A second time on the same day of the shop changes nothing.

    Without `calendar_id` it is the only enabled calendar, or the oldest. Raises `NotFound` (`unknown_member`,
    `unknown_calendar`), `Conflict` (`calendar_off`), `Invalid` (`unknown_source`, `before_joining`).
    """
    with atomic():
        calendar = _calendar(calendar_id)
        member = _held(member_id)
        today = clock.shop_date(now)
        _check(member, calendar, today, source, now)
        days = checkin_rows.days_around(member_id, calendar.pk, today)
        if today in days:
            return Answer(today, rules.streaks(days)[today], duplicate=True)
        return _book(member, calendar, today, days, source, now, made_up=False)


def make_up(
    *, member_id: int, day: date, pay: str = CARD, calendar_id: int | None = None, source: str = "api", now: datetime
) -> Answer:
    """Make up a missed day, for a card or for points. A day that is checked in already costs and changes nothing.

    Raises as `check_in` does, and `Invalid` (`in_future`, `too_far_back`, `unknown_payment`), `Conflict`
    (`none_left`: this month's are used up, `no_card`, `not_for_points`, `not_enough_points`, `in_arrears`).
    """
    with atomic():
        calendar = _calendar(calendar_id)
        member = _held(member_id)
        today = clock.shop_date(now)
        if pay not in (CARD, POINTS):
            raise Invalid(_("A day is made up for a card or for points."), code="unknown_payment", field="pay")
        if day >= today:
            raise Invalid(_("Only a day that is past can be made up."), code="in_future", field="day")
        _check(member, calendar, day, source, now)
        days = checkin_rows.days_around(member_id, calendar.pk, day)
        if day in days:
            return Answer(day, rules.streaks(days)[day], duplicate=True)
        if day < today - timedelta(days=calendar.back_days):
            raise Invalid(
                _("Days can be made up at most %(days)s days back.") % {"days": calendar.back_days},
                code="too_far_back", field="day",
            )  # fmt: skip
        if checkin_rows.made_up_in_month(member_id, calendar.pk, today) >= calendar.makeups_per_month:
            raise Conflict(_("No more days can be made up this month."), code="none_left")
        _pay(member_id, calendar, day, pay, now)
        return _book(member, calendar, day, days, source, now, made_up=True)


def _calendar(calendar_id: int | None) -> CheckInCalendar:
    known = CheckInCalendar.objects.order_by("pk")
    found = (
        known.filter(enabled=True).first()
        if calendar_id is None
        else known.filter(pk=min(calendar_id, 2**62)).first()
    )  # fmt: skip
    if found is None:
        raise NotFound(_("There is no such check-in calendar."), code="unknown_calendar")
    if not found.enabled:
        raise Conflict(_("Nobody can check in here at present."), code="calendar_off")
    return found


def _held(member_id: int) -> Member:
    """The member, kept from others who land facts about them."""
    summaries.hold([member_id])
    member = Member.objects.filter(pk=member_id, status="active").first()
    if member is None:
        raise NotFound(_("There is no such member."), code="unknown_member")
    return member


def _check(member: Member, calendar: CheckInCalendar, day: date, source: str, now: datetime) -> None:
    if source not in SOURCES:
        raise Invalid(_("There is no such source."), code="unknown_source", field="source")
    if day < clock.shop_date(member.joined_at):
        raise Invalid(_("That was before the member joined."), code="before_joining", field="day")


def _pay(member_id: int, calendar: CheckInCalendar, day: date, pay: str, now: datetime) -> None:
    words = _("Made up the check-in of %(day)s") % {"day": day.isoformat()}
    paid: dict[str, Any] = {
        "member_id": member_id,
        "reference": f"makeup:{calendar.pk}:{day.isoformat()}",
        "source": f"checkin:{calendar.pk}:{day.isoformat()}",
        "reason": words,
        "now": now,
    }
    if pay == POINTS:
        if not calendar.makeup_price:
            raise Conflict(_("Days are made up for cards only."), code="not_for_points")
        points.spend(amount=calendar.makeup_price, **paid)
        return
    try:
        points.spend(currency=CARDS, amount=1, **paid)
    except (points.NotEnough, points.InArrears) as error:
        raise Conflict(_("The member has no card to make up a day."), code="no_card") from error


def _book(
    member: Member, calendar: CheckInCalendar, day: date, days: list[date], source: str, now: datetime, *, made_up: bool
) -> Answer:
    """Note the day, bring the streaks around it up to date, and give what is owed."""
    occurred_at = clock.day_start(day) if made_up else now
    streaks = rules.streaks([*days, day])
    run = rules.run_of(streaks.keys(), day)
    CheckIn.objects.create(
        member=member, calendar=calendar, day=day, streak=streaks[day], source=source, made_up=made_up,
        occurred_at=max(occurred_at, member.joined_at) if made_up else occurred_at, booked_at=now,
    )  # fmt: skip
    checkin_rows.store_streaks(member.pk, calendar.pk, {one: streaks[one] for one in run if one > day})
    given = _give(member.pk, calendar, day, run, now)
    _tell(member.pk, calendar, day, streaks[day], made_up, now)
    return Answer(day, streaks[day], duplicate=False, rewards=given)


def _give(member_id: int, calendar: CheckInCalendar, day: date, run: list[date], now: datetime) -> list[dict[str, Any]]:
    owed, surplus = rules.owed(
        len(run), calendar.cycle_days, checkin_rows.given(member_id, calendar.pk, run[0], run[-1])
    )
    against = rules.worth(*(reward for step in surplus for reward in _rewards(calendar, step)))
    if surplus:
        checkin_rows.set_off(member_id, calendar.pk, run[0], run[-1], surplus)
    numbers: Counter[int] = Counter()
    rows, gifts, found = [], [], []
    for step in owed:
        numbers[step] += 1
        number = numbers[step]
        rows.append(
            CheckInReward(member_id=member_id, calendar=calendar, day=day, step=step, number=number, given_at=now)
        )
        listed = rules.set_off(_rewards(calendar, step), against)
        found += listed
        gifts.append(
            Gift(
                member_id=member_id,
                reference=f"checkin:{calendar.pk}:{day.isoformat()}:{step}:{number}",
                source=f"checkin:{calendar.pk}:{day.isoformat()}",
                rewards=reward_rules.parse(listed),
                reason=_words(calendar, step),
            )
        )
    CheckInReward.objects.bulk_create(rows)
    rewards.give(gifts=[gift for gift in gifts if gift.rewards], now=now)
    return found


def _rewards(calendar: CheckInCalendar, step: int) -> list[dict[str, Any]]:
    if step == rules.GIFT:
        return list(calendar.gift)
    return list(calendar.ladder[step - 1]) if step <= len(calendar.ladder) else []


def _words(calendar: CheckInCalendar, step: int) -> str:
    if step == rules.GIFT:
        return _("%(name)s: gift for %(days)s days in a row") % {"name": calendar.name, "days": calendar.cycle_days}
    return _("%(name)s: day %(day)s") % {"name": calendar.name, "day": step}


def _tell(member_id: int, calendar: CheckInCalendar, day: date, streak: int, made_up: bool, now: datetime) -> None:
    timeline.append(
        source="checkin",
        type=EVENT,
        rows=[
            (
                member_id,
                f"{EVENT}:{calendar.pk}:{day.isoformat()}",
                now,
                {"calendar": calendar.key, "day": day.isoformat(), "streak": streak, "made_up": made_up},
            )
        ],
        now=now,
    )
    reactions.run(Facts(now=now, member_ids=[member_id], topics=frozenset({TOPIC, f"event:{EVENT}"})))
