"""Points for orders and events, from the intake to the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from members.models import EarningBudget, Member, PointsAccount, PointsEarning, PointsEntry
from members.operations import currencies, earning_rules, intake
from members.rules.intake import EventIn, MemberRef, OrderIn, OrderLineIn, RefundIn
from scrm.common.conditions import BadCondition
from scrm.common.errors import Conflict, Invalid
from tests.factories import NOW, make_member, make_store

pytestmark = pytest.mark.django_db
PAID = NOW - timedelta(days=1)


@pytest.fixture
def member() -> Member:
    currencies.change(key="points", content=currencies.Content(name="积分"))
    return make_member(phone="+8613800000001")


def rule(
    name: str = "基础积分", *, starts_at: datetime = NOW - timedelta(days=30), trigger: str = "order", **definition: Any
):
    made = earning_rules.create(
        name=name, currency="points", trigger=trigger, definition={"base": {"points": 1}, **definition}, now=starts_at
    )
    return earning_rules.activate(rule_id=made.pk, now=starts_at)


def order(member: Member, amount: str, number: str = "A1", *, paid_at: datetime = PAID, **values: Any) -> OrderIn:
    values.setdefault("state", "paid")
    return OrderIn(
        number=number, source="shop", member=MemberRef(member_id=member.pk), amount=Decimal(amount), ordered_at=paid_at,
        paid_at=paid_at, **values,
    )  # fmt: skip


def land(*items: OrderIn, now: datetime = NOW) -> None:
    assert {one.status for one in intake.land_orders(items=list(items), now=now)} <= {
        "accepted",
        "updated",
        "duplicate",
        "ignored",
    }


def balance(member: Member, currency: str = "points") -> int:
    return sum(PointsAccount.objects.filter(member=member, currency__key=currency).values_list("available", flat=True))


def test_an_order_earns_what_its_rule_says(member: Member) -> None:
    rule()
    land(order(member, "60.99"))
    assert balance(member) == 60
    entry = PointsEntry.objects.get(member=member)
    earning = PointsEarning.objects.get(member=member)
    assert entry.source == earning.source
    assert entry.occurred_at == PAID
    [line] = entry.detail["lines"]
    assert (line["rule"], line["version"], line["base"], line["rate"], line["points"]) == (
        "基础积分",
        1,
        6099,
        "1/1.00",
        60,
    )


def test_without_a_rule_nothing_is_kept(member: Member) -> None:
    land(order(member, "60"))
    assert not PointsEarning.objects.exists()
