"""What the night does with points: warning of what expires, and adding up what is owed."""

from __future__ import annotations

import functools
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from members import tasks
from members.models import (
    Event,
    Member,
    PointsAccount,
    PointsCohort,
    PointsEntry,
    PointsExpiry,
    PointsLiability,
)
from members.operations import currencies, points, points_due, points_liability, points_warnings
from members.operations.currencies import Content
from members.queries import points_liability as board
from members.queries import timeline
from scrm.common import clock, conditions
from scrm.common.access import SYSTEM
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
# NOW is noon on 21 November 2026 in Shanghai.


def end_of(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=SHANGHAI) + DAY


@pytest.fixture(autouse=True)
def kinds() -> None:
    currencies.get("points")
    currencies.change(key="points", content=Content(name="积分", warn_days=[30, 7], cost_per_1000=1_000))


def earn(member: Member, amount: int, reference: str, **values: Any) -> None:
    points.earn(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def warnings(member: Member) -> list[tuple[str, int, int]]:
    found = Event.objects.filter(member=member, type__key="points.expiring").order_by("message_id")
    return [(row.properties["day"], row.properties["days_before"], row.properties["amount"]) for row in found]


# --- warnings ---------------------------------------------------------------------------------------------------------


def test_members_are_warned_so_many_days_before() -> None:
    soon, later, other = make_member(), make_member(), make_member()
    earn(soon, 30, "a", expires_at=end_of("2026-11-28"))
    earn(later, 40, "a", expires_at=end_of("2026-12-21"))
    earn(other, 50, "a", expires_at=end_of("2026-12-22"))
    assert points_warnings.warn(now=NOW) == 2
    assert warnings(soon) == [("2026-11-28", 7, 30)]
    assert warnings(later) == [("2026-12-21", 30, 40)]
    assert warnings(other) == []


def test_points_of_one_day_are_one_warning_of_what_is_left() -> None:
    member = make_member()
    earn(member, 30, "a", expires_at=end_of("2026-11-28"))
    earn(member, 20, "b", expires_at=end_of("2026-11-28") - timedelta(hours=3))
    points.spend(member_id=member.pk, amount=15, reference="s", now=NOW)
    points.hold(member_id=member.pk, amount=5, reference="h", now=NOW)
    points_warnings.warn(now=NOW)
    assert warnings(member) == [("2026-11-28", 7, 30)]


def test_who_has_spent_everything_is_not_warned() -> None:
    member = make_member()
    earn(member, 30, "a", expires_at=end_of("2026-11-28"))
    points.spend(member_id=member.pk, amount=30, reference="s", now=NOW)
    assert points_warnings.warn(now=NOW) == 0


def test_a_warning_is_given_once_for_each_number_of_days() -> None:
    member = make_member()
    earn(member, 30, "a", expires_at=end_of("2026-12-21"))
    assert [points_warnings.warn(now=NOW + day * DAY) for day in (0, 0, 1, 2, 3, 23, 24)] == [1, 0, 0, 0, 0, 1, 0]
    assert warnings(member) == [("2026-12-21", 30, 30), ("2026-12-21", 7, 30)]


@pytest.mark.parametrize(("missed", "told"), [(1, 1), (2, 1), (3, 0)])
def test_a_missed_night_is_made_up_for(missed: int, told: int) -> None:
    member = make_member()
    earn(member, 30, "a", expires_at=end_of("2026-12-21"))
    assert points_warnings.warn(now=NOW + missed * DAY) == told


def test_a_kind_that_expires_by_inactivity_warns_too() -> None:
    currencies.change(key="points", content=Content(name="积分", expiry="inactivity", expiry_count=7, warn_days=[7]))
    member = make_member()
    earn(member, 30, "a")
    assert points_warnings.warn(now=NOW) == 1
    assert warnings(member) == [("2026-11-28", 7, 30)]


def test_a_warning_is_a_fact_that_conditions_find() -> None:
    member = make_member()
    earn(member, 30, "a", expires_at=end_of("2026-11-28"))
    points_warnings.warn(now=NOW)
    node = conditions.parse({"field": "event", "op": "true", "with": {"type": ["points.expiring"]}})
    reason = conditions.explain(node, member_id=member.pk, as_of=NOW)
    assert reason is not None
    assert reason.holds


# --- liability --------------------------------------------------------------------------------------------------------


def test_the_liability_is_what_members_hold_at_its_cost() -> None:
    currencies.change(key="points", content=Content(name="积分", pending_days=3, cost_per_1000=1_500))
    one, two = make_member(), make_member()
    earn(one, 3_000, "a", occurred_at=NOW - 9 * DAY)
    earn(two, 1_000, "a")
    points.hold(member_id=one.pk, amount=500, reference="h", now=NOW)
    points_liability.count(now=NOW)
    row = PointsLiability.objects.get(currency__key="points")
    assert (row.day, row.available, row.pending, row.held, row.arrears, row.members) == (
        date(2026, 11, 21), 2_500, 1_000, 500, 0, 2,
    )  # fmt: skip
    assert row.cost == 6_000  # 4,000 points at 15 yuan per 1,000


def test_arrears_of_some_do_not_lessen_what_others_hold() -> None:
    one, two = make_member(), make_member()
    earn(one, 100, "a", source="order:1")
    points.spend(member_id=one.pk, amount=100, reference="s", now=NOW)
    points.reverse(member_id=one.pk, source="order:1", amount=100, reference="r", now=NOW)
    earn(two, 70, "a")
    points_liability.count(now=NOW)
    row = PointsLiability.objects.get(currency__key="points")
    assert (row.available, row.arrears, row.members) == (70, 100, 1)


def test_counting_again_on_a_day_replaces_its_row() -> None:
    member = make_member()
    earn(member, 100, "a")
    points_liability.count(now=NOW)
    points.spend(member_id=member.pk, amount=40, reference="s", now=NOW)
    points_liability.count(now=NOW + timedelta(hours=1))
    points_liability.count(now=NOW + DAY)
    rows = PointsLiability.objects.filter(currency__key="points").order_by("day")
    assert [(row.day.day, row.available) for row in rows] == [(21, 60), (22, 60)]


@pytest.mark.parametrize("booked", [True, False])
def test_cohorts_say_what_became_of_what_was_earned(booked: bool) -> None:
    member = make_member()
    long_ago = NOW - 60 * DAY  # September
    earn(member, 100, "a", source="order:1", now=long_ago, expires_at=NOW - DAY)
    points.spend(member_id=member.pk, amount=30, reference="s", now=long_ago)
    points.reverse(member_id=member.pk, source="order:1", amount=20, reference="r", now=long_ago)
    earn(member, 10, "b", now=NOW - 2 * DAY, expires_at=end_of("2027-01-31"))
    if booked:
        points_due.book_due(now=NOW)
    points_liability.count(now=NOW)
    rows = PointsCohort.objects.filter(currency__key="points").order_by("month")
    assert [(row.month, row.earned, row.used, row.expired, row.reversed, row.outstanding) for row in rows] == [
        (date(2026, 9, 1), 100, 30, 50, 20, 0),
        (date(2026, 11, 1), 10, 0, 0, 0, 10),
    ]
    assert list(PointsExpiry.objects.values_list("month", "amount")) == [(date(2027, 1, 1), 10)]


def test_the_board_shows_the_next_twelve_months() -> None:
    member = make_member()
    earn(member, 10, "a", expires_at=end_of("2026-12-31"))
    earn(member, 20, "b", expires_at=end_of("2028-12-31"))
    points_liability.count(now=NOW)
    found = board.board(currencies.get("points"), today=date(2026, 11, 21), actor=SYSTEM)
    assert (found.outstanding, len(found.months), found.months[:3]) == (
        30, 12, [(date(2026, 11, 1), 0), (date(2026, 12, 1), 10), (date(2027, 1, 1), 0)],
    )  # fmt: skip


# --- the timeline -----------------------------------------------------------------------------------------------------


def test_movements_are_on_the_timeline_without_being_copied() -> None:
    member = make_member()
    earn(member, 120, "a", now=NOW - 3 * DAY)
    points.hold(member_id=member.pk, amount=50, reference="h", minutes=9_000, now=NOW - 2 * DAY)
    points.post(member_id=member.pk, amount=30, reference="h", reason="换购", now=NOW - DAY)
    found = timeline.of_member(member.pk).entries
    assert [
        (entry.kind, entry.type_key, entry.properties["points"], entry.properties["reason"]) for entry in found
    ] == [
        ("points", "post", -30, "换购"),
        ("points", "earn", 120, ""),
    ]
    assert not Event.objects.exists()
    assert timeline.of_member(member.pk, with_points=False).entries == []
    pages, cursor = [], None
    while True:
        page = timeline.of_member(member.pk, kind="points", cursor=cursor, size=1)
        pages += [entry.type_key for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == ["post", "earn"]


def test_a_tick_goes_on_until_everything_that_is_due_is_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [make_member() for _ in range(5)]
    for number, member in enumerate(members):
        earn(member, 100, f"e{number}", now=NOW - 2 * DAY, expires_at=NOW - DAY)
    monkeypatch.setattr(points_due, "book_due", functools.partial(points_due.book_due, limit=2))
    tasks.book_due_points()
    assert not PointsAccount.objects.filter(due_at__lte=clock.now()).exists()
    assert PointsEntry.objects.filter(member__in=members, kind="expire").count() == 5
