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

# (name, kind of points, definition); they count for the last year.
RULES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "消费积分",
        currencies.POINTS,
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
        {
            "base": {"kind": "fixed", "points": 50},
            "scope": {"minimum": 30_000},
            "condition": {"all": [{"field": "order.count", "op": "ge", "value": 2}]},
            "position": 200,
        },
    ),
    ("消费成长值", currencies.GROWTH, {"base": {"points": 1, "per": 100}}),
]
BACK = timedelta(days=365)
_MEMBERS = 5_000  # in one transaction


def load(*, now: datetime, report: Callable[[str], None]) -> int:
    """Make the rules and book what the demo members' orders of a year earn. Answers how many movements."""
    for name, currency, definition in RULES:
        currencies.get(currency)
        rule = earning_rules.create(
            name=name, currency=currency, trigger="order", definition=definition, note=brand.NAME, now=now
        )
        earning_rules.activate(rule_id=rule.pk, starts_at=now - BACK, now=now)
    booked, last = 0, newest_member()
    with _without_collecting():
        for first in range(1, last + 1, _MEMBERS):
            last_of_block = min(first + _MEMBERS - 1, last)
            booked += settle_members(first, last_of_block, since=now - BACK, until=now, now=now)
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
