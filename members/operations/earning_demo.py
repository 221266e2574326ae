"""Earning rules of the demo brand, with the points of its past orders."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from members.operations import currencies, earning_rules
from members.operations.earning_backfill import newest_member, settle_members
from members.rules.demo import brand

# (name, kind of points, trigger, definition); those for orders count for the last year, the others from now on.
RULES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "消费积分",
        currencies.POINTS,
        "order",
        {
            "base": {"points": 1, "per": 100},
            "multipliers": [
                {"kind": "time", "name": "会员日双倍", "days": [18], "factor": "2"},
                {"kind": "time", "name": "生日月双倍", "birthday": "month", "factor": "2"},
            ],
            "combine": "highest",
            "caps": {"day": 5_000},
        },
    ),
    (
        "首单之外满 300 加赠",
        currencies.POINTS,
        "order",
        {
            "base": {"kind": "fixed", "points": 50},
            "scope": {"minimum": 30_000},
            "condition": {"all": [{"field": "order.count", "op": "ge", "value": 2}]},
            "position": 200,
        },
    ),
    ("消费成长值", currencies.GROWTH, "order", {"base": {"points": 1, "per": 100}}),
    (
        "晒单有礼",
        currencies.POINTS,
        "event",
        {
            "base": {"kind": "fixed", "points": 20},
            "event": {"type": "review.posted"},
            "caps": {"day": 60, "budget": 200_000},
        },
    ),
]
BACK = timedelta(days=365)
_DAY = timedelta(days=1)
_MEMBERS = 5_000  # in one transaction


def load(*, now: datetime, report: Callable[[str], None]) -> int:
    """Make the rules and book what the demo members' orders of a year earn. Answers how many movements.

    What is older than a day is booked as of a day ago, so that the newest movements are not those of everybody.
    """
    for name, currency, trigger, definition in RULES:
        currencies.get(currency)
        rule = earning_rules.create(
            name=name, currency=currency, trigger=trigger, definition=definition, note=brand.NAME, now=now
        )
        earning_rules.activate(rule_id=rule.pk, starts_at=now - BACK if trigger == "order" else now, now=now)
    booked, last, yesterday = 0, newest_member(), now - _DAY
    with _without_collecting():
        for first in range(1, last + 1, _MEMBERS):
            booked += settle_members(
                first, min(first + _MEMBERS - 1, last), since=now - BACK, until=yesterday, now=yesterday
            )  # fmt: skip
    booked += settle_members(1, last, since=yesterday, until=now, now=now)
    report(f"{booked:,} movements of points")
    return booked


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Let go of objects only when nobody holds them: looking for circles among millions that have none is a fourth
    of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
