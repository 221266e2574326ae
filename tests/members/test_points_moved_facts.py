"""Facts about a member whose ledger was moved: what they earn and take back is booked where the points are now.

Ann's ledger is moved to Ben on 10 November 2026. Her orders stay hers, and what becomes of them goes on.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import members.tasks  # noqa: F401  # registers what runs the jobs
from members.models import (
    Event,
    EventType,
    Member,
    PointsAccount,
    PointsEarning,
    PointsEntry,
    PointsLot,
    TaskCompletion,
)
from members.operations import (
    benefits,
    checkins,
    currencies,
    earning_rules,
    intake,
    memberships,
    points,
    points_grants,
    points_moves,
    points_warnings,
    rewards,
    tasks,
)
from members.operations.memberships import PlanContent
from members.operations.rewards import Gift
from members.queries import points_check
from members.rules.intake import RefundIn
from members.rules.rewards import Points
from scrm.common import jobs
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict
from tests.factories import make_member
from tests.members.giving import make_benefit
from tests.members.tasking import balance, buy, do, done, event, make_task, order, refund
from tests.members.tasking import points as worth
from tests.members.test_checkins import make_calendar
from tests.members.test_tiers import ladder, tier_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def nov(day: int, hour: int = 12) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02}T{hour:02}:00:00+08:00")


@pytest.fixture(autouse=True)
def _proven() -> Any:
    """Every test ends with a ledger that keeps all promises, and bookings that say what is in it."""
    currencies.get("points")
    yield
    assert list(map(str, points_check.check())) == []
    assert points_check.unbalanced() == []


@pytest.fixture
def ann() -> Member:
    return make_member(name="安")


@pytest.fixture
def ben() -> Member:
    return make_member(name="本")


@pytest.fixture(params=["active", "merged"])
def becomes(request: pytest.FixtureRequest) -> str:
    """What Ann is when her ledger has been moved."""
    return str(request.param)


def make_rule(currency: str = "points", trigger: str = "order", **definition: Any) -> None:
    """A point for every yuan of an order, or 20 for a review."""
    definition.setdefault("base", {"points": 1} if trigger == "order" else {"kind": "fixed", "points": 20})
    if trigger == "event":
        EventType.objects.get_or_create(key="review")
        definition.setdefault("event", {"type": "review"})
    rule = earning_rules.create(
        name=f"{currency} {trigger}", currency=currency, trigger=trigger, definition=definition, now=nov(1)
    )
    earning_rules.activate(rule_id=rule.pk, now=nov(1))


def move(one: Member, other: Member, now: datetime | None = None, becomes: str = "active") -> int:
    number = points_moves.move(from_member=one.pk, to_member=other.pk, now=now or nov(10))
    if becomes == "merged":
        Member.objects.filter(pk=one.pk).update(status="merged", merged_into=other)
    return number


def earned(member: Member) -> list[tuple[int, int]]:
    """What each fact of the member is to earn, and what is booked of it."""
    rows = PointsEarning.objects.filter(member=member).order_by("occurred_at", "source")
    return list(rows.values_list("points", "booked"))


def entries(member: Member, kind: str) -> list[tuple[int, int | None]]:
    """Amounts, and whose fact it was when it was not their own."""
    found = PointsEntry.objects.filter(member=member, currency__key="points", kind=kind).order_by("number")
    return [(entry.amount, entry.detail.get("of_member")) for entry in found]


def returned(number: str, of: str, amount: str, day: int) -> RefundIn:
    return RefundIn(
        source="shop", number=number, order_number=of, amount=Decimal(amount), refunded_at=nov(day)
    )  # fmt: skip


def test_a_refund_is_taken_back_where_the_points_are(ann: Member, ben: Member, becomes: str) -> None:
    make_rule()
    eve = make_member(name="夏")
    buy(ann, "100", nov(2), number="A", now=nov(2))
    buy(eve, "50", nov(2), number="E", now=nov(2))
    points.spend(member_id=ann.pk, amount=30, reference="tea", now=nov(3))
    move(ann, ben, becomes=becomes)
    items = [returned("RA", "A", "40", 11), returned("RE", "E", "50", 11)]
    for _ in range(2):
        outcomes = intake.land_refunds(items=items, now=nov(11))
    assert [one.status for one in outcomes] == ["duplicate", "duplicate"]
    assert (balance(ann), balance(ben), balance(eve)) == (0, 100 - 30 - 40, 0)
    assert (entries(ben, "reverse"), earned(ann), earned(ben)) == ([(40, ann.pk)], [(60, 60)], [])
    intake.land_refunds(items=[returned("RB", "A", "60", 12)], now=nov(12))
    # The 30 that were spent become arrears: of whoever has the ledger.
    assert (balance(ann), balance(ben), earned(ann)) == (0, -30, [(0, 0)])


def test_an_order_that_changes_is_booked_where_the_points_are(ann: Member, ben: Member, becomes: str) -> None:
    make_rule()
    buy(ann, "100", nov(2), number="A", now=nov(2))
    move(ann, ben, becomes=becomes)
    for version, amount in ((11, "150"), (12, "90"), (13, "120")):
        buy(ann, amount, nov(2), number="A", version_at=nov(version), now=nov(version))
    assert (balance(ann), balance(ben), earned(ann)) == (0, 120, [(120, 120)])
    assert (entries(ben, "earn"), entries(ben, "reverse")) == ([(50, ann.pk), (30, ann.pk)], [(60, ann.pk)])
    refund(ann, "A", "120", when=nov(14), now=nov(14))
    assert (balance(ann), balance(ben), earned(ann)) == (0, 0, [(0, 0)])


def test_an_order_that_is_paid_only_now_earns_where_the_points_are(ann: Member, ben: Member, becomes: str) -> None:
    make_rule()
    buy(ann, "80", nov(9), number="A", state="created", now=nov(9))
    move(ann, ben, becomes=becomes)
    buy(ann, "80", nov(11), number="A", now=nov(11))
    assert (balance(ann), balance(ben), earned(ann)) == (0, 80, [(80, 80)])


def test_new_orders_and_events_earn_where_the_points_are(ann: Member, ben: Member) -> None:
    """In one batch with Ben's own, and with somebody else's."""
    make_rule()
    make_rule(trigger="event")
    move(ann, ben)
    eve = make_member(name="夏")
    items = [order(one, amount, nov(11), number=amount) for one, amount in ((ann, "10"), (ben, "20"), (eve, "40"))]
    for _ in range(2):
        outcomes = intake.land_orders(items=items, now=nov(11))
    assert {one.status for one in outcomes} == {"duplicate"}
    happened = [event(one, nov(12), type="review") for one in (ann, ben, eve, ann)]
    for _ in range(2):
        intake.land_events(items=happened, now=nov(12))
    assert (balance(ann), balance(ben), balance(eve)) == (0, 10 + 20 + 3 * 20, 40 + 20)
    assert (len(earned(ann)), len(earned(ben))) == (3, 2)
    assert [entry for entry in entries(ben, "earn") if entry[1]] == [(10, ann.pk), (20, ann.pk), (20, ann.pk)]


def test_what_a_merged_member_does_is_of_whoever_they_are_now(ann: Member, ben: Member) -> None:
    make_rule()
    move(ann, ben, becomes="merged")
    buy(ann, "10", nov(11), number="new", now=nov(11))
    assert (balance(ben), earned(ann), earned(ben)) == (10, [], [(10, 10)])


def test_ledgers_that_moved_on_are_followed_to_the_last(ann: Member, ben: Member) -> None:
    make_rule()
    kim = make_member(name="金")
    buy(ann, "100", nov(2), number="A", now=nov(2))
    move(ann, ben)
    buy(ann, "20", nov(11), number="B", now=nov(11))
    second = move(ben, kim, nov(12))
    refund(ann, "A", "50", when=nov(13), now=nov(13))
    refund(ann, "B", "10", when=nov(13), now=nov(13))
    buy(ann, "5", nov(13), number="C", now=nov(13))
    assert (balance(ann), balance(ben), balance(kim)) == (0, 0, 65)
    points_moves.undo(move_id=second, now=nov(14))
    assert (balance(ann), balance(ben), balance(kim)) == (0, 65, 0)
    for number, amount in (("A", "50"), ("B", "10"), ("C", "5")):
        refund(ann, number, amount, when=nov(15), now=nov(15))
    assert (balance(ann), balance(ben), balance(kim), earned(ann)) == (0, 0, 0, [(0, 0)] * 3)


def test_after_a_move_was_undone_facts_are_booked_at_home_again(ann: Member, ben: Member, becomes: str) -> None:
    make_rule()
    buy(ann, "100", nov(2), number="A", now=nov(2))
    number = move(ann, ben, becomes=becomes)
    Member.objects.filter(pk=ann.pk).update(status="active", merged_into=None)
    points_moves.undo(move_id=number, now=nov(11))
    refund(ann, "A", "40", when=nov(12), now=nov(12))
    assert (balance(ann), balance(ben), earned(ann)) == (60, 0, [(60, 60)])
    assert (entries(ann, "reverse"), entries(ben, "reverse")) == ([(40, None)], [])


def test_what_was_earned_while_merged_comes_home_once_she_is_active_again(ann: Member, ben: Member) -> None:
    """Not a point of her orders is left with Ben because of when the move is undone."""
    make_rule()
    buy(ann, "100", nov(2), number="A", now=nov(2))
    number = move(ann, ben, becomes="merged")
    buy(ann, "150", nov(2), number="A", version_at=nov(11), now=nov(11))
    buy(ben, "7", nov(11), number="B", now=nov(11))
    with pytest.raises(Conflict) as caught:
        points_moves.undo(move_id=number, now=nov(12))
    assert caught.value.code == "member_inactive"
    assert (balance(ann), balance(ben), entries(ben, "reverse")) == (0, 157, [])
    Member.objects.filter(pk=ann.pk).update(status="active", merged_into=None)
    points_moves.undo(move_id=number, now=nov(12))
    assert (balance(ann), balance(ben), earned(ann), earned(ben)) == (150, 7, [(150, 150)], [(7, 7)])
    refund(ann, "A", "150", when=nov(13), now=nov(13))
    assert (balance(ann), balance(ben), earned(ann)) == (0, 7, [(0, 0)])


def test_a_currency_that_comes_after_the_move_is_earned_where_the_ledger_is(ann: Member, ben: Member) -> None:
    number = move(ann, ben)
    currencies.create(key="coins", spendable=True, content=currencies.Content(name="金币"))
    make_rule("coins")
    buy(ann, "30", nov(11), number="A", now=nov(11))
    buy(ben, "5", nov(11), number="B", now=nov(11))
    with pytest.raises(Conflict) as caught:
        points.earn(member_id=ann.pk, currency="coins", amount=1, reference="api", now=nov(11))
    assert caught.value.code == "account_moved"
    assert not PointsAccount.objects.filter(member=ann, currency__key="coins").exists()
    assert balance(ben, "coins") == 35
    points_moves.undo(move_id=number, now=nov(12))
    assert (balance(ann, "coins"), balance(ben, "coins")) == (30, 5)
    refund(ann, "A", "30", when=nov(13), now=nov(13))
    assert (balance(ann, "coins"), balance(ben, "coins")) == (0, 5)


def test_what_was_earned_meanwhile_comes_home_when_a_move_is_undone(ann: Member, ben: Member) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=5))
    make_rule()
    buy(ann, "100", nov(2), number="A", now=nov(2))
    number = move(ann, ben)
    buy(ann, "150", nov(2), number="A", version_at=nov(11), now=nov(11))
    buy(ann, "30", nov(11), number="B", now=nov(11))
    buy(ben, "7", nov(2), number="C", now=nov(11))
    points.spend(member_id=ben.pk, amount=10, reference="tea", now=nov(12))
    points_moves.undo(move_id=number, now=nov(13))
    mine = PointsAccount.objects.get(member=ann, currency__key="points")
    assert (mine.available, mine.pending, balance(ben)) == (150 - 10 + 7 - 7, 30, 7)
    assert earned(ann) == [(150, 150), (30, 30)]
    refund(ann, "A", "150", when=nov(14), now=nov(14))
    refund(ann, "B", "30", when=nov(14), now=nov(14))
    mine.refresh_from_db()
    assert (mine.available, mine.pending, balance(ben), earned(ann)) == (-10, 0, 7, [(0, 0), (0, 0)])


@pytest.mark.parametrize("reversal", ["pending_only", "within_balance", "arrears"])
def test_what_comes_home_keeps_its_expiry_and_its_reasons_whatever_refunds_take(
    ann: Member, ben: Member, reversal: str
) -> None:
    """It was never Ben's: a policy about refunds does not keep it there. What he has set aside of it stays his."""
    content = currencies.Content(name="积分", reversal=reversal, expiry="days", expiry_count=30)
    currencies.change(key="points", content=content)
    make_rule()
    number = move(ann, ben)
    buy(ann, "100", nov(11), number="A", now=nov(11))
    points.hold(member_id=ben.pk, amount=30, reference="tea", minutes=60 * 24 * 5, now=nov(11))
    points_moves.undo(move_id=number, now=nov(12))
    assert (balance(ann), balance(ben)) == (70, 0)
    (home,) = PointsLot.objects.filter(member=ann, open=True)
    (there,) = PointsLot.objects.filter(member=ben, open=True)
    assert (there.remaining, there.held) == (30, 30)
    for name in ("earned_at", "activates_at", "expires_at", "source", "active"):
        assert getattr(home, name) == getattr(there, name)
    lines = PointsEntry.objects.get(member=ben, kind="earn").detail["lines"]
    assert PointsEntry.objects.get(member=ann, kind="move").detail == {
        "lines": lines, "unmove": number, "from": ben.pk,
    }  # fmt: skip
    assert points.post(member_id=ben.pk, reference="tea", amount=30, now=nov(13)).available == 0
    refund(ann, "A", "100", when=nov(14), now=nov(14))
    left = {"pending_only": 70, "within_balance": 0, "arrears": -30}[reversal]
    assert (balance(ann), balance(ben)) == (left, 0)


def test_what_was_earned_over_two_moves_comes_home_in_two_steps(ann: Member, ben: Member) -> None:
    make_rule()
    kim = make_member(name="金")
    first = move(ann, ben)
    buy(ann, "10", nov(11), number="A", now=nov(11))
    second = move(ben, kim, nov(12))
    buy(ann, "20", nov(13), number="B", now=nov(13))
    buy(ben, "40", nov(13), number="C", now=nov(13))
    buy(kim, "80", nov(13), number="D", now=nov(13))
    points_moves.undo(move_id=second, now=nov(14))
    assert (balance(ann), balance(ben), balance(kim)) == (0, 70, 80)
    points_moves.undo(move_id=first, now=nov(15))
    assert (balance(ann), balance(ben), balance(kim)) == (30, 40, 80)
    for one, number, amount in ((ann, "A", "10"), (ann, "B", "20"), (ben, "C", "40"), (kim, "D", "80")):
        refund(one, number, amount, when=nov(16), now=nov(16))
    assert (balance(ann), balance(ben), balance(kim)) == (0, 0, 0)


def test_rewards_of_meanwhile_come_home_and_are_taken_back_there(ann: Member, ben: Member) -> None:
    task = make_task("buys", kind="order", needed=1)
    number = move(ann, ben)
    buy(ann, "10", nov(11), number="A", now=nov(11))
    buy(ben, "10", nov(11), number="B", now=nov(11))
    points_moves.undo(move_id=number, now=nov(12))
    assert (balance(ann), balance(ben)) == (30, 30)
    refund(ann, "A", "10", when=nov(13), now=nov(13))
    assert (done(ann, task), done(ben, task), balance(ann), balance(ben)) == ([], ["1"], 0, 30)


def test_tasks_are_rewarded_and_taken_back_where_the_points_are(ann: Member, ben: Member) -> None:
    """Both do the same task; each has a reward, and each loses their own."""
    task = make_task("buys", kind="order", needed=1, rewards=[worth(30), worth(5, "growth")])
    move(ann, ben)
    for one, number in ((ann, "A"), (ben, "B")):
        buy(one, "10", nov(11), number=number, now=nov(11))
    assert (done(ann, task), done(ben, task)) == (["1"], ["1"])
    assert (balance(ann), balance(ben), balance(ann, "growth"), balance(ben, "growth")) == (0, 60, 0, 10)
    refund(ann, "A", "10", when=nov(12), now=nov(12))
    assert (done(ann, task), balance(ben), balance(ben, "growth")) == ([], 30, 5)
    buy(ann, "10", nov(13), number="A2", now=nov(13))
    assert (balance(ben), balance(ben, "growth")) == (60, 10)
    refund(ben, "B", "10", when=nov(14), now=nov(14))
    refund(ann, "A2", "10", when=nov(14), now=nov(14))
    assert (balance(ann), balance(ben), balance(ben, "growth")) == (0, 0, 0)


def test_a_task_that_was_done_before_is_undone_where_the_points_are(ann: Member, ben: Member, becomes: str) -> None:
    task = make_task("buys", kind="order", needed=1)
    buy(ann, "10", nov(2), number="A", now=nov(2))
    move(ann, ben, becomes=becomes)
    refund(ann, "A", "10", when=nov(11), now=nov(11))
    assert (done(ann, task), balance(ann), balance(ben)) == ([], 0, 0)
    assert entries(ben, "reverse") == [(30, ann.pk)]


def test_a_reward_that_is_claimed_goes_where_the_points_are(ann: Member, ben: Member) -> None:
    task = make_task("reads", claim="member")
    do(ann, nov(2), nov(3), nov(4), now=nov(4))
    move(ann, ben)
    for _ in range(2):
        tasks.claim(member_id=ann.pk, task_id=task.pk, now=nov(11))
    assert (balance(ann), balance(ben)) == (0, 30)
    assert TaskCompletion.objects.get(member=ann).rewarded_at == nov(11)


def test_check_ins_earn_where_the_points_are(ann: Member, ben: Member) -> None:
    make_calendar(makeup_price=1)
    checkins.check_in(member_id=ann.pk, now=nov(9))
    move(ann, ben)
    for one in (ann, ben):
        checkins.check_in(member_id=one.pk, now=nov(10))
    assert (balance(ann), balance(ben)) == (0, 1 + 2 + 1)
    # Paying is not done for her: the points are another one's now.
    with pytest.raises(Conflict) as caught:
        checkins.make_up(member_id=ann.pk, day=date(2026, 11, 8), pay="points", now=nov(11))
    assert caught.value.code == "account_moved"


def test_gifts_are_given_once_over_a_move(ann: Member, ben: Member) -> None:
    def give(day: int) -> None:
        gifts = [Gift(one.pk, "task:1:once:1", "task:1:once", [Points("points", 30)]) for one in (ann, ben)]
        rewards.give(gifts=gifts, now=nov(day))

    rewards.give(gifts=[Gift(ann.pk, "task:1:once:1", "task:1:once", [Points("points", 30)])], now=nov(2))
    move(ann, ben)
    rewards.give(gifts=[Gift(ann.pk, "task:2:once:1", "task:2:once", [Points("points", 4)])], now=nov(11))
    rewards.give(gifts=[Gift(ann.pk, "task:2:once:1", "task:2:once", [Points("points", 4)])], now=nov(11))
    give(11)
    assert balance(ben) == 34
    for _ in range(2):
        rewards.take_back(member_id=ann.pk, source="task:1:once", reason="退款", now=nov(12))
        rewards.take_back(member_id=ann.pk, source="task:2:once", reason="退款", now=nov(12))
    assert balance(ben) == 0


def granted(listed: list[Member] | None, key: str) -> dict[str, int]:
    ids = None if listed is None else [one.pk for one in listed]
    job = points_grants.start(grant=key, amount=50, member_ids=ids, actor=SYSTEM, now=nov(11))
    jobs.run(job_id=job.pk, handler=lambda _id, progress: points_grants.run(params=job.params, progress=progress))
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    return job.counts


def test_a_grant_to_many_reaches_each_ledger_once(ann: Member, ben: Member, becomes: str) -> None:
    eve, kim = make_member(name="夏"), make_member(name="金")
    points.earn(member_id=ann.pk, amount=1, reference="e", now=nov(2))
    move(ann, ben, becomes=becomes)
    move(kim, ben)
    assert granted([ann, eve], "春节") == {"granted": 2, "known": 0, "skipped": 0}
    assert (balance(ann), balance(ben), balance(eve)) == (0, 51, 50)
    assert granted([ann, ben, eve], "春节") == {"granted": 0, "known": 3, "skipped": 0}
    assert granted([ann, ben, eve, kim], "中秋") == {"granted": 2, "known": 2, "skipped": 0}
    assert granted([ann, kim], "国庆") == {"granted": 1, "known": 1, "skipped": 0}
    assert granted(None, "元旦")["granted"] == 2
    assert (balance(ann), balance(ben), balance(eve), balance(kim)) == (0, 201, 150, 0)


def test_growth_is_booked_where_it_is_and_lifts_or_lowers_whoever_has_it(ann: Member, ben: Member) -> None:
    currencies.get("growth")
    make_rule("growth")
    ladder(on_refund="at_once")
    buy(ann, "900", nov(2), number="A", now=nov(2))
    move(ann, ben)
    assert (tier_of(ann), tier_of(ben)) == ("basic", "basic")
    buy(ann, "100", nov(11), number="B", now=nov(11))
    assert (tier_of(ann), tier_of(ben), balance(ben, "growth")) == ("basic", "silver", 1_000)
    refund(ann, "A", "300", when=nov(12), now=nov(12))
    assert (tier_of(ann), tier_of(ben), balance(ben, "growth")) == ("basic", "basic", 700)


def test_a_tier_goes_with_its_growth_and_its_gift_stays_in_the_ledger(ann: Member, ben: Member) -> None:
    """Gold brought Ann 200 points. Neither the move nor its undoing gives or takes them a second time."""
    currencies.get("growth")
    make_rule("growth")
    ladder(on_refund="at_once")
    buy(ann, "5000", nov(2), number="A", now=nov(2))
    assert (tier_of(ann), balance(ann)) == ("gold", 200)
    number = move(ann, ben)
    assert (tier_of(ann), tier_of(ben), balance(ann), balance(ben)) == ("basic", "gold", 0, 200)
    points_moves.undo(move_id=number, now=nov(11))
    assert (tier_of(ann), tier_of(ben), balance(ann), balance(ben)) == ("gold", "basic", 200, 0)


def test_growth_of_a_former_year_lifts_whoever_it_is_moved_to(ann: Member, ben: Member) -> None:
    currencies.get("growth")
    ladder(window="calendar", period="year", validity="next_period_end")
    points.earn(member_id=ann.pk, currency="growth", amount=5_000, reference="g", now=nov(2))
    move(ann, ben, datetime.fromisoformat("2027-01-05T12:00:00+08:00"))
    assert (tier_of(ben), balance(ben, "growth")) == ("gold", 5_000)


def test_the_gift_of_a_tier_by_orders_goes_where_the_points_are(ann: Member, ben: Member) -> None:
    ladder(basis="orders", on_refund="at_once", steps=[("basic", 0, 0, []), ("gold", 1, 1, [worth(200)])])
    move(ann, ben)
    buy(ann, "10", nov(11), number="A", now=nov(11))
    assert (tier_of(ann), balance(ann), balance(ben)) == ("gold", 0, 200)
    refund(ann, "A", "10", when=nov(12), now=nov(12))
    assert (tier_of(ann), balance(ann), balance(ben)) == ("basic", 0, 0)


def test_what_books_nothing_in_the_ledger_goes_on(ann: Member, ben: Member) -> None:
    """Benefits and paid memberships stay hers; warnings go to whoever has what expires."""
    ids = ladder()
    make_benefit("parking")
    memberships.create_plan(key="plus", content=PlanContent(name="Plus", price=100, term_days=30, tier_id=ids["gold"]))
    points.earn(member_id=ann.pk, amount=9, reference="e", expires_at=nov(30) + DAY / 2, now=nov(2))
    move(ann, ben)
    benefits.claim(member_id=ann.pk, benefit_key="parking", reference="c", now=nov(11))
    memberships.buy(member_id=ann.pk, plan="plus", reference="m", now=nov(11))
    assert (tier_of(ann), tier_of(ben)) == ("gold", "basic")
    currencies.change(key="points", content=currencies.Content(name="积分", warn_days=[7]))
    assert points_warnings.warn(now=nov(23)) == 1
    assert Event.objects.get(type__key="points.expiring").member == ben
