"""What a fact earns: pure, exact, in whole numbers; every line says how it came about.

A rule gives points per amount or fixed points, times its multipliers, up to its own limit per order. Rules are applied
in their order: those that add, the best of each group, until one says stop. Points are rounded once per rule and fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from members.rules.earning_windows import Window, within

SCALE = 10**6  # factors are held in millionths
# No rule gives more for one fact: a slip of the hand stays within what the ledger can hold.
MOST_POINTS = 10**9
_LINES = frozenset({"product", "category"})  # multipliers that concern a part of the order


@dataclass(frozen=True, slots=True)
class Multiplier:
    """`value` is a tier's key, a tag's id, an SKU, a category, a store's code or a channel; blank for a time window."""

    kind: str
    value: str
    factor: int  # millionths
    name: str = ""
    window: Window | None = None

    @property
    def words(self) -> str:
        """As a line of the explanation names it."""
        return f"{self.name or self.value} ×{decimal(self.factor)}"


@dataclass(frozen=True, slots=True)
class Definition:
    """What one version of a rule says. Amounts in minor units; a limit of None is none."""

    trigger: str  # order or event
    position: int = 100
    condition: Any = None
    sources: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    minimum: int = 0
    event_type: str = ""
    where: tuple[Any, ...] = ()
    per: int | None = 100  # None: fixed
    points: int = 1
    half_up: bool = False
    highest: bool = False  # the highest multiplier counts, else they multiply
    multipliers: tuple[Multiplier, ...] = ()
    stacking: str = "add"  # add, best or stop
    group: str = ""
    caps: Mapping[str, int] = field(default_factory=dict)  # order, day, month, ever, budget
    looks_at_lines: bool = field(init=False)

    def __post_init__(self) -> None:
        of_lines = self.narrowed or any(one.kind in _LINES for one in self.multipliers)
        object.__setattr__(self, "looks_at_lines", of_lines)

    @property
    def narrowed(self) -> bool:
        return bool(self.categories or self.products)

    @property
    def tags(self) -> frozenset[int]:
        return frozenset(int(one.value) for one in self.multipliers if one.kind == "tag")


@dataclass(frozen=True, slots=True)
class Version:
    """A rule as it stood at one time."""

    id: int
    rule_id: int
    number: int
    name: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Answer:
    """What was true of the member when the fact first counted: it is asked once, so that nothing later changes it."""

    holds: bool = True
    tags: frozenset[int] = frozenset()
    tier: str = ""
    birth: tuple[int, int] | None = None  # month, day


@dataclass(frozen=True, slots=True)
class Fact:
    """An order or an event. `at` is in shop time; `lines` are (SKU, category, amount before discounts)."""

    source: str  # "order:<id>" or "event:<id>"
    member_id: int
    at: datetime
    amount: int
    net: int
    earns: bool = True  # paid and not closed
    origin: str = ""  # the key of the system it came from
    store: str = ""
    channel: str = ""
    lines: Sequence[tuple[str, str, int]] = ()
    passed: frozenset[int] = frozenset()  # versions whose event type and tests it passes
    number: str = ""  # as others know it: of two facts of one instant the smaller one comes first


@dataclass(slots=True)
class Line:
    """What one rule gives. `wanted` is before the limits that look beyond the fact, `points` after them."""

    rule_id: int
    version_id: int
    number: int
    rule: str
    base: int
    rate: str
    times: tuple[str, ...]
    wanted: int
    points: int
    caps: Mapping[str, int]
    limits: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it is kept with the fact and in the ledger's entry."""
        said: dict[str, Any] = {
            "rule": self.rule, "rule_id": self.rule_id, "version": self.number, "version_id": self.version_id,
            "base": self.base, "rate": self.rate, "times": list(self.times), "points": self.points,
        }  # fmt: skip
        if self.wanted != self.points:
            said["wanted"] = self.wanted
        if self.limits:
            said["limits"] = list(self.limits)
        if self.caps:
            said["caps"] = dict(self.caps)
        return said


def line_of(said: Mapping[str, Any]) -> Line:
    """What `document` wrote."""
    return Line(
        said["rule_id"], said["version_id"], said["version"], said["rule"], said["base"], said["rate"],
        tuple(said["times"]), said.get("wanted", said["points"]), said["points"], said.get("caps", {}),
        tuple(said.get("limits", ())),
    )  # fmt: skip


def concerns(version: Version, fact: Fact) -> bool:
    """Whether the fact is of the kind that the version is about, whatever the member."""
    definition = version.definition
    if definition.trigger == "event":
        return version.id in fact.passed
    return (
        (not definition.sources or fact.origin in definition.sources)
        and (not definition.stores or fact.store in definition.stores)
        and (not definition.channels or fact.channel in definition.channels)
    )


def award(versions: Sequence[Version], fact: Fact, answers: Mapping[int, Answer]) -> list[Line]:
    """What each rule gives for the fact before the limits of the member and the programme, in the rules' order.

    `versions` are those in force at the time of the fact, at most one of each rule. Those without an answer give
    nothing. Monotone in the amount: for a larger one no rule that adds gives less.
    """
    if not fact.earns:
        return []
    lines: list[tuple[Definition, Line]] = []
    for version in sorted(versions, key=lambda one: (one.definition.position, one.rule_id)):
        answer = answers.get(version.id)
        if answer is None or not answer.holds or not concerns(version, fact):
            continue
        line = _line(version, fact, answer)
        if line is None:
            continue
        lines.append((version.definition, line))
        if version.definition.stacking == "stop":
            break
    best: dict[str, Line] = {}
    for definition, line in lines:
        if definition.stacking == "best":
            known = best.get(definition.group)
            if known is None or line.wanted > known.wanted:
                best[definition.group] = line
    return [
        line for definition, line in lines if definition.stacking != "best" or best[definition.group] is line
    ]  # fmt: skip


def left_after_refunds(gross: int, amount: int, net: int) -> int:
    """What a refunded order keeps: its share of the points, rounded down as a whole, so that parts never add up to
    more than was earned and a whole refund leaves nothing."""
    return gross if net == amount else gross * net // amount


def decimal(millionths: int) -> str:
    """1500000 → "1.5"."""
    whole, rest = divmod(millionths, SCALE)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Worth:
    """What a rule gives for a fact, before words: of which amount, by which multipliers, cut by its limit per order."""

    points: int
    matching: int
    applied: Sequence[Multiplier]
    cut: bool


def _line(version: Version, fact: Fact, answer: Answer) -> Line | None:
    """What one rule gives, in words; None when that is nothing."""
    definition = version.definition
    found = worth(definition, fact, answer)
    if found is None:
        return None
    beyond = {name: value for name, value in definition.caps.items() if name != "order"}
    return Line(
        version.rule_id, version.id, version.number, version.name, found.matching, rate(definition),
        tuple(one.words for one in found.applied), found.points, found.points, beyond,
        ("order",) if found.cut else (),
    )  # fmt: skip


def worth(definition: Definition, fact: Fact, answer: Answer) -> Worth | None:
    """What one rule gives for a fact that it is about, for a member of whom its condition holds; None for nothing."""
    matching, total = fact.amount, 1
    lines: Sequence[tuple[str, str, int]] = ()
    if definition.looks_at_lines and (fact.lines or definition.narrowed):
        lines = [one for one in fact.lines if _matches(definition, one)]
        total = sum(amount for _, _, amount in fact.lines)
        if not lines:
            return None
        if total == 0 and definition.per is not None:
            # Nothing says what share of the amount a line has.
            if definition.narrowed:
                return None
            lines = ()
        if lines and total:
            matching = fact.amount * sum(amount for _, _, amount in lines) // total
    if matching < definition.minimum:
        return None
    applied = [one for one in definition.multipliers if _applies(one, fact, answer, lines)]
    if definition.per is None:
        over, under = definition.points * _factor(definition, applied), 1
    elif lines:
        # Every line with its own multipliers; one rounding for all.
        over = definition.points * fact.amount * sum(
            amount * _factor(definition, [one for one in applied if _of_line(one, sku, category)])
            for sku, category, amount in lines
        )  # fmt: skip
        under = definition.per * total
    else:
        over, under = definition.points * fact.amount * _factor(definition, applied), definition.per
    under *= SCALE if definition.highest else SCALE ** len(definition.multipliers)
    points = (2 * over + under) // (2 * under) if definition.half_up else over // under
    most = min(definition.caps.get("order", MOST_POINTS), MOST_POINTS)
    return Worth(min(points, most), matching, applied, points > most) if points > 0 else None


def rate(definition: Definition) -> str:
    """ "1/1.00": points per major units, or the fixed points."""
    if definition.per is None:
        return str(definition.points)
    return f"{definition.points}/{definition.per // 100}.{definition.per % 100:02d}"


def _factor(definition: Definition, applied: Sequence[Multiplier]) -> int:
    """The factors put together, in millionths, or in millionths to the power of how many multipliers there are."""
    if definition.highest:
        return max((one.factor for one in applied), default=SCALE)
    together: int = SCALE ** (len(definition.multipliers) - len(applied))
    for one in applied:
        together *= one.factor
    return together


def _matches(definition: Definition, line: tuple[str, str, int]) -> bool:
    sku, category, _ = line
    return not definition.narrowed or sku in definition.products or category in definition.categories


def _of_line(one: Multiplier, sku: str, category: str) -> bool:
    return one.kind not in _LINES or _names(one, sku, category)


def _names(one: Multiplier, sku: str, category: str) -> bool:
    return one.value == (sku if one.kind == "product" else category)


def _applies(one: Multiplier, fact: Fact, answer: Answer, lines: Sequence[tuple[str, str, int]]) -> bool:
    match one.kind:
        case "tier":
            return answer.tier == one.value
        case "tag":
            return int(one.value) in answer.tags
        case "store":
            return fact.store == one.value
        case "channel":
            return fact.channel == one.value
        case "product" | "category":
            return any(_names(one, sku, category) for sku, category, _ in lines)
    assert one.window is not None  # noqa: S101  # the only other kind is a time window
    return within(one.window, fact.at, answer.birth)
