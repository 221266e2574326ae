"""Whole ledgers move between members: everything arrives, everything still hangs together, and it can be undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.translation import override

from members.models import Member, PointsAccount, PointsHold, PointsLot
from members.operations import currencies, points, points_moves
from members.operations.points import Credit
from members.queries import points_check
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _proven() -> None:
    """Every test ends with a ledger that keeps all promises."""
    currencies.get("points")
    yield
    assert list(map(str, points_check.check())) == []
    assert points_check.unbalanced() == []


def earn(member: Member, amount: int, reference: str, **values):
    return points.earn(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def spend(member: Member, amount: int, reference: str, **values):
    return points.spend(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def move(one: Member, other: Member, now=NOW) -> int:
    return points_moves.move(from_member=one.pk, to_member=other.pk, now=now)


def balances(member: Member) -> tuple[int, int, int]:
    return (
        PointsAccount.objects.filter(member=member, currency__key="points")
        .values_list("pending", "available", "held")
        .get()
    )


def lots(member: Member) -> list[tuple[int, str, int, int]]:
    """What is left: days until it expires, source, remaining, held."""
    found = PointsLot.objects.filter(member=member, remaining__gt=0).order_by("expires_at", "number")
    return [((lot.expires_at - NOW).days, lot.source, lot.remaining, lot.held) for lot in found]


def code_of(work) -> str:
    with pytest.raises(DomainError) as caught:
        work()
    return caught.value.code


def test_lots_holds_and_pending_points_move_and_the_old_account_is_closed() -> None:
    ann, ben = make_member(), make_member()
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=10))
    earn(ann, 30, "waits", source="order:3", expires_at=NOW + 90 * DAY)
    earn(ann, 50, "late", source="order:2", occurred_at=NOW - 10 * DAY, expires_at=NOW + 60 * DAY)
    earn(ann, 40, "soon", source="order:1", occurred_at=NOW - 10 * DAY, expires_at=NOW + 30 * DAY)
    earn(ben, 5, "own", occurred_at=NOW - 10 * DAY, expires_at=NOW + 10 * DAY)
    points.hold(member_id=ann.pk, amount=60, reference="cart", now=NOW)
    move(ann, ben)
    assert balances(ann) == (0, 0, 0)
    assert balances(ben) == (30, 35, 60)
    assert lots(ben) == [(10, "", 5, 0), (30, "order:1", 40, 40), (60, "order:2", 50, 20), (90, "order:3", 30, 0)]
    assert code_of(lambda: earn(ann, 1, "again")) == "account_moved"
    assert code_of(lambda: points.post(member_id=ann.pk, reference="cart", amount=60, now=NOW)) == "account_moved"
    assert points.post(member_id=ben.pk, reference="cart", amount=45, now=NOW).available == 50
    assert lots(ben) == [(10, "", 5, 0), (60, "order:2", 45, 0), (90, "order:3", 30, 0)]


def test_growth_moves_as_well_and_currencies_that_were_never_used_are_closed() -> None:
    ann, ben = make_member(), make_member()
    currencies.get("growth")
    earn(ann, 7, "g", currency="growth")
    move(ann, ben)
    assert PointsAccount.objects.get(member=ben, currency__key="growth").available == 7
    assert code_of(lambda: earn(ann, 1, "p")) == "account_moved"
    credits = [Credit(ann.pk, 1, "gift"), Credit(ben.pk, 1, "gift")]
    assert points.earn_many(credits=credits, now=NOW) == {ben.pk: True}


def test_arrears_move_and_are_repaid_by_what_the_other_has() -> None:
    ann, ben = make_member(), make_member()
    earn(ann, 100, "o", source="order:1")
    spend(ann, 80, "s")
    points.reverse(member_id=ann.pk, source="order:1", amount=100, reference="r", now=NOW)
    earn(ben, 50, "b", expires_at=NOW + 5 * DAY)
    move(ann, ben)
    assert (balances(ann), balances(ben), lots(ben)) == ((0, 0, 0), (0, -30, 0), [])


def test_what_arrives_repays_first() -> None:
    ann, ben = make_member(), make_member()
    earn(ben, 100, "o", source="order:1")
    spend(ben, 100, "s")
    points.reverse(member_id=ben.pk, source="order:1", amount=100, reference="r", now=NOW)
    earn(ann, 60, "a", expires_at=NOW + 5 * DAY)
    earn(ann, 60, "b", expires_at=NOW + 6 * DAY)
    points.hold(member_id=ann.pk, amount=70, reference="cart", now=NOW)
    move(ann, ben)
    assert (balances(ben), lots(ben)) == ((0, -50, 70), [(5, "", 60, 60), (6, "", 10, 10)])


def test_what_was_spent_before_is_refunded_over_every_move() -> None:
    ann, ben, eve = make_member(), make_member(), make_member()
    earn(ann, 50, "e", expires_at=NOW + 20 * DAY)
    earn(ann, 50, "f", expires_at=NOW + 40 * DAY)
    spend(ann, 80, "s")
    move(ann, ben)
    move(ben, eve)
    refund = {"member_id": eve.pk, "spent": "s", "amount": 60, "reference": "back", "now": NOW}
    given = points.refund(**refund)
    assert (given.booked, given.available) == (60, 80)
    assert lots(eve) == [(20, "", 30, 0), (40, "", 20, 0), (40, "", 30, 0)]
    assert points.refund(**refund) == given._replace(duplicate=True)
    assert code_of(lambda: points.refund(**{**refund, "reference": "more"})) == "above_original"
    assert code_of(lambda: points.refund(**{**refund, "spent": "nothing", "reference": "x"})) == "unknown_spending"
    assert (balances(ann), balances(ben)) == ((0, 0, 0), (0, 0, 0))


def test_what_was_earned_before_is_reversed_once() -> None:
    ann, ben = make_member(), make_member()
    earn(ann, 100, "e", source="order:1")
    spend(ann, 60, "s")
    points.reverse(member_id=ann.pk, source="order:1", amount=10, reference="r1", now=NOW)
    move(ann, ben)
    earn(ben, 25, "own")
    taken = points.reverse(member_id=ben.pk, source="order:1", amount=90, reference="r2", now=NOW)
    assert (taken.booked, taken.available) == (90, -35)
    more = {"member_id": ben.pk, "source": "order:1", "amount": 1, "reference": "r3", "now": NOW}
    assert code_of(lambda: points.reverse(**more)) == "above_original"


def test_references_that_were_used_stay_used() -> None:
    ann, ben = make_member(), make_member()
    first = earn(ann, 100, "e")
    spend(ann, 10, "s")
    move(ann, ben)
    assert earn(ben, 100, "e") == (first.number, True, 100, 0, 90, 0)
    assert code_of(lambda: earn(ben, 99, "e")) == "reference_reused"
    assert spend(ben, 10, "s").duplicate
    assert points.earn_many(credits=[Credit(ben.pk, 100, "e")], now=NOW) == {ben.pk: False}


def test_a_move_is_undone_lot_by_lot() -> None:
    ann, ben = make_member(), make_member()
    earn(ann, 50, "e", source="order:1", expires_at=NOW + 20 * DAY)
    earn(ann, 50, "f", source="order:2", expires_at=NOW + 40 * DAY)
    earn(ben, 10, "own", expires_at=NOW + 5 * DAY)
    points.hold(member_id=ann.pk, amount=30, reference="cart", minutes=60 * 24 * 10, now=NOW)
    number = move(ann, ben)
    spend(ben, 20, "s")  # 10 of his own, 10 of what came
    points_moves.undo(move_id=number, now=NOW + DAY)
    assert (balances(ann), lots(ann)) == ((0, 60, 30), [(20, "order:1", 40, 30), (40, "order:2", 50, 0)])
    assert (balances(ben), lots(ben)) == ((0, 0, 0), [])
    assert points.post(member_id=ann.pk, reference="cart", amount=30, now=NOW + DAY).available == 60
    assert code_of(lambda: points_moves.undo(move_id=number, now=NOW + DAY)) == "undone_already"
    # What the other spent is given back to the other.
    assert points.refund(member_id=ben.pk, spent="s", amount=20, reference="b", now=NOW + DAY).available == 20
    again = move(ann, ben, now=NOW + 2 * DAY)
    assert balances(ben) == (0, 80, 0)
    points_moves.undo(move_id=again, now=NOW + 3 * DAY)
    assert (balances(ann), balances(ben)) == ((0, 60, 0), (0, 20, 0))


def test_refunds_of_old_spendings_come_back_as_well() -> None:
    ann, ben = make_member(), make_member()
    earn(ann, 50, "e", expires_at=NOW + 20 * DAY)
    spend(ann, 50, "s")
    number = move(ann, ben)
    points.refund(member_id=ben.pk, spent="s", amount=20, reference="b", now=NOW)
    points_moves.undo(move_id=number, now=NOW)
    assert (balances(ann), lots(ann), balances(ben)) == ((0, 20, 0), [(20, "", 20, 0)], (0, 0, 0))
    assert points.refund(member_id=ann.pk, spent="s", amount=30, reference="c", now=NOW).available == 50


def test_unpaid_arrears_go_back() -> None:
    ann, ben = make_member(), make_member()
    earn(ann, 100, "o", source="order:1")
    spend(ann, 100, "s")
    points.reverse(member_id=ann.pk, source="order:1", amount=100, reference="r", now=NOW)
    number = move(ann, ben)
    earn(ben, 30, "own")
    points_moves.undo(move_id=number, now=NOW)
    assert (balances(ann), balances(ben)) == ((0, -70, 0), (0, 0, 0))


def test_holds_that_ended_meanwhile_stay_ended_and_what_became_available_stays_so() -> None:
    ann, ben = make_member(), make_member()
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=2))
    earn(ann, 40, "e", occurred_at=NOW - 3 * DAY)
    earn(ann, 9, "waits")
    points.hold(member_id=ann.pk, amount=15, reference="cart", now=NOW)
    number = move(ann, ben)
    points_moves.undo(move_id=number, now=NOW + 3 * DAY)
    assert (balances(ann), balances(ben)) == ((0, 49, 0), (0, 0, 0))
    assert set(PointsHold.objects.values_list("member_id", "state")) == {(ann.pk, "moved"), (ben.pk, "timed_out")}


def test_undoing_a_move_leaves_holds_of_others_alone() -> None:
    """A hold that went there and came back leaves its reference there; undoing a move from there does not take it."""
    ann, ben = make_member(), make_member()
    earn(ann, 10, "e")
    points.hold(member_id=ann.pk, amount=4, reference="h", now=NOW)
    points_moves.undo(move_id=move(ann, ben), now=NOW)
    assert code_of(lambda: move(ann, ben)) == "same_hold"
    points_moves.undo(move_id=move(ben, ann), now=NOW)
    assert (balances(ann), balances(ben)) == ((0, 6, 4), (0, 0, 0))
    states = dict(PointsHold.objects.filter(reference="h").values_list("member_id", "state"))
    assert states == {ann.pk: "open", ben.pk: "moved"}
    assert points.post(member_id=ann.pk, reference="h", amount=4, now=NOW).available == 6


def coins() -> str:
    """A currency that is made now."""
    return currencies.create(key="coins", spendable=True, content=currencies.Content(name="金币")).key


@pytest.mark.parametrize("status", ["active", "merged"])
def test_a_currency_that_comes_after_the_move_is_closed_as_well(status: str) -> None:
    """Whatever is asked of Ann is refused as it is in the currency that was there at the move, and opens nothing."""
    ann, ben = make_member(), make_member()
    earn(ann, 10, "e")
    number = move(ann, ben)
    Member.objects.filter(pk=ann.pk).update(status=status, merged_into=ben if status == "merged" else None)

    def refused(currency: str) -> list[str]:
        asked = {"member_id": ann.pk, "currency": currency, "amount": 1, "now": NOW}
        return [
            code_of(lambda: points.earn(reference="new", **asked)),
            code_of(lambda: points.spend(reference="new", **asked)),
            code_of(lambda: points.hold(reference="new", **asked)),
            code_of(lambda: points.adjust(reference="new", reason="手工", **asked)),
            code_of(lambda: points.adjust(reference="new", reason="手工", **{**asked, "amount": -1})),
            code_of(lambda: points.refund(reference="new", spent="s", **asked)),
            code_of(lambda: points.reverse(reference="new", source="order:1", **asked)),
            code_of(lambda: points.post(reference="new", **asked)),
        ]

    assert refused(coins()) == refused("points") == ["account_moved"] * 7 + ["unknown_hold"]
    credits = [Credit(one.pk, 5, "gift") for one in (ann, ben)]
    assert points.earn_many(currency="coins", credits=credits, now=NOW) == {ben.pk: True}
    assert list(PointsAccount.objects.filter(currency__key="coins").values_list("member_id", "available")) == [
        (ben.pk, 5)
    ]
    Member.objects.filter(pk=ann.pk).update(status="active", merged_into=None)
    points_moves.undo(move_id=number, now=NOW)
    assert earn(ann, 3, "home", currency="coins").available == 3
    assert (balances(ann), balances(ben)) == ((0, 10, 0), (0, 0, 0))


def test_an_account_of_a_ledger_that_was_moved_is_made_closed_by_whoever_makes_it() -> None:
    ann, ben = make_member(), make_member()
    move(ann, ben)
    kind = currencies.get(coins())
    opened = [PointsAccount.objects.create(member=one, currency=kind) for one in (ann, ben)]
    assert [PointsAccount.objects.get(pk=one.pk).closed_at for one in opened] == [NOW, None]
    for one, closed_at, found in ((ben, NOW, "closed at"), (ann, None, "open, should be moved at")):
        PointsAccount.objects.filter(member=one, currency=kind).update(closed_at=closed_at)
        (told,) = [str(finding) for finding in points_check.check()]
        assert told.startswith("accounts are closed where the ledger was moved, and nowhere else")
        assert found in told
        PointsAccount.objects.filter(member=one, currency=kind).update(closed_at=None if closed_at else NOW)


@pytest.mark.parametrize("status", ["merged", "erased"])
def test_nothing_goes_back_to_a_member_who_is_not_active(status: str) -> None:
    """They could not use it, and nobody else could: it stays where it can be spent until they are active again."""
    ann, ben = make_member(), make_member()
    earn(ann, 50, "e", source="order:1", expires_at=NOW + 20 * DAY)
    points.hold(member_id=ann.pk, amount=20, reference="cart", minutes=60 * 24 * 5, now=NOW)
    number = move(ann, ben)
    Member.objects.filter(pk=ann.pk).update(status=status, merged_into=ben if status == "merged" else None)
    with pytest.raises(Conflict) as caught:
        points_moves.undo(move_id=number, now=NOW + DAY)
    assert caught.value.code == "member_inactive"
    for language, words in (
        ("en", "The member to whom these points would go back is not active."),
        ("zh-hans", "这些积分要退回的会员不是有效会员。"),
    ):
        with override(language):
            assert str(caught.value.message) == words
    assert (balances(ann), balances(ben)) == ((0, 0, 0), (0, 30, 20))
    assert points.post(member_id=ben.pk, reference="cart", amount=5, now=NOW + DAY).available == 45
    Member.objects.filter(pk=ann.pk).update(status="active", merged_into=None)
    points_moves.undo(move_id=number, now=NOW + DAY)
    assert (balances(ann), balances(ben)) == ((0, 45, 0), (0, 0, 0))


def test_moves_are_refused_with_reasons() -> None:
    ann, ben, eve = make_member(), make_member(), make_member()
    for one in (ann, ben):
        earn(one, 10, "e")
        points.hold(member_id=one.pk, amount=5, reference="cart", now=NOW)
    with pytest.raises(Invalid):
        move(ann, ann)
    assert code_of(lambda: move(ann, ben)) == "same_hold"
    points.void(member_id=ann.pk, reference="cart", now=NOW)
    first = move(ann, ben)
    assert code_of(lambda: move(ann, eve)) == "account_moved"
    assert code_of(lambda: move(eve, ann)) == "account_moved"
    second = move(ben, eve)
    assert code_of(lambda: points_moves.undo(move_id=first, now=NOW)) == "account_moved"
    points_moves.undo(move_id=second, now=NOW)
    assert code_of(lambda: points_moves.undo(move_id=first, now=NOW + 31 * DAY)) == "too_late"
    points_moves.undo(move_id=first, now=NOW + 30 * DAY)
    with pytest.raises(NotFound):
        points_moves.undo(move_id=10**9, now=NOW)
    with pytest.raises(NotFound):
        points_moves.move(from_member=ann.pk, to_member=10**9, now=NOW)
    with pytest.raises(Conflict):
        points_moves.undo(move_id=first, now=NOW)
