"""The ledger of points, movement by movement."""

from __future__ import annotations

from datetime import timedelta

import pytest

from members.models import Member, PointsAccount, PointsEntry, PointsLot
from members.operations import currencies, points, points_due
from scrm.common.errors import Conflict, Invalid, NotFound
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    currencies.get("points")
    return make_member()


def earn(member: Member, amount: int, reference: str = "e1", **values):
    return points.earn(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def spend(member: Member, amount: int, reference: str = "s1", **values):
    return points.spend(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def lots(member: Member) -> list[tuple[int, int, int]]:
    return list(PointsLot.objects.filter(member=member).order_by("number").values_list("earned", "remaining", "held"))


def test_earning_credits_a_lot_and_an_entry(member: Member) -> None:
    moved = earn(member, 120, source="order:1")
    assert moved == (1, False, 120, 0, 120, 0)
    entry = PointsEntry.objects.get(member=member)
    assert (entry.debit, entry.credit, entry.amount, entry.available_after) == ("issued", "available", 120, 120)
    assert lots(member) == [(120, 120, 0)]


def test_the_same_reference_is_booked_once(member: Member) -> None:
    first = earn(member, 120)
    again = earn(member, 120)
    assert again == first._replace(duplicate=True)
    assert PointsEntry.objects.filter(member=member).count() == 1
    with pytest.raises(Conflict) as caught:
        earn(member, 121)
    assert caught.value.code == "reference_reused"


def test_spending_takes_what_expires_first(member: Member) -> None:
    earn(member, 50, "late", expires_at=NOW + timedelta(days=60))
    earn(member, 50, "soon", expires_at=NOW + timedelta(days=30))
    assert spend(member, 70).available == 30
    assert lots(member) == [(50, 30, 0), (50, 0, 0)]


def test_more_than_there_is_is_refused(member: Member) -> None:
    earn(member, 50)
    with pytest.raises(points.NotEnough) as caught:
        spend(member, 51)
    assert caught.value.detail == {"available": 50}
    assert PointsAccount.objects.get(member=member).available == 50


def test_holds_are_posted_in_part_and_released(member: Member) -> None:
    earn(member, 100)
    held = points.hold(member_id=member.pk, amount=80, reference="h", now=NOW)
    assert (held.available, held.held) == (20, 80)
    posted = points.post(member_id=member.pk, reference="h", amount=50, now=NOW)
    assert (posted.available, posted.held, posted.booked) == (50, 0, 50)
    assert lots(member) == [(100, 50, 0)]
    assert points.post(member_id=member.pk, reference="h", amount=50, now=NOW).duplicate
    with pytest.raises(Conflict) as caught:
        points.void(member_id=member.pk, reference="h", now=NOW)
    assert caught.value.code == "hold_resolved"


def test_a_hold_times_out_by_itself(member: Member) -> None:
    earn(member, 100)
    points.hold(member_id=member.pk, amount=80, reference="h", minutes=30, now=NOW)
    assert points_due.book_due(now=NOW + timedelta(minutes=31)) == 1
    account = PointsAccount.objects.get(member=member)
    assert (account.available, account.held) == (100, 0)
    assert points_due.book_due(now=NOW + timedelta(minutes=31)) == 0


def test_a_refund_gives_back_into_the_same_lots(member: Member) -> None:
    earn(member, 50, "late", expires_at=NOW + timedelta(days=60))
    earn(member, 50, "soon", expires_at=NOW + timedelta(days=30))
    spend(member, 70)
    back = points.refund(member_id=member.pk, spent="s1", amount=30, reference="r1", now=NOW)
    assert back.available == 60
    assert lots(member) == [(50, 50, 0), (50, 10, 0)]
    with pytest.raises(Invalid) as caught:
        points.refund(member_id=member.pk, spent="s1", amount=41, reference="r2", now=NOW)
    assert (caught.value.code, caught.value.detail["left"]) == ("above_original", 40)


def test_reversal_goes_into_arrears_and_is_repaid(member: Member) -> None:
    earn(member, 100, "o1", source="order:1")
    spend(member, 80)
    taken = points.reverse(member_id=member.pk, source="order:1", amount=100, reference="r", now=NOW)
    assert (taken.booked, taken.available, taken.arrears) == (100, -80, 80)
    with pytest.raises(points.InArrears):
        spend(member, 1, "s2")
    assert earn(member, 50, "o2").available == -30
    assert earn(member, 50, "o3").available == 20
    assert lots(member) == [(100, 0, 0), (50, 0, 0), (50, 20, 0)]


def test_points_expire(member: Member) -> None:
    earn(member, 100, expires_at=NOW + timedelta(days=1))
    with pytest.raises(points.NotEnough):
        spend(member, 100, now=NOW + timedelta(days=1))
    # The refused spending booked nothing; the sweep does.
    assert points_due.book_due(now=NOW + timedelta(days=1)) == 1
    assert PointsAccount.objects.get(member=member).available == 0


def test_pending_points_become_available(member: Member) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=7))
    assert earn(member, 100)[3:] == (100, 0, 0)
    assert spend(member, 60, now=NOW + timedelta(days=7)).available == 40


def test_nobody_earns_for_who_is_not_there(member: Member) -> None:
    with pytest.raises(NotFound):
        points.earn(member_id=10**9, amount=1, reference="x", now=NOW)


def test_many_are_credited_at_once(member: Member) -> None:
    other = make_member()
    earn(other, 10, "o", source="order:9")
    spend(other, 10)
    points.reverse(member_id=other.pk, source="order:9", amount=10, reference="r", now=NOW)
    given = [points.Credit(one.pk, 25, "gift") for one in (member, other)]
    assert points.earn_many(credits=given, now=NOW) == {member.pk: True, other.pk: True}
    assert points.earn_many(credits=given, now=NOW) == {member.pk: False, other.pk: False}
    balances = dict(PointsAccount.objects.values_list("member_id", "available"))
    assert balances == {member.pk: 25, other.pk: 15}
    assert lots(other)[-1] == (25, 15, 0)
