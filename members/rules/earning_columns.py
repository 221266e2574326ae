"""What rules give for many orders at once: the arithmetic of `members.rules.earning` on columns, without words.

For dry runs. Rules that look at an order's lines are asked order by order; everything else is done for all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.rules.earning import MOST_POINTS, SCALE, Answer, Definition, Fact, Multiplier, Version, worth
from members.rules.earning_caps import PERIODS
from members.rules.earning_windows import Window, within

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_SAFE = 2**62
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Codes:
    """Numbers above 0 for the names that rules use; all others are 0."""

    sources: Mapping[str, int] = field(default_factory=dict)
    stores: Mapping[str, int] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders, member by member, each member's in the order in which they count. `member` is the place among `Members`,
    `day` the ordinal of the shop day, amounts are minor units. `facts` are the same orders where rules look at lines.
    """

    member: Ints
    day: Ints
    hour: Ints
    amount: Ints
    net: Ints
    earns: Flags
    source: Ints
    store: Ints
    channel: Ints
    facts: Sequence[Fact] = ()

    @property
    def month(self) -> Ints:
        """Months since January 1970."""
        days = (self.day - _EPOCH).astype("datetime64[D]")
        return days.astype("datetime64[M]").astype(np.int64)


@dataclass(frozen=True, slots=True)
class Truth:
    """What one version asks of each member: its condition, and the tags that multiply."""

    holds: Flags
    tags: Mapping[int, Flags] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Members:
    """Members in the order of their ids. `tier` is a place in `tiers`; `birth` is month × 32 + day, 0 unknown. Versions
    without a truth give nothing."""

    ids: Ints
    tier: Ints
    tiers: Sequence[str]
    birth: Ints
    truths: Mapping[int, Truth]


def apply(
    versions: Sequence[Version], found: Mapping[int, Ints], orders: Orders
) -> tuple[Ints, dict[int, Ints]]:  # fmt: skip
    """What one set of rules gives for each order after refunds; and what each rule gives before them, by rule.

    `found` is what each version would give by itself, by its id (`points_of`).
    """
    given: dict[int, Ints] = {}
    going = orders.earns.copy()
    best: dict[str, tuple[Ints, Ints]] = {}  # by group: the most points, and whose
    ordered = sorted(versions, key=lambda one: (one.definition.position, one.rule_id))
    for place, version in enumerate(ordered):
        points = np.where(going, found[version.id], 0)
        given[version.rule_id] = points
        if version.definition.stacking == "stop":
            going &= points == 0
        elif version.definition.stacking == "best":
            most, whose = best.get(version.definition.group) or (np.zeros_like(points), np.full_like(points, -1))
            better = points > most
            best[version.definition.group] = np.where(better, points, most), np.where(better, place, whose)
    for place, version in enumerate(ordered):
        if version.definition.stacking == "best":
            _, whose = best[version.definition.group]
            given[version.rule_id] = np.where(whose == place, given[version.rule_id], 0)
        given[version.rule_id] = _limited(given[version.rule_id], version.definition.caps, orders)
    gross = sum(given.values(), np.zeros_like(orders.amount))
    return _left(gross, orders), given


def points_of(version: Version, orders: Orders, members: Members, codes: Codes) -> Ints:
    """What one version gives for each order, before the limits that look beyond it. 0 for nothing."""
    truth = members.truths.get(version.id)
    definition = version.definition
    points = np.zeros_like(orders.amount)
    if truth is None or definition.trigger != "order":
        return points
    concerned = orders.earns & truth.holds[orders.member]
    for named, known, column in (
        (definition.sources, codes.sources, orders.source),
        (definition.stores, codes.stores, orders.store),
        (definition.channels, codes.channels, orders.channel),
    ):
        if named:
            concerned &= np.isin(column, [known[name] for name in named if name in known])
    if definition.looks_at_lines:
        for place in np.flatnonzero(concerned).tolist():
            answer = _answer(members, truth, int(orders.member[place]))
            said = worth(definition, orders.facts[place], answer)
            points[place] = said.points if said is not None else 0
        return points
    chosen = np.flatnonzero(concerned & (orders.amount >= definition.minimum))
    factors, which = _factors(definition, chosen, orders, members, truth, codes)
    under = (definition.per or 1) * (SCALE if definition.highest else SCALE ** len(definition.multipliers))
    most = min(definition.caps.get("order", MOST_POINTS), MOST_POINTS)
    for place, factor in enumerate(factors):
        these = chosen[which == place]
        amounts = np.ones_like(these) if definition.per is None else orders.amount[these]
        points[these] = _rounded(amounts, definition.points * factor, under, definition.half_up, most)
    return points


def _rounded(amounts: Ints, over: int, under: int, half_up: bool, most: int) -> Ints:
    """amount × over ÷ under, rounded, at most so many; exact however large."""
    shared = gcd(over, under)
    over, under = over // shared, under // shared
    largest = int(amounts.max(initial=0))
    exact: NDArray[Any] = amounts if 2 * (largest * over + under) < _SAFE else amounts.astype(object)
    found = (2 * exact * over + under) // (2 * under) if half_up else exact * over // under
    points: Ints = np.minimum(found, most).astype(np.int64)
    return points


def _factors(
    definition: Definition, chosen: Ints, orders: Orders, members: Members, truth: Truth, codes: Codes
) -> tuple[list[int], Ints]:
    """The factors that there are, put together as `highest` says, and which of them each chosen order has."""
    factors, which = [-1 if definition.highest else 1], np.zeros_like(chosen)
    for one in definition.multipliers:
        applies = _applies(one, chosen, orders, members, truth, codes)
        if definition.highest:
            both = [(factor, max(factor, one.factor)) for factor in factors]
        else:
            both = [(factor * SCALE, factor * one.factor) for factor in factors]
        used, which = np.unique(2 * which + applies, return_inverse=True)
        factors = [both[place // 2][place % 2] for place in used.tolist()]
    # Without any the highest is 1.
    return [SCALE if factor < 0 else factor for factor in factors], which


def _applies(
    one: Multiplier, chosen: Ints, orders: Orders, members: Members, truth: Truth, codes: Codes
) -> Flags:  # fmt: skip
    match one.kind:
        case "tier":
            holds = np.array([name == one.value for name in members.tiers], dtype=bool)
            return holds[members.tier[orders.member[chosen]]]
        case "tag":
            return truth.tags[int(one.value)][orders.member[chosen]]
        case "store":
            return np.isin(orders.store[chosen], [codes.stores.get(one.value, -1)])
        case "channel":
            return np.isin(orders.channel[chosen], [codes.channels.get(one.value, -1)])
    assert one.window is not None  # noqa: S101  # those of lines are asked order by order
    return _within(one.window, chosen, orders, members)


def _within(window: Window, chosen: Ints, orders: Orders, members: Members) -> Flags:
    """Asked once for each day, and for each hour and birthday where the window looks at them."""
    hours = orders.hour[chosen] if window.hours is not None else np.zeros_like(chosen)
    births = members.birth[orders.member[chosen]] if window.birthday else np.zeros_like(chosen)
    keys, which = np.unique((orders.day[chosen] * 24 + hours) * 512 + births, return_inverse=True)
    holds = []
    for key in keys.tolist():
        rest, birth = divmod(key, 512)
        day, hour = divmod(rest, 24)
        at = datetime.fromordinal(day).replace(hour=hour)
        holds.append(within(window, at, divmod(birth, 32) if birth else None))
    return np.array(holds, dtype=bool)[which]


def _answer(members: Members, truth: Truth, place: int) -> Answer:
    birth = int(members.birth[place])
    return Answer(
        True, frozenset(tag for tag, has in truth.tags.items() if has[place]), members.tiers[members.tier[place]],
        divmod(birth, 32) if birth else None,
    )  # fmt: skip


def _limited(points: Ints, caps: Mapping[str, int], orders: Orders) -> Ints:
    """With what a rule gives a member in a day, a month and ever kept within its limits; earlier orders come first.

    Period after period is the same as all at once: where a longer one is used up, its days have nothing left anyway.
    """
    keys = {"day": orders.day, "month": orders.month, "ever": np.zeros_like(orders.day)}
    for period in PERIODS:
        if period in caps and len(points):
            key = keys[period]
            first = np.ones(len(points), dtype=bool)
            first[1:] = (orders.member[1:] != orders.member[:-1]) | (key[1:] != key[:-1])
            total = np.cumsum(points)
            starts = np.flatnonzero(first)
            before = (total - points)[starts][np.cumsum(first) - 1]
            reached = np.minimum(total - before, caps[period])
            points = reached.copy()
            points[1:] -= np.where(first[1:], 0, reached[:-1])
    return points


def _left(gross: Ints, orders: Orders) -> Ints:
    """`left_after_refunds` of each."""
    refunded = np.flatnonzero((orders.net != orders.amount) & (gross > 0))
    left = gross.copy()
    some: NDArray[Any] = gross[refunded]
    net: NDArray[Any] = orders.net[refunded]
    if int(some.max(initial=0)) * int(net.max(initial=0)) >= _SAFE:
        some, net = some.astype(object), net.astype(object)
    left[refunded] = (some * net // orders.amount[refunded]).astype(np.int64)
    return left
