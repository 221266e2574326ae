"""What the demo brand's members did with their points, what was corrected by hand, and what all of it would cost."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection

from members.models import PointsAdjustment
from members.operations import adjustments, currencies, points, points_due, points_liability
from members.operations.points import Credit
from members.queries import scopes
from scrm.common import clock
from scrm.common.access import Actor
from scrm.common.models import User
from scrm.common.transactions import acting_as, atomic

# Points of the system before this one, two years ago: what was not used of them has expired since.
_FORMER, _FORMER_MEMBERS = timedelta(days=730), 800
_SPENDERS, _SPENT_WITHIN = 400, timedelta(days=75)
_GOODS = ("积分抵扣订单", "兑换：桂花乌龙体验装", "兑换：山茶花护手霜", "兑换：亚麻茶巾")
_HOLD_MINUTES = 3 * 24 * 60
# (hours ago, amount, why, what the second person answered: None for nobody yet, "" for yes)
_ADJUSTMENTS: list[tuple[float, int, str, str | None]] = [
    (190.0, 3_000, "年度积分争议处理，已核对小票", ""),
    (120.0, 8_000, "团购客户补录积分", "缺少订单凭证，请补充后重新提交"),
    (70.0, 300, "客服补偿：物流延误", ""),
    (46.5, -120, "活动误发扣回", ""),
    (26.0, 2_000, "门店活动漏发积分", None),
    (20.5, 200, "会员日积分漏发补录", ""),
    (5.0, 1_500, "老会员卡积分核对后补差", None),
    (1.5, 5_000, "企业采购订单补录积分", None),
]
# One thing that somebody did, and when.
Step = tuple[datetime, Callable[[datetime], object]]


def load(*, seed: int, now: datetime) -> None:
    """Let members use their points, correct some by hand, and count the liability. After whatever else gives points."""
    chance = random.Random(seed)  # noqa: S311  # a demo, the same each time
    for steps_of in (_former, _redeemed):
        with atomic():
            for at, step in sorted(steps_of(chance, now), key=lambda one: one[0]):
                step(at)
        while points_due.book_due(now=now):
            pass
    _corrected(now)
    _outstanding_before(now)
    points_liability.count(now=now)


def _former(chance: random.Random, now: datetime) -> list[Step]:
    """Give the points of the former system; some members used them."""
    then = now - _FORMER
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_member WHERE status = 'active' AND joined_at < %s ORDER BY id LIMIT %s",
            [then, _FORMER_MEMBERS],
        )
        members = [row[0] for row in cursor.fetchall()]
    credits = [Credit(member_id, chance.randrange(2, 12) * 50, "former", "former") for member_id in members]
    points.earn_many(credits=credits, reason="老系统积分迁入", now=then)
    return [
        _spending(chance, one.member_id, one.amount // 2, number, then + timedelta(days=chance.uniform(20, 300)))
        for number, one in enumerate(credits)
        if chance.random() < 0.45
    ]  # fmt: skip


def _redeemed(chance: random.Random, now: datetime) -> list[Step]:
    """What is spent lately; a few give back what they bought, and some are at the till just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT member_id, available FROM members_pointsaccount
            WHERE currency_id = %s AND available >= 400 ORDER BY member_id
            """,
            [currencies.currency_id(currencies.POINTS)],
        )
        able = cursor.fetchall()
    steps = []
    for number, (member_id, available) in enumerate(chance.sample(able, min(_SPENDERS, len(able)))):
        amount = min(chance.randrange(1, 13) * 100, available // 200 * 100)
        # More of them lately.
        at = now - _SPENT_WITHIN * chance.random() ** 2
        steps.append(_spending(chance, member_id, amount, number, at))
        if number % 40 == 0:
            steps.append(_given_back(member_id, amount, number, at, min(at + timedelta(days=2), now)))
        if number % 50 == 1:
            steps.append(_held(member_id, number, now - timedelta(hours=chance.uniform(0.1, 8))))
    return steps


def _spending(chance: random.Random, member_id: int, amount: int, number: int, at: datetime) -> Step:
    reason = chance.choice(_GOODS)
    return at, lambda now: points.spend(
        member_id=member_id, amount=amount, reference=_reference("R", number, at), reason=reason, now=now
    )


def _given_back(member_id: int, amount: int, number: int, spent_at: datetime, at: datetime) -> Step:
    reference = _reference("R", number, spent_at)
    return at, lambda now: points.refund(
        member_id=member_id,
        spent=reference,
        amount=amount,
        reference=f"{reference}-T",
        reason="订单取消，积分退回",
        now=now,
    )


def _held(member_id: int, number: int, at: datetime) -> Step:
    return at, lambda now: points.hold(
        member_id=member_id, amount=100, reference=_reference("H", number, at), reason="订单待支付",
        minutes=_HOLD_MINUTES, now=now,
    )  # fmt: skip


def _reference(letter: str, number: int, at: datetime) -> str:
    return f"{letter}{clock.shop_date(at):%Y%m%d}{number:04d}"


def _corrected(now: datetime) -> None:
    """An operator corrects balances; above the limit the administrator decides, who has looked at some."""
    operator, administrator = _actor("operator"), _actor("demo")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT member_id FROM members_pointsaccount
            WHERE currency_id = %s AND available >= 200 AND member_id > 100 ORDER BY member_id LIMIT %s
            """,
            [currencies.currency_id(currencies.POINTS), len(_ADJUSTMENTS)],
        )
        members = [row[0] for row in cursor.fetchall()]
    for (hours, amount, reason, answer), member_id in zip(_ADJUSTMENTS, members, strict=False):
        at = now - timedelta(hours=hours)
        with acting_as(operator):
            made, _ = adjustments.propose(
                actor=operator, member_id=member_id, amount=amount, reason=reason,
                reference=_reference("A", member_id, at), now=at,
            )  # fmt: skip
        if made.four_eyes and answer is not None:
            _decided(administrator, made, answer, at + timedelta(hours=1))


def _decided(actor: Actor, made: PointsAdjustment, answer: str, at: datetime) -> None:
    with acting_as(actor):
        if answer:
            adjustments.reject(actor=actor, adjustment_id=made.pk, answer=answer, now=at)
        else:
            adjustments.approve(actor=actor, adjustment_id=made.pk, now=at)


def _actor(username: str) -> Actor:
    return scopes.actor_of(User.objects.get(username=username))


def _outstanding_before(now: datetime) -> None:
    """What was outstanding in the quarter before, week by week, as if everything had been counted when it happened."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH days AS (
                SELECT d::date AS day, (d::date + 1)::timestamp AT TIME ZONE %(zone)s AS until
                FROM generate_series(%(today)s::date - 84, %(today)s::date - 7, interval '7 days') AS d
            ), held AS (
                SELECT d.day, d.until, e.currency_id, e.member_id,
                       sum(CASE WHEN e.credit IN ('pending', 'available', 'held') THEN e.amount ELSE 0 END
                         - CASE WHEN e.debit IN ('pending', 'available', 'held') THEN e.amount ELSE 0 END) AS amount
                FROM days d JOIN members_pointsentry e ON e.occurred_at < d.until GROUP BY 1, 2, 3, 4
            )
            INSERT INTO members_pointsliability
                (currency_id, day, counted_at, available, pending, held, arrears, members, cost)
            SELECT c.id, h.day, h.until, sum(h.amount), 0, 0, 0, count(*), sum(h.amount) * c.cost_per_1000 / 1000
            FROM held h JOIN members_pointscurrency c ON c.id = h.currency_id
            WHERE h.amount > 0 GROUP BY c.id, h.day, h.until
            """,
            {"zone": str(clock.shop_zone()), "today": clock.shop_date(now)},
        )
