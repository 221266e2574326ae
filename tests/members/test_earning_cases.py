"""The cases of earning_cases.yaml, each through the intake to the ledger and the balance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from members.models import EarningRule, Member, Order, PointsAccount, PointsEarning, Product
from members.operations import currencies, earning_rules, intake, references
from members.rules.intake import EventIn, MemberRef, OrderIn, OrderLineIn, OrderRefundIn, RefundIn
from scrm.common import clock
from tests.factories import make_member, make_store

pytestmark = pytest.mark.django_db
CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "earning_cases.yaml").read_text())
NOW = datetime(2026, 12, 20, 4, 0, tzinfo=UTC)
STEPS = ("order", "refund", "event", "revise", "pause", "activate", "born")
START = "2026-11-01 00:00"
DEFINITION = {
    "condition", "scope", "event", "base", "combine", "multipliers", "stacking", "caps", "position",
}  # fmt: skip


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.shop_zone())


def definition(said: dict[str, Any]) -> dict[str, Any]:
    return {"base": {"points": 1}} | {key: value for key, value in said.items() if key in DEFINITION}


def make_rules(named: dict[str, dict[str, Any]], trigger: str) -> None:
    for name, said in named.items():
        start = instant(said.get("from", START))
        rule = earning_rules.create(
            name=name, currency="points", trigger=trigger, definition=definition(said), now=start
        )
        ends_at = instant(said["until"]) if "until" in said else None
        earning_rules.activate(rule_id=rule.pk, starts_at=start, ends_at=ends_at, now=start)


class Story:
    """Carries out the steps of a case for one member."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def step(self, said: dict[str, Any]) -> None:
        getattr(self, next(name for name in STEPS if name in said))(said)

    def order(self, said: dict[str, Any]) -> None:
        paid_at = instant(said.get("paid", "2026-11-20 12:00"))
        state = said.get("state", "paid")
        version = instant("2026-12-10 00:00").replace(day=10 + said.get("v", 0 if state == "created" else 1))
        [answer] = intake.land_orders(
            items=[
                OrderIn(
                    number=said["order"], source="shop", member=MemberRef(member_id=self.member.pk), state=state,
                    amount=Decimal(said["amount"]), ordered_at=paid_at,
                    paid_at=None if state == "created" else paid_at, version_at=version, store=said.get("store"),
                    channel=said.get("channel", ""), discount=Decimal(said.get("discount", "0")),
                    lines=[
                        OrderLineIn(sku=sku, category=category, quantity=1, unit_price=Decimal(price))
                        for sku, category, price in said["lines"]
                    ]
                    if "lines" in said
                    else None,
                    refunds=[
                        OrderRefundIn(number=f"{said['order']}-{place}", amount=Decimal(amount), refunded_at=paid_at)
                        for place, amount in enumerate(said.get("refunds", []))
                    ],
                )
            ],
            now=NOW,
        )  # fmt: skip
        assert answer.status != "rejected", answer

    def refund(self, said: dict[str, Any]) -> None:
        [answer] = intake.land_refunds(
            items=[
                RefundIn(
                    number=said["refund"], source="shop", order_number=said["of"], amount=Decimal(said["amount"]),
                    refunded_at=instant("2026-12-05 12:00"), member=MemberRef(member_id=self.member.pk),
                )
            ],
            now=NOW,
        )  # fmt: skip
        assert answer.status != "rejected", answer

    def event(self, said: dict[str, Any]) -> None:
        [answer] = intake.land_events(
            items=[
                EventIn(
                    message_id=said["event"], source="shop", type=said["type"],
                    occurred_at=instant(said.get("at", "2026-11-20 12:00")), member=MemberRef(member_id=self.member.pk),
                    amount=Decimal(said["amount"]) if "amount" in said else None, properties=said.get("with", {}),
                )
            ],
            now=NOW,
        )  # fmt: skip
        assert answer.status != "rejected", answer

    def revise(self, said: dict[str, Any]) -> None:
        rule = EarningRule.objects.get(name=said["revise"])
        earning_rules.revise(
            rule_id=rule.pk, version=rule.version, definition=definition(said["says"]), now=instant(said["at"])
        )

    def pause(self, said: dict[str, Any]) -> None:
        earning_rules.pause(rule_id=EarningRule.objects.get(name=said["pause"]).pk, now=instant(said["at"]))

    def activate(self, said: dict[str, Any]) -> None:
        earning_rules.activate(rule_id=EarningRule.objects.get(name=said["activate"]).pk, now=instant(said["at"]))

    def born(self, said: dict[str, Any]) -> None:
        Member.objects.filter(pk=self.member.pk).update(birth_on=date.fromisoformat(said["born"]))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    currencies.change(key="points", content=currencies.Content(name="积分"))
    member = make_member(birth_on=date.fromisoformat(case["birth"]) if "birth" in case else None)
    references.source_ids(["shop"])
    references.type_ids(["review.posted", "page.viewed", "card.charged"])
    for code in ("S001", "S002"):
        make_store(code)
    for sku, category in (("T1", "茶饮"), ("C1", "餐具")):
        Product.objects.create(sku=sku, category=category)
    make_rules(case.get("rules", {} if "events" in case else {"base": {}}), "order")
    make_rules(case.get("events", {}), "event")
    story = Story(member)
    for said in case["steps"]:
        story.step(said)
    account = PointsAccount.objects.filter(member=member, currency__key="points").first()
    assert (account.available if account else 0) == case["points"]
    for number, points in case.get("each", {}).items():
        source = f"order:{Order.objects.get(external_number=number).pk}"
        assert PointsEarning.objects.get(member=member, source=source).points == points
    for earning in PointsEarning.objects.filter(member=member):
        assert sum(line["points"] for line in earning.lines) == earning.points == earning.booked
