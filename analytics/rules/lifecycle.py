"""Lifecycle and AIPL: which stage a member is in, from a handful of dates. All days are shop days.

潜客 without an order; 流失 and 沉睡 by the days since the last order; 回流 while a purchase after a gap of at least
`lost_days` is fewer than `returned_days` old; 新客 while the first order is fewer than `new_days` old; else 活跃.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

from analytics.enums import AiplStage, Stage


@dataclass(frozen=True, slots=True)
class Limits:
    """Day limits; for AIPL, the number of orders from which a buyer is loyal and which events show interest.

    Without `activity_types` every event of the member's own shows interest.
    """

    new_days: int = 30
    sleeping_days: int = 90
    lost_days: int = 365
    returned_days: int = 30
    loyal_orders: int = 3
    interest_days: int = 30
    activity_types: tuple[str, ...] = ()

    def numbers(self) -> dict[str, int]:
        """The limits without the event types."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "activity_types"}


def returned_on(ordered_on: Sequence[date], *, as_of: date, limits: Limits) -> date | None:
    """The day of the latest purchase, fewer than `returned_days` ago, that ended a gap of `lost_days` or more."""
    days = sorted(ordered_on)
    comebacks = [
        later
        for earlier, later in zip(days, days[1:], strict=False)
        if (later - earlier).days >= limits.lost_days and (as_of - later).days < limits.returned_days
    ]
    return comebacks[-1] if comebacks else None


def stage(
    *, first_on: date | None, last_on: date | None, comeback_on: date | None, as_of: date, limits: Limits
) -> Stage:
    """The lifecycle stage at the end of `as_of`."""
    if first_on is None or last_on is None:
        return Stage.PROSPECT
    quiet = (as_of - last_on).days
    if quiet >= limits.lost_days:
        return Stage.LOST
    if quiet >= limits.sleeping_days:
        return Stage.SLEEPING
    if comeback_on is not None:
        return Stage.RETURNED
    if (as_of - first_on).days < limits.new_days:
        return Stage.NEW
    return Stage.ACTIVE


def entered_on(
    found: Stage,
    *,
    joined_on: date,
    first_on: date | None,
    last_on: date | None,
    comeback_on: date | None,
    limits: Limits,
) -> date:
    """The day on which a member whose earlier stages nobody recorded came into `found`."""
    match found:
        case Stage.PROSPECT:
            return joined_on
        case Stage.NEW:
            return first_on or joined_on
        case Stage.ACTIVE:
            return (first_on or joined_on) + timedelta(days=limits.new_days)
        case Stage.SLEEPING:
            return (last_on or joined_on) + timedelta(days=limits.sleeping_days)
        case Stage.LOST:
            return (last_on or joined_on) + timedelta(days=limits.lost_days)
        case Stage.RETURNED:
            return comeback_on or joined_on


def aipl(*, order_count: int, last_event_on: date | None, as_of: date, limits: Limits) -> AiplStage:
    """Awareness, interest, purchase or loyalty."""
    if order_count >= max(limits.loyal_orders, 1):
        return AiplStage.LOYALTY
    if order_count > 0:
        return AiplStage.PURCHASE
    if last_event_on is not None and (as_of - last_event_on).days < limits.interest_days:
        return AiplStage.INTEREST
    return AiplStage.AWARENESS
