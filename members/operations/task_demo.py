"""The demo brand's tasks and check-ins: a chain for beginners, a task for every month, a calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from members.models import Member, TaskCompletion
from members.operations import checkin_calendars, checkins, task_funnels, task_runs, tasks
from members.operations.task_definitions import Content

_CHECKING_IN = 24  # members who check in
_DAYS = 9
_DAY = timedelta(days=1)


def _points(amount: int, currency: str = "points") -> dict[str, Any]:
    return {"kind": "points", "currency": currency, "amount": amount}


def load(*, now: datetime) -> None:
    """Make them, start them, find who has done what already, and count them."""
    month_ago = now - timedelta(days=30)
    profile = _start(
        "profile", now,
        Content(
            name="完善资料", description="留下姓名、手机和生日，生日当月有惊喜", icon="user-check", position=1,
            kind="profile", counting={"fields": ["name", "phone", "birthday"]}, rewards=[_points(50)],
        ),
    )  # fmt: skip
    first = _start(
        "first-order", now,
        Content(
            name="首单", description="完成第一笔订单", icon="shopping-bag", position=2, kind="order", counting={},
            after=[profile], counts_earlier=True, starts_at=month_ago,
            rewards=[_points(100), _points(20, "growth")],
        ),
    )  # fmt: skip
    second = _start(
        "second-order", now,
        Content(
            name="第二单", description="再来一单，满 99 元", icon="gift", position=3, kind="order",
            counting={"minimum": 9_900}, after=[first], starts_at=month_ago, claim="member",
            rewards=[_points(200), {"kind": "grant", "item": "coupon", "key": "满 99 减 20", "quantity": 1}],
        ),
    )  # fmt: skip
    _start(
        "monthly-views", now,
        Content(
            name="每月逛一逛", description="一个月内浏览两次商品页", icon="eye", position=4, kind="event",
            counting={"types": ["page.viewed"]}, needed=2, window="month", times=0,
            starts_at=now - timedelta(days=60), rewards=[_points(10)],
        ),
    )  # fmt: skip
    calendar = checkin_calendars.create(
        key="daily",
        content=checkin_calendars.Content(
            name="每日签到", ladder=[[_points(day)] for day in (2, 4, 6, 8, 10, 12, 20)],
            gift=[_points(50), _points(1, checkin_calendars.CARDS)], makeups_per_month=3, makeup_price=30,
        ),
        now=now,
    )  # fmt: skip
    _start(
        "seven-in-a-row", now,
        Content(
            name="连续签到 7 天", description="断签可以用补签卡补上", icon="calendar-check", position=5, kind="checkin",
            counting={"calendar": calendar.pk}, measure="streak", needed=7, window="month", times=0,
            starts_at=month_ago, rewards=[_points(30, "growth")],
        ),
    )  # fmt: skip
    members = Member.objects.filter(status="active", joined_at__lt=month_ago).order_by("pk")[:_CHECKING_IN]
    for place, member in enumerate(members):
        for back in range(_DAYS - place % 4, -1, -1):
            # Each misses a day of their own.
            if place % 5 == 0 or back != 2 + place % 4:
                checkins.check_in(member_id=member.pk, now=now - timedelta(days=back))
    waiting = TaskCompletion.objects.filter(task_id=second, rewarded_at=None).order_by("member_id")
    for done in list(waiting)[::2]:
        tasks.claim(member_id=done.member_id, task_id=second, now=now)
    task_funnels.count(now=now)


def _start(key: str, now: datetime, content: Content) -> int:
    """Make and start a task, and find who has done it: before today as of yesterday, and today."""
    task = tasks.create(key=key, content=content, now=now - _DAY)
    tasks.start(task_id=task.pk, now=now - _DAY)
    for at in (now - _DAY, now):
        task_runs.evaluate_everyone(task_id=task.pk, now=at)
    return task.pk
