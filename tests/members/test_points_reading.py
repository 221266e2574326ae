"""What a member is shown is what the ledger will have booked, at every instant."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from django.db import connection, transaction

from members.models import Member, PointsAccount, PointsCurrency, PointsLot
from members.operations import currencies, points, points_due
from members.queries import points as reading
from members.queries import points_lots
from members.queries.points import Balance
from scrm.common.errors import DomainError, Invalid
from scrm.common.transactions import atomic
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def currency() -> PointsCurrency:
    return currencies.get("points")


@pytest.fixture
def member(currency: PointsCurrency) -> Member:
    return make_member()


def now_has(member: Member, currency: PointsCurrency, at) -> Balance:
    return reading.balance(member_id=member.pk, currency_id=currency.pk, as_of=at)


def had(member: Member, currency: PointsCurrency, at, now) -> Balance:
    return reading.balance_at(member_id=member.pk, currency_id=currency.pk, at=at, now=now)


def test_points_are_gone_at_the_instant_at_which_they_expire(member: Member, currency: PointsCurrency) -> None:
    points.earn(member_id=member.pk, amount=100, reference="a", expires_at=NOW + DAY, now=NOW)
    assert now_has(member, currency, NOW + DAY - timedelta(microseconds=1)) == Balance(available=100)
    assert now_has(member, currency, NOW + DAY) == Balance()
    assert points_lots.open_lots(member_id=member.pk, currency_id=currency.pk, as_of=NOW + DAY) == []
    assert PointsAccount.objects.get(member=member).available == 100  # not booked yet


def test_pending_points_can_be_used_once_their_time_has_come(member: Member, currency: PointsCurrency) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=7))
    points.earn(member_id=member.pk, amount=100, reference="a", now=NOW)
    assert now_has(member, currency, NOW) == Balance(pending=100)
    assert now_has(member, currency, NOW + 7 * DAY) == Balance(available=100)


def test_a_hold_ends_by_itself(member: Member, currency: PointsCurrency) -> None:
    points.earn(member_id=member.pk, amount=100, reference="a", now=NOW)
    points.hold(member_id=member.pk, amount=80, reference="h", minutes=30, now=NOW)
    assert now_has(member, currency, NOW) == Balance(available=20, held=80)
    assert len(points_lots.open_holds(member_id=member.pk, currency_id=currency.pk, as_of=NOW)) == 1
    half_an_hour = NOW + timedelta(minutes=30)
    assert now_has(member, currency, half_an_hour) == Balance(available=100)
    assert not points_lots.open_holds(member_id=member.pk, currency_id=currency.pk, as_of=half_an_hour)


def test_arrears_are_repaid_by_what_becomes_available(member: Member, currency: PointsCurrency) -> None:
    points.earn(member_id=member.pk, amount=100, reference="a", source="order:1", now=NOW)
    points.spend(member_id=member.pk, amount=100, reference="s", now=NOW)
    points.reverse(member_id=member.pk, source="order:1", amount=100, reference="r", now=NOW)
    currencies.change(key="points", content=currencies.Content(name="积分", pending_days=7))
    points.earn(member_id=member.pk, amount=130, reference="b", now=NOW)
    assert now_has(member, currency, NOW) == Balance(pending=130, available=-100)
    assert now_has(member, currency, NOW).arrears == 100
    assert now_has(member, currency, NOW + 7 * DAY) == Balance(available=30)
    [lot] = points_lots.open_lots(member_id=member.pk, currency_id=currency.pk, as_of=NOW + 7 * DAY)
    assert (lot.earned, lot.remaining, lot.active) == (130, 30, True)


def test_the_balance_of_a_day_is_what_was_seen_on_it(member: Member, currency: PointsCurrency) -> None:
    points.earn(member_id=member.pk, amount=100, reference="a", expires_at=NOW + 10 * DAY, now=NOW)
    points.spend(member_id=member.pk, amount=30, reference="s", now=NOW + 2 * DAY)
    points.refund(member_id=member.pk, spent="s", amount=10, reference="b", now=NOW + 4 * DAY)
    later = NOW + 30 * DAY
    seen = [had(member, currency, NOW + day * DAY, later).available for day in (-1, 0, 1, 2, 3, 4, 9, 10, 11)]
    assert seen == [0, 100, 100, 70, 70, 80, 80, 0, 0]
    points_due.book_due(now=later)
    assert [had(member, currency, NOW + day * DAY, later).available for day in (-1, 0, 1, 2, 3, 4, 9, 10, 11)] == seen


def test_what_arrives_too_late_to_be_used_was_never_seen(member: Member, currency: PointsCurrency) -> None:
    points.earn(member_id=member.pk, amount=50, reference="a", occurred_at=NOW - 9 * DAY, expires_at=NOW - DAY, now=NOW)
    assert [had(member, currency, NOW + day * DAY, NOW).available for day in (-9, -2, -1, 0)] == [0, 0, 0, 0]


def test_the_balance_of_tomorrow_is_not_told(member: Member, currency: PointsCurrency) -> None:
    with pytest.raises(Invalid) as caught:
        had(member, currency, NOW + DAY, NOW)
    assert caught.value.code == "in_future"


def test_what_expires_is_told_by_the_last_day_of_use(member: Member, currency: PointsCurrency) -> None:
    # NOW is noon in Shanghai on 21 November; the policy of 积分 is the end of the next year.
    points.earn(member_id=member.pk, amount=100, reference="a", now=NOW)
    points.earn(member_id=member.pk, amount=20, reference="b", expires_at=NOW + DAY, now=NOW)
    points.earn(member_id=member.pk, amount=30, reference="c", expires_at=NOW + DAY + timedelta(hours=1), now=NOW)
    points.spend(member_id=member.pk, amount=5, reference="s", now=NOW)
    soon = points_lots.expiring(member_id=member.pk, currency_id=currency.pk, as_of=NOW, days=500)
    assert soon == [
        points_lots.Expiring(date(2026, 11, 22), 45),
        points_lots.Expiring(date(2027, 12, 31), 100),
    ]
    assert points_lots.expiring(member_id=member.pk, currency_id=currency.pk, as_of=NOW, days=1) == [
        points_lots.Expiring(date(2026, 11, 22), 15)
    ]


def test_many_members_are_read_at_once(member: Member, currency: PointsCurrency, django_assert_num_queries) -> None:
    others = [make_member() for _ in range(3)]
    for number, other in enumerate(others):
        points.earn(member_id=other.pk, amount=10 + number, reference="a", expires_at=NOW + DAY, now=NOW)
    ids = [member.pk, *(other.pk for other in others)]
    with django_assert_num_queries(1):
        found = reading.balances_of(member_ids=ids, currency_id=currency.pk, as_of=NOW)
    assert found == {other.pk: Balance(available=10 + number) for number, other in enumerate(others)}


@pytest.mark.parametrize("seed", range(40))
def test_reading_ahead_is_settling_on_paper(seed: int, currency: PointsCurrency) -> None:
    """Random histories: at random instants what is read is, to the lot, what booking what is due then leaves."""
    chance = random.Random(seed)
    currencies.change(
        key="points",
        content=currencies.Content(
            name="积分",
            pending_days=chance.choice([0, 0, 3]),
            grace_days=chance.choice([0, 2]),
            expiry=chance.choice(["never", "days", "inactivity"]),
            expiry_count=5,
        ),
    )
    member = make_member()
    now = NOW
    for step in range(25):
        now += timedelta(hours=chance.choice([0, 1, 12, 30, 60]))
        act = chance.choice(["earn", "earn", "spend", "hold", "post", "void", "refund", "reverse"])
        number = chance.randrange(step + 1)
        amount = chance.randrange(1, 60)
        values = {
            "earn": {"amount": amount, "reference": f"e{step}", "source": f"o{step}"},
            "spend": {"amount": amount, "reference": f"s{step}"},
            "hold": {"amount": amount, "reference": f"h{step}", "minutes": chance.choice([30, 2_000, 9_000])},
            "post": {"amount": amount, "reference": f"h{number}"},
            "void": {"reference": f"h{number}"},
            "refund": {"spent": f"s{number}", "amount": amount, "reference": f"r{step}"},
            "reverse": {"source": f"o{number}", "amount": amount, "reference": f"x{step}"},
        }
        try:
            with atomic():
                getattr(points, act)(member_id=member.pk, now=now, **values[act])
        except DomainError:
            continue
        at = now + timedelta(hours=chance.choice([1, 40, 100, 200, 400]))
        read = reading.balance(member_id=member.pk, currency_id=currency.pk, as_of=at)
        lots = points_lots.open_lots(member_id=member.pk, currency_id=currency.pk, as_of=at)
        due = _due(member, at)
        before = transaction.savepoint()
        points_due.book_due(now=at)
        account = PointsAccount.objects.get(member=member)
        assert (read.pending, read.available, read.held) == (account.pending, account.available, account.held)
        booked = PointsLot.objects.filter(member=member, remaining__gt=0)
        assert sorted((lot.number, lot.remaining, lot.held, lot.active) for lot in lots) == sorted(
            booked.values_list("number", "remaining", "held", "active")
        )
        assert due == account.due_at
        assert reading.balance_at(member_id=member.pk, currency_id=currency.pk, at=at, now=at) == read
        if chance.random() < 0.5:
            now = at
            transaction.savepoint_commit(before)
        else:
            transaction.savepoint_rollback(before)


def _due(member: Member, at):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (points_ahead(a, %s)).due_at FROM members_pointsaccount a WHERE a.member_id = %s", [at, member.pk]
        )
        return cursor.fetchone()[0]
