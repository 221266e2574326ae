"""What an entry of the ledger says to a member."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from members.models import PointsEntry
from members.queries import points_words

LINE = {"rule": "消费积分", "version": 3, "base": 6_000, "rate": "1/1.00", "times": [], "points": 60}


def entry(kind: str, detail: Any, debit: str = "issued", credit: str = "available") -> PointsEntry:
    return PointsEntry(kind=kind, detail=detail, debit=debit, credit=credit, amount=60)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE, "+60 = ¥60.00 × 1 · 规则 消费积分 v3"),
        (LINE | {"rate": "2/1.00", "points": 120}, "+120 = ¥60.00 × 2 · 规则 消费积分 v3"),
        (LINE | {"rate": "1/10.00", "points": 6}, "+6 = ¥60.00 ÷ 10 × 1 · 规则 消费积分 v3"),
        (LINE | {"rate": "3/2.50", "points": 72}, "+72 = ¥60.00 ÷ 2.5 × 3 · 规则 消费积分 v3"),
        (LINE | {"rate": "50", "points": 50}, "+50 · 规则 消费积分 v3"),
        (
            LINE | {"times": ["双倍积分日 ×2", "金卡 ×1.5"], "points": 180},
            "+180 = ¥60.00 × 1 · 双倍积分日 ×2 · 金卡 ×1.5 · 规则 消费积分 v3",
        ),
        (LINE | {"wanted": 60, "points": 50}, "+50 = ¥60.00 × 1 · 上限前 60 · 规则 消费积分 v3"),
        ({"points": 5}, "+5"),
        ({"points": -90, "refund": 8_995}, "-90（退款 ¥89.95）"),
        ({}, "+—"),
    ],
)
def test_a_rule_says_how_its_points_came_about(line: dict[str, Any], said: str) -> None:
    assert points_words.explain(entry("earn", {"lines": [line]})) == [said]


@pytest.mark.parametrize("detail", [{}, [], None, {"lines": "x"}, {"lines": [1, None]}, {"lines": {}}])
def test_details_that_are_none_say_nothing(detail: Any) -> None:
    assert points_words.explain(entry("earn", detail)) == []


def test_members_read_rules_without_their_versions() -> None:
    assert points_words.explain(entry("earn", {"lines": [LINE]}), versions=False) == ["+60 = ¥60.00 × 1 · 消费积分"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("order:7", "订单 D7"), ("order:8", ""), ("task:3:1", "任务"), ("checkin:1:2026-11-21", "签到"),
        ("tier:2:1", "会员等级"), ("event:9", "行为"), ("former", ""), ("task", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_movement_says_what_it_is_about(source: str, said: str) -> None:
    one = entry("earn", {})
    one.source = source
    assert points_words.about(one, {"7": "D7"}) == said


def test_other_movements_say_what_brought_them() -> None:
    assert points_words.explain(entry("refund", {"spent": "s1"}, "redeemed")) == ["退还消费（s1）所用的积分"]
    assert points_words.explain(entry("reverse", {"asked": 1_200}, "available", "reversed")) == ["应扣回 1,200"]
    assert points_words.explain(entry("release", {"timeout": True}, "held", "available")) == ["冻结到时自动解除"]
    with translation.override("en"):
        assert points_words.explain(entry("earn", {"lines": [LINE]})) == ["+60 = ¥60.00 × 1 · rule 消费积分 v3"]


@pytest.mark.parametrize(
    ("debit", "credit", "effect"),
    [
        ("issued", "pending", 60), ("issued", "available", 60), ("redeemed", "available", 60),
        ("available", "redeemed", -60), ("held", "redeemed", -60), ("pending", "reversed", -60),
        ("available", "expired", -60), ("pending", "available", 0), ("available", "held", 0), ("held", "available", 0),
    ],
)  # fmt: skip
def test_what_a_movement_gives_the_member(debit: str, credit: str, effect: int) -> None:
    assert points_words.effect(entry("earn", {}, debit, credit)) == effect
