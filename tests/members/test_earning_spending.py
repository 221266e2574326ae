"""What has to be spent for the growth that is lacking: the plain rules read backwards, exactly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from members.models import Member
from members.operations import currencies, earning_rules, points, tier_schemes
from members.operations.tier_schemes import Content, StepContent
from members.queries import tiers
from members.rules import earning_parse
from members.rules.earning import Version
from members.rules.earning_spending import least_amount
from scrm.common.access import SYSTEM
from tests.factories import NOW, make_member


def version(number: int, **said: Any) -> Version:
    return Version(number, number, 1, "", earning_parse.parse(said, trigger="order"))


PLAIN = {"base": {"points": 1, "per": 100}}
# (rules, points, minor units)
AMOUNTS: list[tuple[str, list[dict[str, Any]], int, int | None]] = [
    ("one a yuan", [PLAIN], 320, 32_000),
    ("three for every seven yuan, rounded down", [{"base": {"points": 3, "per": 700}}], 4, 934),
    ("rounded half up", [{"base": {"points": 1, "per": 100, "rounding": "half_up"}}], 3, 250),
    ("two rules together", [PLAIN, {"base": {"points": 1, "per": 300}}], 4, 300),
    ("multipliers do not count", [PLAIN | {"multipliers": [{"kind": "time", "days": [1], "factor": "2"}]}], 5, 500),
    ("a limit that is far", [PLAIN | {"caps": {"order": 5, "day": 5}}], 5, 500),
    ("a limit per order", [PLAIN | {"caps": {"order": 4}}], 5, None),
    ("a limit per month", [PLAIN | {"caps": {"month": 4}}], 5, None),
    ("a programme budget", [PLAIN | {"caps": {"budget": 10_000}}], 5, None),
    ("fixed points", [{"base": {"kind": "fixed", "points": 50}}], 5, None),
    ("only larger orders", [PLAIN | {"scope": {"minimum": 100}}], 5, None),
    ("only some goods", [PLAIN | {"scope": {"categories": ["茶"]}}], 5, None),
    ("only some members", [PLAIN | {"condition": {"field": "city", "op": "in", "value": ["上海"]}}], 5, None),
    ("the best of a group", [PLAIN | {"stacking": {"kind": "best", "group": "a"}}], 5, None),
    ("no rule", [], 5, None),
    ("nothing is lacking", [PLAIN], 0, None),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted", "amount"), [one[1:] for one in AMOUNTS], ids=[one[0] for one in AMOUNTS])
def test_the_least_amount(said: list[dict[str, Any]], wanted: int, amount: int | None) -> None:
    assert least_amount([version(number, **one) for number, one in enumerate(said, 1)], wanted) == amount


@pytest.fixture
def ann() -> Member:
    currencies.get("growth")
    tier_schemes.save(
        content=Content(
            steps=[
                StepContent(name="普卡", key="basic", threshold=0),
                StepContent(name="金卡", key="gold", threshold=1_000),
            ],
        ),
        version=0, actor=SYSTEM, now=NOW - timedelta(days=30),
    )  # fmt: skip
    member = make_member()
    points.earn(member_id=member.pk, currency="growth", amount=680, reference="a", now=NOW)
    return member


def said(member: Member) -> str:
    stand = tiers.standing(member.pk, now=NOW)
    assert stand is not None
    return stand.sentence


@pytest.mark.django_db
def test_members_are_told_what_to_spend_once_a_rule_says_so(ann: Member) -> None:
    assert said(ann) == "再获得 320 成长值升级金卡。"
    for currency, points_ in (("points", 5), ("growth", 2)):
        currencies.get(currency)
        rule = earning_rules.create(
            name=currency, currency=currency, trigger="order", definition={"base": {"points": points_}}, now=NOW
        )
        earning_rules.activate(rule_id=rule.pk, now=NOW)
    assert said(ann) == "再消费 ¥160.00 升级金卡。"
    earning_rules.pause(rule_id=rule.pk, now=NOW)
    assert said(ann) == "再获得 320 成长值升级金卡。"
