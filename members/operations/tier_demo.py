"""The ladder and the paid membership of the demo brand, with everybody placed."""

from __future__ import annotations

from datetime import datetime, timedelta

from members.operations import currencies, memberships, tier_days, tier_schemes, tiers
from members.operations.tier_schemes import Content, StepContent
from scrm.common.access import SYSTEM

# (key, name, colour, growth that reaches it, growth that keeps it, points as a gift, what it means)
STEPS = [
    ("basic", "普通会员", "grey", 0, 0, 0, "注册即享"),
    ("silver", "银卡", "blue", 500, 400, 50, "满 500 成长值，生日礼、新品优先"),
    ("gold", "金卡", "amber", 2_000, 1_500, 200, "满 2000 成长值，包邮、专属客服"),
    ("diamond", "钻石", "violet", 6_000, 4_800, 600, "满 6000 成长值，双倍积分、线下茶会"),
]


def load(*, now: datetime) -> int:
    """Make the ladder, place everybody by the growth there is, and count. Answers how many are above the lowest tier.

    Placing tells nobody and gives no gifts. The growth itself comes from the demo's orders, where rules earn it.
    """
    currencies.get(currencies.GROWTH)
    tier_schemes.save(
        content=Content(
            steps=[
                StepContent(
                    name=name, key=key, colour=colour, threshold=threshold, retention=kept, description=text,
                    gifts=[{"kind": "points", "currency": "points", "amount": points}] if points else [],
                )
                for key, name, colour, threshold, kept, points, text in STEPS
            ],
            grace_days=7,
        ),
        version=0, actor=SYSTEM, now=now,
    )  # fmt: skip
    placed = tiers.evaluate_everyone(now=now)
    memberships.create_plan(
        key="plus",
        content=memberships.PlanContent(
            name="禾间 PLUS",
            price=19_900,
            term_months=12,
            trial_days=7,
            description="全年包邮、双倍积分、每月一张饮品券",
        ),
    )
    tier_days.count(now=now + timedelta(days=1))
    return placed
