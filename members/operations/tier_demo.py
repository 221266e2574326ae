"""The ladder and the paid memberships of the demo brand, with a quarter of their history."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from members.models import Member, Tier
from members.operations import currencies, memberships, tier_days, tier_schemes, tiers
from members.operations.memberships import PlanContent
from members.operations.tier_schemes import Content, StepContent
from scrm.common.access import SYSTEM

# (key, name, colour, growth that reaches it, growth that keeps it, points as a gift, what it means)
STEPS = [
    ("basic", "普通会员", "grey", 0, 0, 0, "注册即享"),
    ("silver", "银卡", "blue", 500, 400, 50, "满 500 成长值，生日礼、新品优先"),
    ("gold", "金卡", "amber", 2_000, 1_500, 200, "满 2000 成长值，包邮、专属客服"),
    ("diamond", "钻石", "violet", 6_000, 4_800, 600, "满 6000 成长值，双倍积分、线下茶会"),
]
_WEEKS = 13
_MEMBERSHIPS = 60


def load(*, seed: int, now: datetime) -> int:
    """Make the ladder as of a quarter ago, place everybody by the growth there was, and play the weeks since.

    Answers how many moves there were. Placing tells nobody and gives no gifts, those who rise later get theirs. The
    growth itself comes from the demo's orders, where rules earn it.
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
        version=0, actor=SYSTEM, now=now - timedelta(weeks=_WEEKS),
    )  # fmt: skip
    moves = 0
    for weeks in range(_WEEKS, -1, -1):
        at = now - timedelta(weeks=weeks)
        moves += tiers.evaluate_everyone(now=at)
        tier_days.count(now=at + timedelta(days=1))
    _sell(random.Random(seed), now)  # noqa: S311  # a demo, the same each time
    return moves


def _sell(chance: random.Random, now: datetime) -> None:
    """Two plans, one of which brings a tier, and members who bought, tried and gave back."""
    memberships.create_plan(
        key="plus",
        content=PlanContent(
            name="禾间 PLUS",
            price=19_900,
            term_months=12,
            trial_days=7,
            description="全年包邮、双倍积分、每月一张饮品券",
        ),
    )
    memberships.create_plan(
        key="gold_year",
        content=PlanContent(
            name="金卡年费会员", price=39_900, term_months=12, tier_id=Tier.objects.get(key="gold").pk, colour="amber",
            description="购买即享金卡，有效期内不降级",
        ),
    )  # fmt: skip
    bought = sorted(now - timedelta(days=chance.uniform(0, 200)) for _ in range(_MEMBERSHIPS))
    known = Member.objects.filter(status="active", joined_at__lt=bought[0]).order_by("pk")[: 10 * _MEMBERSHIPS]
    buyers = chance.sample(list(known.values_list("pk", flat=True)), min(_MEMBERSHIPS, len(known)))
    for place, (member_id, at) in enumerate(zip(buyers, bought, strict=False)):
        plan = "gold_year" if place % 5 == 0 else "plus"
        trial = plan == "plus" and place % 4 == 1
        reference = f"VIP{at:%Y%m%d}{place:04d}"
        memberships.buy(
            member_id=member_id, plan=plan, reference=reference, trial=trial, auto_renew=place % 3 == 0, now=at
        )  # fmt: skip
        if place % 20 == 7 and not trial:
            back = min(at + timedelta(days=20), now)
            memberships.refund(member_id=member_id, reference=reference, refund_reference=f"{reference}-T", now=back)
    while memberships.sweep(now=now):
        pass
