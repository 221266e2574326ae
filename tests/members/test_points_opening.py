"""Many first credits at once leave what they leave booked one after the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from members.models import EventType, Member, PointsAccount, PointsEntry, PointsLot
from members.operations import currencies, earning_backfill, earning_demo, points, points_many, points_moves
from members.operations.points import Credit
from members.queries import points_check
from scrm.common.errors import Invalid
from tests.factories import NOW, make_member, make_order

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
OCCURRED = [400, 300, 40, 31, 30, 5, 1, 0]  # days ago


@pytest.fixture(autouse=True)
def _proven() -> Any:
    """Every test ends with a ledger that keeps all promises."""
    currencies.get("points")
    yield
    assert list(map(str, points_check.check())) == []


def credits_of(member: Member) -> list[Credit]:
    return [
        Credit(member.pk, 100 + number, f"o{number}:1", f"order:{number}", NOW - days * DAY, {"says": ["多", number]})
        for number, days in enumerate(OCCURRED)
    ]


def earn(credits: list[Credit]) -> set[tuple[int, str]]:
    return points_many.earn_all(currency="points", credits=credits, now=NOW)


def rows(model: Any, member: Member) -> list[dict[str, Any]]:
    names = [one.name for one in model._meta.concrete_fields if one.name not in {"pk", "member"}]
    return list(model.objects.filter(member=member).order_by("pk").values(*names))


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"pending_days": 7},
        {"expiry": "year_end", "expiry_count": 1},
        {"expiry": "inactivity", "expiry_count": 30},
        {"expiry": "inactivity", "expiry_count": 30, "pending_days": 3},
    ],
)
def test_it_is_what_one_after_the_other_leaves(monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分", **policy))
    one, other = make_member(), make_member()
    booked = earn(credits_of(one))
    assert booked == {(one.pk, f"o{number}:1") for number in range(len(OCCURRED))}
    monkeypatch.setattr(points_many, "_ROUNDS", len(OCCURRED))
    earn(credits_of(other))
    for model in (PointsEntry, PointsLot, PointsAccount):
        assert rows(model, one) == rows(model, other)
    assert PointsEntry.objects.filter(member=one).count() == len(OCCURRED)


def test_what_has_expired_or_become_available_meanwhile_is_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    currencies.change(
        key="points", content=currencies.Content(name="积分", pending_days=3, expiry="days", expiry_count=35)
    )
    one, other = make_member(), make_member()
    earn(credits_of(one))
    monkeypatch.setattr(points_many, "_ROUNDS", len(OCCURRED))
    earn(credits_of(other))
    # The same lots and balances; only when what expired at once was booked differs.
    assert rows(PointsAccount, one) == rows(PointsAccount, other)
    assert [lot["remaining"] for lot in rows(PointsLot, one)] == [0, 0, 0, 103, 104, 105, 106, 107]
    kinds = PointsEntry.objects.filter(member=one).order_by("number").values_list("kind", flat=True)
    assert list(kinds) == ["earn"] * 8 + ["expire"] * 3


def test_who_has_an_account_is_credited_beside() -> None:
    had, fresh = make_member(), make_member()
    points.earn(member_id=had.pk, amount=100, reference="o0:1", source="order:0", now=NOW)
    mixed = [one for pair in zip(credits_of(had), credits_of(fresh), strict=True) for one in pair]
    assert len(earn(mixed)) == 16
    assert len(earn(mixed)) == 16  # again: everything is known
    assert list(PointsAccount.objects.order_by("member_id").values_list("available", "last_number")) == [
        (100 + sum(range(101, 108)), 8),
        (sum(range(100, 108)), 8),
    ]


def test_a_reference_counts_once_and_who_is_gone_is_left_out() -> None:
    member, gone = make_member(), make_member(status="erased")
    assert len(earn([*credits_of(member), *credits_of(member), *credits_of(gone)])) == 8
    assert PointsEntry.objects.count() == 8


def test_what_came_from_another_ledger_is_known() -> None:
    old, new = make_member(), make_member()
    points.earn(member_id=old.pk, amount=100, reference="o0:1", source="order:0", now=NOW)
    points.spend(member_id=old.pk, amount=100, reference="s", now=NOW)
    points_moves.move(from_member=old.pk, to_member=new.pk, now=NOW)
    earn(credits_of(new))
    assert PointsAccount.objects.get(member=new, currency__key="points").available == sum(range(101, 108))


def test_no_account_is_opened_whose_ledger_was_moved() -> None:
    old, new, other = make_member(), make_member(), make_member()
    points_moves.move(from_member=old.pk, to_member=new.pk, now=NOW)
    currencies.create(key="coins", spendable=True, content=currencies.Content(name="金币"))
    credits = [*credits_of(old), *credits_of(other)]
    assert len(points_many.earn_all(currency="coins", credits=credits, now=NOW)) == 8
    assert [one.member for one in PointsAccount.objects.filter(currency__key="coins")] == [other]


def test_nothing_is_booked_when_one_is_refused() -> None:
    member = make_member()
    with pytest.raises(Invalid):
        earn([*credits_of(member), Credit(member.pk, 1, "late", "", NOW + DAY)])
    assert not PointsAccount.objects.exists()


def test_the_points_of_past_orders_are_booked_once() -> None:
    EventType.objects.get_or_create(key="review.posted")
    members = [make_member() for _ in range(3)]
    for member in members:
        for days in range(1, 9):
            make_order(member, amount=12_345, paid_at=NOW - days * DAY)
    told: list[str] = []
    assert earning_demo.load(now=NOW, report=told.append) == 48
    assert told == ["48 movements of points"]
    assert earning_backfill.settle_members(
        1, members[-1].pk, since=NOW - earning_demo.BACK, until=NOW, now=NOW
    ) == 0  # fmt: skip
