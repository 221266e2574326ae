"""What the demo brand's members buy and when: two years with their seasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from members.rules.demo import brand
from members.rules.demo.people import DAY, People

YEARS = 2


def products() -> list[tuple[str, str, str, int]]:
    """(sku, name, category, price in minor units) of the catalogue; skus are seven characters."""
    rng = np.random.default_rng(2024)
    rows = []
    for number, category in enumerate(brand.CATEGORIES):
        low, high = category.prices
        for position, name in enumerate(category.products):
            price = int(low + (high - low) * rng.beta(1.2, 2.4)) // 100 * 100 - 100 + 90
            rows.append((f"HJ{number + 1}{position + 1:04d}", name, category.name, price))
    return rows


def day_weights(until: int) -> NDArray[np.float64]:
    """How much is bought on each of the last 730 days: weekends, 618, 双11, 双12, 年货节, 女王节, and growth."""
    days = YEARS * 365
    first = until // DAY - days + 1
    weights = np.empty(days)
    for index in range(days):
        date = datetime.fromtimestamp((first + index) * DAY, tz=UTC)
        weight = 1.0 + 0.35 * (date.weekday() >= 5) + 0.4 * index / days
        month_day = (date.month, date.day)
        if (6, 1) <= month_day <= (6, 20):
            weight *= 3.2 if month_day in ((6, 1), (6, 18)) else 1.6
        elif (11, 1) <= month_day <= (11, 12):
            weight *= 4.5 if month_day in ((11, 1), (11, 11)) else 1.8
        elif month_day == (12, 12):
            weight *= 2.4
        elif (1, 10) <= month_day <= (1, 31):
            weight *= 1.5
        elif (3, 5) <= month_day <= (3, 8):
            weight *= 1.7
        elif date.month == 2:
            weight *= 0.7
        weights[index] = weight
    return weights


@dataclass(frozen=True, slots=True)
class Orders:
    """Columns of the orders of one block of members, by member id; amounts in minor units, times in seconds UTC."""

    member_id: NDArray[np.int64]
    member: NDArray[np.int64]  # position in the block
    ordered: NDArray[np.int64]
    amount: NDArray[np.int64]
    discount: NDArray[np.int64]
    online: NDArray[np.int8]  # 0: in the home store; else 1 + index into ONLINE_SHOPS
    state: NDArray[np.int8]  # 0 completed, 1 paid, 2 closed (never paid)
    refunded: NDArray[np.int64]
    # Lines, by order.
    line_order: NDArray[np.int64]
    line_number: NDArray[np.int32]
    product: NDArray[np.int64]  # index into products()
    quantity: NDArray[np.int32]
    line_amount: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Habits:
    """How each of a block of people likes to buy, and the dice of their whims."""

    chance: np.random.Generator
    taste: NDArray[np.float64]  # 0 the cheapest of a category, 1 the dearest
    bargains: NDArray[np.float64]  # share of orders with a discount
    hour: NDArray[np.float64]  # in shop time
    channel: NDArray[np.int8]  # as `Orders.online`


def _habits(chance: np.random.Generator, count: int) -> _Habits:
    return _Habits(
        chance,
        taste=chance.beta(0.9, 0.9, count),
        bargains=chance.beta(0.7, 1.6, count),
        hour=chance.choice(np.array([9.5, 12.5, 15.5, 18.5, 20.5, 22.0]), count, p=[0.1, 0.2, 0.15, 0.15, 0.25, 0.15]),
        channel=chance.choice(np.array([0, 1, 2, 3], np.int8), count, p=[0.4, 0.3, 0.18, 0.12]),
    )


def make(*, rng: np.random.Generator, people: People, until: int, orders_per_member: float) -> Orders:
    """The orders of a block of people; about `orders_per_member` per head on average."""
    weights = day_weights(until)
    cumulative = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    start = (until // DAY - len(weights) + 1) * DAY
    edges = start + np.arange(len(weights) + 1) * DAY

    def share(seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = np.interp(seconds, edges, cumulative)
        return shares

    low, high = share(people.joined), share(np.minimum(people.left, until))
    expected = people.rate * np.maximum(high - low, 0)
    count = rng.poisson(expected * (orders_per_member / max(expected.mean(), 1e-9)))
    member = np.repeat(np.arange(len(people)), count)
    total = len(member)
    position = low[member] + rng.random(total) * (high - low)[member]
    ordered = np.interp(position, cumulative, edges).astype(np.int64)
    # Shop hours: two peaks, lunch and evening, in Shanghai time.
    hour = np.where(rng.random(total) < 0.35, rng.normal(12.5, 1.6, total), rng.normal(20.3, 1.9, total))
    habits = _habits(rng.spawn(1)[0], len(people))
    hour = np.where(habits.chance.random(total) < 0.45, habits.hour[member] + habits.chance.normal(0, 0.8, total), hour)
    hour = hour.clip(0, 23.98)
    ordered = ordered - (ordered + 8 * 3600) % DAY + (hour * 3600).astype(np.int64)
    ordered = np.minimum(np.maximum(ordered, people.joined[member] + 300), until - 30)
    order = np.lexsort((ordered, member))
    member, ordered = member[order], ordered[order]

    lines = rng.choice(np.array([1, 2, 3]), total, p=[0.68, 0.24, 0.08])
    line_order = np.repeat(np.arange(total), lines)
    first_line = np.cumsum(lines) - lines
    line_number = (np.arange(len(line_order)) - first_line[line_order] + 1).astype(np.int32)
    catalogue = products()
    by_category = [
        np.array([i for i, row in enumerate(catalogue) if row[2] == category.name]) for category in brand.CATEGORIES
    ]
    size = np.array([len(rows) for rows in by_category])
    offset = np.cumsum(size) - size
    category = np.where(
        rng.random(len(line_order)) < 0.6,
        people.favourite[member[line_order]],
        rng.integers(0, len(size), len(line_order)),
    ).astype(np.int64)
    # Best-sellers: the first products of a category are bought most.
    product = offset[category] + (rng.beta(0.9, 1.8, len(line_order)) * size[category]).astype(np.int64)
    quantity = rng.choice(np.array([1, 2, 3], np.int32), len(line_order), p=[0.8, 0.15, 0.05])
    price = np.array([row[3] for row in catalogue])
    # Half of the lines go by the purse: the cheap, the middle or the dear end of the category.
    by_price = np.concatenate([rows[np.argsort(price[rows], kind="stable")] for rows in by_category])
    taste = (habits.taste[member[line_order]] + habits.chance.normal(0, 0.15, len(line_order))).clip(0, 0.999)
    by_taste = by_price[offset[category] + (taste * size[category]).astype(np.int64)]
    product = np.where(habits.chance.random(len(line_order)) < 0.5, by_taste, product)
    line_amount = price[product] * quantity
    gross = np.bincount(line_order, weights=line_amount, minlength=total).astype(np.int64)
    discount = np.where(rng.random(total) < habits.bargains[member], gross // 10 // 100 * 100, 0)
    amount = gross - discount
    age = until - ordered
    closed = rng.random(total) < 0.025
    state = np.where(closed, 2, np.where(age < 10 * DAY, 1, 0)).astype(np.int8)
    fate = rng.random(total)
    online = rng.choice(np.array([0, 1, 2, 3], np.int8), total, p=[0.38, 0.3, 0.2, 0.12])
    online = np.where(habits.chance.random(total) < 0.5, habits.channel[member], online).astype(np.int8)
    refunded = np.where((fate < 0.022) & ~closed, amount, np.where((fate < 0.038) & ~closed, amount // 2, 0))
    return Orders(
        member_id=people.first_id + member.astype(np.int64),
        member=member,
        ordered=ordered,
        amount=amount,
        discount=discount,
        online=online,
        state=state,
        refunded=refunded,
        line_order=line_order,
        line_number=line_number,
        product=product,
        quantity=quantity,
        line_amount=line_amount,
    )
