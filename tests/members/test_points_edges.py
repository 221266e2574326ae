"""What a banker would try: late sweeps, reused references, expired and idle points, the ends of ranges."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from members.models import Member, PointsAccount, PointsLot
from members.operations import currencies, points, points_due
from members.operations.points import Credit
from members.queries import points_check
from scrm.common.errors import DomainError
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _proven() -> Any:
    """Every test ends with a ledger that keeps all promises."""
    yield
    assert list(map(str, points_check.check())) == []


@pytest.fixture
def ann() -> Member:
    policy()
    return make_member()


def policy(**values: Any) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分", **values))


def earn(member: Member, amount: int, reference: str = "e", **values: Any) -> points.Movement:
    return points.earn(member_id=member.pk, amount=amount, reference=reference, now=values.pop("now", NOW), **values)


def spend(member: Member, amount: int, reference: str = "s", now: Any = NOW) -> points.Movement:
    return points.spend(member_id=member.pk, amount=amount, reference=reference, now=now)


def hold(member: Member, amount: int, reference: str = "h", minutes: int = 30, now: Any = NOW) -> points.Movement:
    return points.hold(member_id=member.pk, amount=amount, reference=reference, minutes=minutes, now=now)


def reverse(member: Member, amount: int, reference: str = "r", source: str = "order:1", now: Any = NOW) -> Any:
    return points.reverse(member_id=member.pk, source=source, amount=amount, reference=reference, now=now)


def code_of(work: Any) -> str:
    with pytest.raises(DomainError) as caught:
        work()
    return caught.value.code


def available(member: Member) -> int:
    return PointsAccount.objects.get(member=member).available


@pytest.mark.parametrize("sweeps", [[60], [10, 20, 60], [5, 60]])
def test_it_does_not_matter_how_late_the_sweep_comes(ann: Member, sweeps: list[int]) -> None:
    """60 lapse at minute 10; the 40 of the hold come back at minute 20, and only they get the days of grace."""
    earn(ann, 100, expires_at=NOW + 10 * MINUTE)
    hold(ann, 40, minutes=20)
    for minute in sweeps:
        points_due.book_due(now=NOW + minute * MINUTE)
    assert available(ann) == 40
    assert PointsLot.objects.get().expires_at == NOW + 20 * MINUTE + 7 * DAY


def test_without_grace_what_comes_back_late_lapses(ann: Member) -> None:
    policy(grace_days=0)
    earn(ann, 100, expires_at=NOW + 10 * MINUTE)
    hold(ann, 40, minutes=60)
    spend(ann, 60)
    assert points.void(member_id=ann.pk, reference="h", now=NOW + 20 * MINUTE).available == 0
    assert points.refund(member_id=ann.pk, spent="s", amount=60, reference="b", now=NOW + 30 * MINUTE).available == 0


def test_a_hold_can_be_posted_after_its_points_have_expired(ann: Member) -> None:
    earn(ann, 100, expires_at=NOW + 10 * MINUTE)
    hold(ann, 40)
    assert points.post(member_id=ann.pk, reference="h", amount=30, now=NOW + 20 * MINUTE)[3:] == (0, 10, 0)


def test_a_late_fact_whose_points_have_expired_by_now_repays_first(ann: Member) -> None:
    earn(ann, 50, source="order:1")
    spend(ann, 50)
    reverse(ann, 50)
    late = earn(ann, 80, "late", occurred_at=NOW - 9 * DAY, expires_at=NOW - DAY)
    assert (late.booked, late.available) == (80, 0)


def test_what_has_expired_is_not_taken_back_a_second_time(ann: Member) -> None:
    earn(ann, 100, source="order:1", expires_at=NOW + DAY)
    spend(ann, 30)
    taken = reverse(ann, 100, now=NOW + 2 * DAY)
    assert (taken.booked, taken.available) == (30, -30)
    assert reverse(ann, 70, "again", now=NOW + 2 * DAY) == (None, False, 0, 0, -30, 0)


@pytest.mark.parametrize(
    ("reversal", "booked", "left"), [("arrears", 100, (0, -60, 0)), ("within_balance", 40, (0, 0, 0)),
                                     ("pending_only", 0, (0, 40, 0))],
)  # fmt: skip
def test_a_reversal_over_several_lots_follows_the_policy(
    ann: Member, reversal: str, booked: int, left: tuple[int, ...]
) -> None:
    policy(reversal=reversal)
    earn(ann, 60, "a", source="order:1")
    earn(ann, 40, "b", source="order:1", expires_at=NOW + DAY)
    earn(ann, 30, "c", source="order:2")
    spend(ann, 90)
    taken = reverse(ann, 100)
    assert (taken.booked, taken[3:]) == (booked, left)


def test_pending_points_are_taken_back_first_and_the_rest_counts_once(ann: Member) -> None:
    earn(ann, 50, "old", source="order:1")
    policy(pending_days=3)
    earn(ann, 50, "new", source="order:1")
    first = reverse(ann, 70, "r1")
    assert (first.booked, first.pending, first.available) == (70, 0, 30)
    assert reverse(ann, 70, "r1") == first._replace(duplicate=True)
    assert code_of(lambda: reverse(ann, 31, "r2")) == "above_original"
    assert reverse(ann, 30, "r3").available == 0


def test_points_on_hold_are_reversed_into_arrears_and_their_release_repays(ann: Member) -> None:
    earn(ann, 100, source="order:1")
    hold(ann, 70)
    assert reverse(ann, 100)[3:] == (0, -70, 70)
    assert points.void(member_id=ann.pk, reference="h", now=NOW)[3:] == (0, 0, 0)


def test_a_reference_means_one_thing(ann: Member) -> None:
    earn(ann, 100, source="order:1")
    earn(ann, 100, "e2", source="order:2")
    adjust = lambda amount: points.adjust(member_id=ann.pk, amount=amount, reference="x", reason="why", now=NOW)  # noqa: E731
    adjust(5)
    assert code_of(lambda: adjust(-5)) == "reference_reused"
    spend(ann, 10, "s")
    hold(ann, 10, "h")
    assert code_of(lambda: hold(ann, 10, "s")) == "reference_reused"
    assert code_of(lambda: spend(ann, 10, "h")) == "reference_reused"
    spend(ann, 10, "t")
    refund = lambda spent: points.refund(member_id=ann.pk, spent=spent, amount=5, reference="b", now=NOW)  # noqa: E731
    refund("s")
    assert code_of(lambda: refund("t")) == "reference_reused"
    reverse(ann, 5, "r")
    assert code_of(lambda: reverse(ann, 5, "r", source="order:2")) == "reference_reused"


def test_the_detail_of_a_booking_is_the_callers_own(ann: Member) -> None:
    first = earn(ann, 10, detail={"asked": "how much", "因": "双倍"})
    assert earn(ann, 10, detail={}) == first._replace(duplicate=True)


@pytest.mark.parametrize("detail", [{"a": float("nan")}, {"a": "\0"}, {"a": "\ud800"}, {"a": object()}])
def test_what_cannot_be_stored_is_refused(ann: Member, detail: dict[str, Any]) -> None:
    assert code_of(lambda: earn(ann, 1, detail=detail)) == "bad_detail"
    assert code_of(lambda: earn(ann, 1, source="\x1f")) == "bad_source"
    assert code_of(lambda: earn(ann, 1, source="x" * 81)) == "bad_source"
    assert code_of(lambda: earn(ann, 1, reason="\ud800")) == "bad_reason"


def test_inactivity_counts_from_the_last_earning_or_spending(ann: Member) -> None:
    policy(expiry="inactivity", expiry_count=10)
    earn(ann, 100)
    hold(ann, 20, minutes=60 * 24 * 9, now=NOW + 4 * DAY)
    points.post(member_id=ann.pk, reference="h", amount=10, now=NOW + 8 * DAY)
    points_due.book_due(now=NOW + 17 * DAY)
    assert available(ann) == 90
    points_due.book_due(now=NOW + 18 * DAY)
    assert available(ann) == 0


def test_pending_points_do_not_die_of_inactivity_before_they_can_be_spent(ann: Member) -> None:
    policy(expiry="inactivity", expiry_count=5, pending_days=20)
    earn(ann, 100)
    points_due.book_due(now=NOW + 24 * DAY)
    assert available(ann) == 100
    points_due.book_due(now=NOW + 25 * DAY)
    assert available(ann) == 0


def test_what_is_given_back_to_an_idle_account_has_the_days_of_grace(ann: Member) -> None:
    policy(expiry="inactivity", expiry_count=5, grace_days=3)
    earn(ann, 100)
    spend(ann, 40)
    given = points.refund(member_id=ann.pk, spent="s", amount=40, reference="b", now=NOW + 6 * DAY)
    assert given.available == 40
    points_due.book_due(now=NOW + 9 * DAY)
    assert available(ann) == 0


def test_bulk_credits_leave_out_who_is_gone_and_refuse_nonsense(ann: Member) -> None:
    gone = make_member()
    for one in (ann, gone):
        earn(one, 1)
    Member.objects.filter(pk=gone.pk).update(status="erased")
    assert points.earn_many(credits=[Credit(ann.pk, 5, "g"), Credit(gone.pk, 5, "g")], now=NOW) == {ann.pk: True}
    assert code_of(lambda: earn(gone, 1, "late")) == "unknown_member"
    twice = [Credit(ann.pk, 1, "x"), Credit(ann.pk, 1, "y")]
    assert code_of(lambda: points.earn_many(credits=twice, now=NOW)) == "member_twice"
    soon = [Credit(ann.pk, 1, "x", occurred_at=NOW + DAY)]
    assert code_of(lambda: points.earn_many(credits=soon, now=NOW)) == "in_future"
    policy(pending_days=10, expiry="days", expiry_count=5)
    assert code_of(lambda: points.earn_many(credits=[Credit(ann.pk, 1, "x")], now=NOW)) == "expires_early"


def test_no_balance_overflows(ann: Member) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(points_earn(%s, %s, 1000000000000, 'earn', 'n' || n, 'order:1', %s, %s, NULL, '', '{}', %s))
            FROM generate_series(1, 1000) AS n
            """,
            [ann.pk, currencies.currency_id("points"), NOW, NOW, NOW],
        )
    assert available(ann) == 10**15
    assert code_of(lambda: earn(ann, 1, "more")) == "balance_out_of_range"
    assert code_of(lambda: points.earn_many(credits=[Credit(ann.pk, 1, "more")], now=NOW)) == "balance_out_of_range"
    assert code_of(lambda: earn(ann, 10**12 + 1, "much")) == "amount_out_of_range"
    assert spend(ann, 10**12).available == 10**15 - 10**12
    assert reverse(ann, 10**12).available == 10**15 - 2 * 10**12


def test_what_is_not_booked_leaves_the_account_as_it_was(ann: Member) -> None:
    """The account is changed first: a repetition, also one that would have expired sooner, takes the change back."""
    earn(ann, 10, expires_at=NOW + 40 * DAY)
    spend(ann, 3)
    before = PointsAccount.objects.values().get(member=ann)
    assert (before["last_number"], before["due_at"]) == (2, NOW + 40 * DAY)
    assert earn(ann, 10, expires_at=NOW + 5 * DAY).duplicate
    assert spend(ann, 3).duplicate
    Member.objects.filter(pk=ann.pk).update(status="erased")
    assert code_of(lambda: earn(ann, 10, "e2", expires_at=NOW + 5 * DAY)) == "unknown_member"
    assert code_of(lambda: spend(ann, 3, "s2")) == "unknown_member"
    assert PointsAccount.objects.values().get(member=ann) == {**before, "in_steps": True}
