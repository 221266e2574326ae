"""Checking in: streaks, ladders, cycle gifts and days made up. Day 0 is Saturday, 21 November 2026."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.models import CheckIn, CheckInCalendar, CheckInReward, Event, Member
from members.operations import checkin_calendars, checkins, points
from members.operations.checkin_calendars import CARDS, Content
from members.rules import checkins as rules
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from tests.factories import NOW, make_member
from tests.members.tasking import at, balance, do, done, make_task
from tests.members.tasking import points as worth

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 21)


def make_calendar(**values: Any) -> CheckInCalendar:
    """1, 2, 3 … points on the days of a week, 100 for a full one, two make-ups a month."""
    values.setdefault("ladder", [[worth(day)] for day in range(1, values.get("cycle_days", 7) + 1)])
    values.setdefault("gift", [worth(100)])
    values.setdefault("makeups_per_month", 2)
    return checkin_calendars.create(key="daily", content=Content(name="每日签到", **values), now=NOW)


@pytest.fixture
def calendar() -> CheckInCalendar:
    return make_calendar()


@pytest.fixture
def ann() -> Member:
    return make_member(name="安")


def check(member: Member, *days: float) -> list[int]:
    return [checkins.check_in(member_id=member.pk, now=at(day)).streak for day in days]


def give_cards(member: Member, amount: int) -> None:
    points.earn(member_id=member.pk, currency=CARDS, amount=amount, reference="gift", now=at(-30))


def make_up(member: Member, day: int, *, now: float = 0, **values: Any) -> checkins.Answer:
    return checkins.make_up(member_id=member.pk, day=TODAY + timedelta(days=day), now=at(now), **values)


def test_each_day_gives_its_step_of_the_ladder(ann: Member, calendar: CheckInCalendar) -> None:
    assert check(ann, 0, 1, 2) == [1, 2, 3]
    assert balance(ann) == 1 + 2 + 3


def test_a_second_check_in_of_a_day_changes_nothing(ann: Member, calendar: CheckInCalendar) -> None:
    first = checkins.check_in(member_id=ann.pk, now=at(0))
    again = checkins.check_in(member_id=ann.pk, now=at(0, hours=11))
    assert (first.duplicate, first.rewards) == (False, [worth(1)])
    assert (again.duplicate, again.rewards, again.streak) == (True, [], 1)
    assert balance(ann) == 1


def test_a_day_ends_at_midnight_in_shanghai(ann: Member, calendar: CheckInCalendar) -> None:
    check(ann, 0)
    last = checkins.check_in(member_id=ann.pk, now=at(0, hours=12) - timedelta(seconds=1))
    assert last.duplicate
    assert checkins.check_in(member_id=ann.pk, now=at(0, hours=12)).streak == 2


def test_a_missed_day_begins_the_streak_anew(ann: Member, calendar: CheckInCalendar) -> None:
    assert check(ann, 0, 1, 3) == [1, 2, 1]
    assert balance(ann) == 1 + 2 + 1


def test_seven_days_give_the_gift_and_the_ladder_begins_again(ann: Member, calendar: CheckInCalendar) -> None:
    check(ann, *range(7))
    assert balance(ann) == 28 + 100
    assert check(ann, 7) == [8]
    assert balance(ann) == 129


def test_a_leap_day_is_a_day_like_others(ann: Member, calendar: CheckInCalendar) -> None:
    leap = (date(2028, 2, 29) - TODAY).days
    assert check(ann, leap - 1, leap, leap + 1) == [1, 2, 3]


def test_a_day_made_up_joins_two_streaks_and_gives_what_is_owed_once(ann: Member, calendar: CheckInCalendar) -> None:
    give_cards(ann, 1)
    check(ann, -5, -4, -3, -1, 0)  # 1+2+3, missed -2, 1+2
    assert balance(ann) == 9
    answer = make_up(ann, -2)
    assert answer.rewards == [worth(1), worth(5), worth(6)]  # 4, 5 and 6 less the 1 and 2 given before
    assert balance(ann) == 21  # as six days in a row
    assert balance(ann, CARDS) == 0
    assert list(CheckIn.objects.order_by("day").values_list("streak", "made_up")) == [
        (1, False), (2, False), (3, False), (4, True), (5, False), (6, False),
    ]  # fmt: skip
    assert check(ann, 1) == [7]
    assert balance(ann) == 21 + 7 + 100
    again = make_up(ann, -2, now=1)
    assert (again.duplicate, balance(ann)) == (True, 128)


def test_a_gift_is_not_given_twice_when_the_streak_grows_backwards(ann: Member, calendar: CheckInCalendar) -> None:
    give_cards(ann, 1)
    check(ann, *range(-6, 1))  # a full week: the gift
    assert balance(ann) == 128
    make_up(ann, -7)
    assert balance(ann) == 128 + 1  # the eighth day of a streak is the first of its second week
    assert CheckInReward.objects.filter(step=rules.GIFT).count() == 1


def test_points_pay_for_a_day_where_the_calendar_says_so(ann: Member) -> None:
    make_calendar(makeup_price=5)
    points.earn(member_id=ann.pk, amount=20, reference="e", now=at(-2))
    check(ann, 0)
    make_up(ann, -1, pay="points")
    assert balance(ann) == 20 + 1 - 5 + 2
    with pytest.raises(points.NotEnough):
        points.spend(member_id=ann.pk, amount=19, reference="s", now=NOW)


REFUSED: list[tuple[str, dict[str, Any], int, float, str]] = [
    ("today is not missed yet", {}, 0, 0, "in_future"),
    ("tomorrow is to come", {}, 1, 0, "in_future"),
    ("eight days back is too far", {}, -8, 0, "too_far_back"),
    ("seven days back is not, but there is no card", {}, -7, 0, "no_card"),
    ("before the member joined", {"back_days": 366}, -101, 0, "before_joining"),
    ("none are allowed", {"makeups_per_month": 0}, -1, 0, "none_left"),
    ("by points where cards are asked for", {"pay": "points"}, -1, 0, "not_for_points"),
    ("by points that are not there", {"pay": "points", "makeup_price": 5}, -1, 0, "not_enough_points"),
    ("by something else", {"pay": "gold"}, -1, 0, "unknown_payment"),
    ("from somewhere else", {"source": "phone"}, -1, 0, "unknown_source"),
]


@pytest.mark.parametrize(("says", "values", "day", "now", "code"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_cannot_be_made_up(
    ann: Member, says: str, values: dict[str, Any], day: int, now: float, code: str
) -> None:
    of_call = {name: values[name] for name in ("pay", "source") if name in values}
    make_calendar(**{name: value for name, value in values.items() if name not in of_call})
    with pytest.raises(DomainError) as caught:
        make_up(ann, day, now=now, **of_call)
    assert caught.value.code == code
    assert not CheckIn.objects.exists()


def test_make_ups_are_counted_by_the_month_in_which_they_are_made(ann: Member) -> None:
    make_calendar(makeups_per_month=1, back_days=20)
    give_cards(ann, 3)
    make_up(ann, -1)
    with pytest.raises(Conflict) as caught:
        make_up(ann, -2)
    assert caught.value.code == "none_left"
    make_up(ann, -2, now=10)  # 1 December


def test_who_and_where_must_exist(ann: Member) -> None:
    with pytest.raises(NotFound) as caught:
        check(ann, 0)
    assert caught.value.code == "unknown_calendar"
    calendar = make_calendar(enabled=False)
    with pytest.raises(Conflict) as off:
        checkins.check_in(member_id=ann.pk, calendar_id=calendar.pk, now=NOW)
    assert off.value.code == "calendar_off"
    CheckInCalendar.objects.update(enabled=True)
    with pytest.raises(NotFound) as nobody:
        checkins.check_in(member_id=10**12, now=NOW)
    assert nobody.value.code == "unknown_member"
    with pytest.raises(NotFound):
        checkins.check_in(member_id=ann.pk, calendar_id=10**30, now=NOW)


def test_check_ins_are_on_the_timeline_and_tasks_count_them(ann: Member, calendar: CheckInCalendar) -> None:
    row = make_task(
        "row", kind="checkin", measure="streak", needed=3, counting={"calendar": calendar.pk}, rewards=[worth(50)]
    )
    days = make_task(
        "days", kind="checkin", measure="days", needed=3, window="month", times=0,
        counting={"calendar": calendar.pk}, rewards=[worth(500)],
    )  # fmt: skip
    give_cards(ann, 1)
    check(ann, -2, 0)
    assert (done(ann, row), done(ann, days)) == ([], [])
    make_up(ann, -1)
    assert (done(ann, row), done(ann, days)) == (["1"], ["2026-11-01"])
    assert balance(ann) == 1 + 2 + 3 + 550
    assert Event.objects.filter(member=ann, type__key="checkin.done").count() == 3
    do(ann)
    assert done(ann, row) == ["1"]


def test_calendars_are_checked_and_a_cycle_stays_once_begun(ann: Member, calendar: CheckInCalendar) -> None:
    bad: list[tuple[dict[str, Any], str, str]] = [
        ({"name": ""}, "bad_name", "name"),
        ({"cycle_days": 0}, "out_of_range", "cycle_days"),
        ({"cycle_days": 2, "ladder": [[], [], []]}, "too_many", "ladder"),
        ({"ladder": [[worth(0)]]}, "out_of_range", "ladder[0][0].amount"),
        ({"gift": [worth(1, "stars")]}, "unknown_currency", "gift[0].currency"),
        ({"back_days": 10**30}, "out_of_range", "back_days"),
        ({"makeup_price": True}, "out_of_range", "makeup_price"),
    ]
    for values, code, field in bad:
        with pytest.raises(Invalid) as caught:
            checkin_calendars.create(key="other", content=Content(**{"name": "x", **values}), now=NOW)
        assert (caught.value.code, caught.value.detail["field"]) == (code, field)
    check(ann, 0)
    with pytest.raises(Conflict) as kept:
        checkin_calendars.change(calendar_id=calendar.pk, version=1, content=Content(name="x", cycle_days=5))
    assert kept.value.code == "started"
    changed = checkin_calendars.change(calendar_id=calendar.pk, version=1, content=Content(name="新"))
    assert (changed.version, changed.name) == (2, "新")
    with pytest.raises(Conflict) as meanwhile:
        checkin_calendars.change(calendar_id=calendar.pk, version=1, content=Content(name="x"))
    assert meanwhile.value.code == "changed_meanwhile"


@given(st.permutations(list(range(8))), st.integers(0, 8), st.integers(1, 5))
def test_whatever_is_made_up_an_unbroken_streak_was_given_its_due_once(
    order: list[int], count: int, cycle: int
) -> None:
    """Without the database: days are added in any order, and what is owed is given on each."""
    days: set[date] = set()
    given: list[tuple[date, int]] = []
    for offset in order[:count]:
        day = TODAY + timedelta(days=offset)
        days.add(day)
        run = rules.run_of(days, day)
        known = [one for one in given if run[0] <= one[0] <= run[-1]]
        missing, surplus = rules.owed(len(run), cycle, [step for _day, step in known])
        for step in surplus:
            given.remove(next(one for one in known if one[1] == step and one in given))
        given += [(day, step) for step in missing]
    for day in days:
        run = rules.run_of(days, day)
        had = sorted(step for at_day, step in given if run[0] <= at_day <= run[-1])
        assert had == sorted(rules.earned(len(run), cycle).elements())
