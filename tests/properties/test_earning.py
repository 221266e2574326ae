"""What must always hold of earning: whatever order facts arrive in, and whatever rules say."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from members.models import Member, PointsAccount, PointsEarning, PointsEntry
from members.operations import currencies, earning_rules, intake, references
from members.rules import earning, earning_caps, earning_parse
from members.rules.earning import SCALE, Answer, Fact, Version
from members.rules.intake import MemberRef, OrderIn, OrderLineIn, RefundIn
from scrm.common import clock
from tests.factories import NOW, make_member

ZONE = clock.shop_zone()
AT = datetime(2026, 11, 18, 10, 0, tzinfo=ZONE)
factors = st.integers(1, 100 * SCALE).map(lambda value: str(Decimal(value) / SCALE))
kinds = st.sampled_from([
    {"kind": "channel", "value": "app"}, {"kind": "category", "value": "茶饮"}, {"kind": "time", "weekdays": [3]},
    {"kind": "tag", "value": 7}, {"kind": "product", "value": "C1"}, {"kind": "time", "birthday": "month"},
])  # fmt: skip
multipliers = st.lists(st.builds(lambda kind, factor: {**kind, "factor": factor}, kinds, factors), max_size=4)
bases = st.one_of(
    st.fixed_dictionaries(
        {"points": st.integers(1, 50), "per": st.integers(1, 10_000), "rounding": st.sampled_from(["down", "half_up"])}
    ),
    st.fixed_dictionaries({"kind": st.just("fixed"), "points": st.integers(1, 500)}),
)
stackings = st.one_of(
    st.just({"kind": "add"}), st.sampled_from(["a", "b"]).map(lambda group: {"kind": "best", "group": group})
)
definitions = st.fixed_dictionaries(
    {
        "base": bases, "multipliers": multipliers, "combine": st.sampled_from(["multiply", "highest"]),
        "stacking": stackings,
    },
    optional={
        "scope": st.sampled_from([{"categories": ["茶饮"]}, {"minimum": 5_000}, {"channels": ["app"]}]),
        "caps": st.sampled_from([{"order": 70}, {"day": 100}, {"day": 60, "month": 90}, {"ever": 150}]),
        "position": st.integers(1, 5),
    },
)  # fmt: skip
rule_sets = st.lists(definitions, min_size=1, max_size=4)


def versions(said: list[dict[str, Any]]) -> list[Version]:
    return [
        Version(place, place, 1, f"规则{place}", earning_parse.parse(one, trigger="order"))
        for place, one in enumerate(said, 1)
    ]


def fact(amount: int, *, tea: int = 0, at: datetime = AT, net: int | None = None) -> Fact:
    lines = [("T1", "茶饮", tea), ("C1", "餐具", 10_000 - tea)]
    return Fact("order:1", 1, at, amount, amount if net is None else net, channel="app", lines=lines)


ANSWER = Answer(tags=frozenset({7}), birth=(11, 3))


@settings(max_examples=300, deadline=None)
@given(rule_sets, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10_000))
def test_more_money_never_earns_less(said: list[dict[str, Any]], amount: int, more: int, tea: int) -> None:
    rules = versions(said)
    answers = {version.id: ANSWER for version in rules}
    small = sum(line.wanted for line in earning.award(rules, fact(amount, tea=tea), answers))
    large = sum(line.wanted for line in earning.award(rules, fact(amount + more, tea=tea), answers))
    assert small <= large


@settings(max_examples=300, deadline=None)
@given(rule_sets, st.integers(1, 10**7), st.integers(0, 10_000), st.randoms())
def test_the_order_in_which_rules_are_named_does_not_matter(
    said: list[dict[str, Any]], amount: int, tea: int, random: Any
) -> None:
    rules = versions(said)
    answers = {version.id: ANSWER for version in rules}
    named = earning.award(rules, fact(amount, tea=tea), answers)
    random.shuffle(rules)
    assert earning.award(rules, fact(amount, tea=tea), answers) == named


@settings(max_examples=300, deadline=None)
@given(rule_sets, st.lists(st.tuples(st.integers(1, 50_000), st.integers(0, 40)), max_size=12))
def test_no_limit_is_passed(said: list[dict[str, Any]], orders: list[tuple[int, int]]) -> None:
    rules = versions(said)
    answers = {version.id: ANSWER for version in rules}
    facts = sorted((AT + timedelta(days=days), amount) for amount, days in orders)
    history = [(at.date(), earning.award(rules, fact(amount, tea=3_000, at=at), answers)) for at, amount in facts]
    earning_caps.apply(history)
    for version in rules:
        caps = version.definition.caps
        given_by = [(day, line.points) for day, lines in history for line in lines if line.rule_id == version.rule_id]
        for cap, key in (("day", "%Y-%m-%d"), ("month", "%Y-%m"), ("ever", "")):
            sums: dict[str, int] = {}
            for day, points in given_by:
                sums[day.strftime(key)] = sums.get(day.strftime(key), 0) + points
            assert all(total <= caps.get(cap, total) for total in sums.values())
        assert all(points <= caps.get("order", points) for _, points in given_by)
        assert all(0 <= line.points <= line.wanted for _, lines in history for line in lines)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 10**9), st.lists(st.integers(1, 10**8), max_size=6))
def test_refunds_in_parts_never_take_more_than_was_earned(gross: int, amount: int, parts: list[int]) -> None:
    left, kept = amount, gross
    for part in parts:
        left = max(left - part, 0)
        now = earning.left_after_refunds(gross, amount, left)
        assert 0 <= now <= kept
        kept = now
    assert earning.left_after_refunds(gross, amount, 0) == 0


ORDERS = st.lists(
    st.fixed_dictionaries({
        "amount": st.integers(100, 30_000), "hours": st.integers(0, 70), "state": st.sampled_from(["paid", "closed"]),
        "second": st.one_of(st.none(), st.integers(100, 30_000)), "refund": st.integers(0, 100),
    }),
    min_size=1, max_size=4,
)  # fmt: skip


def items(member: Member, orders: list[dict[str, Any]]) -> list[OrderIn | RefundIn]:
    """Every version of every order and every refund, each to be landed by itself."""
    made: list[OrderIn | RefundIn] = []
    for place, one in enumerate(orders):
        paid_at = AT + timedelta(hours=one["hours"])
        amounts = [one["amount"]] + ([one["second"]] if one["second"] is not None else [])
        for version, amount in enumerate(amounts):
            made.append(
                OrderIn(
                    number=f"A{place}", source="shop", member=MemberRef(member_id=member.pk),
                    state=one["state"] if version == len(amounts) - 1 else "paid", amount=Decimal(amount) / 100,
                    ordered_at=paid_at, paid_at=paid_at, version_at=paid_at + timedelta(days=version),
                    lines=[OrderLineIn(sku="T1", category="茶饮", quantity=1, unit_price=Decimal(amount) / 100)],
                )
            )  # fmt: skip
        if back := min(amounts) * one["refund"] // 100:
            made.append(
                RefundIn(
                    number=f"R{place}", source="shop", order_number=f"A{place}", amount=Decimal(back) / 100,
                    refunded_at=paid_at + timedelta(days=1), member=MemberRef(member_id=member.pk),
                )
            )  # fmt: skip
    return made


def land(landed: list[OrderIn | RefundIn]) -> None:
    for item in landed:
        if isinstance(item, OrderIn):
            intake.land_orders(items=[item], now=NOW + timedelta(days=9))
        else:
            intake.land_refunds(items=[item], now=NOW + timedelta(days=9))


def ends(member: Member) -> tuple[int, list[tuple[datetime, int, int]]]:
    """The balance, and what each order has earned."""
    account = PointsAccount.objects.filter(member=member, currency__key="points").first()
    rows = PointsEarning.objects.filter(member=member)
    for row in rows:
        assert sum(line["points"] for line in row.lines) == row.points == row.booked
    earned = sorted((row.occurred_at, row.amount, row.points) for row in rows if row.points)
    return (account.available if account else 0), earned


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule_sets, ORDERS, st.randoms())
def test_facts_in_any_order_and_repeated_end_at_the_same_points(
    said: list[dict[str, Any]], orders: list[dict[str, Any]], random: Any
) -> None:
    with transaction.atomic():
        currencies.change(key="points", content=currencies.Content(name="积分"))
        references.source_ids(["shop"])
        for place, one in enumerate(said):
            one = {**one, "multipliers": [row for row in one["multipliers"] if row["kind"] in ("channel", "time")]}
            if "scope" in one and "categories" in one["scope"]:
                del one["scope"]
            start = AT - timedelta(days=30)
            rule = earning_rules.create(
                name=f"规则{place}", currency="points", trigger="order", definition=one, now=start
            )
            earning_rules.activate(rule_id=rule.pk, now=start)
        first, second = make_member(), make_member()
        as_told = items(first, orders)
        land(as_told)
        shuffled = [item for item in items(second, orders) for _ in range(random.randint(1, 2))]
        shuffled = [_renamed(item) for item in shuffled]
        random.shuffle(shuffled)
        land(shuffled)
        assert ends(second) == ends(first)
        entries = PointsEntry.objects.count()
        land(shuffled)
        assert PointsEntry.objects.count() == entries
        transaction.set_rollback(True)


def _renamed(item: OrderIn | RefundIn) -> OrderIn | RefundIn:
    """The same fact of the other member: numbers are unique over all members."""
    if isinstance(item, OrderIn):
        return replace(item, number=f"B{item.number}")
    return replace(item, number=f"B{item.number}", order_number=f"B{item.order_number}")
