"""What an operator of the condition language asks of an index: a test of values, or ranges of whole numbers.

Answers are those of `conditions.compiler` over the same values; where SQL would say something that cannot be said
here, the answer is None and SQL is asked.
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from scrm.common.bitmaps.numbers import Range
from scrm.common.bitmaps.stored import Value
from scrm.common.conditions import Context
from scrm.common.conditions.compiler import anniversary_days, day_bounds, instant_bounds
from scrm.common.conditions.durations import anniversary_codes

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": python.eq, "ne": python.ne, "lt": python.lt, "le": python.le, "gt": python.gt, "ge": python.ge,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def value_test(op: str, operand: Any) -> Callable[[Value], bool] | None:
    """The test of one distinct value, a text or a whole number."""
    match op:
        case "in":
            wanted = frozenset(operand)
            return lambda value: value in wanted
        case "not_in":
            unwanted = frozenset(operand)
            return lambda value: value not in unwanted
        case "between":
            low, high = operand
            return lambda value: bool(low <= value <= high)
        case "contains":
            return lambda value: operand in str(value)
        case "not_contains":
            return lambda value: operand not in str(value)
        case "starts":
            return lambda value: str(value).startswith(operand)
        case "not_starts":
            return lambda value: not str(value).startswith(operand)
        case "ends":
            return lambda value: str(value).endswith(operand)
        case "not_ends":
            return lambda value: not str(value).endswith(operand)
    compare = _COMPARE.get(op)
    return None if compare is None else lambda value: compare(value, operand)


def number_ranges(op: str, operand: Any, *, scale: int = 1) -> tuple[Range, ...] | None:
    """The ranges of whole numbers that pass. `scale`: how many steps of the index one of the operand makes."""
    if op == "between":
        return ((operand[0] * scale, operand[1] * scale + 1),)
    if not isinstance(operand, int):
        return None
    code = operand * scale
    match op:
        case "eq":
            return ((code, code + 1),)
        case "ne":
            return ((None, code), (code + 1, None))
        case "lt":
            return ((None, code),)
        case "le":
            return ((None, code + 1),)
        case "gt":
            return ((code + 1, None),)
        case "ge":
            return ((code, None),)
    return None


def microseconds(instant: datetime) -> int:
    """Since 1970, as `INSTANT_SQL` counts them."""
    span = instant - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def instant_sql(expression: str) -> str:
    """Microseconds since 1970 of a timestamptz; exact, because numeric carries them."""
    return f"(EXTRACT(epoch FROM {expression}) * 1000000)::bigint"


def day_sql(expression: str) -> str:
    """The ordinal of a date, as Python counts days."""
    return f"(({expression}) - DATE '0001-01-01' + 1)"


def instant_ranges(op: str, operand: Any, context: Context) -> tuple[Range, ...] | None:
    """Of a time that is indexed by `instant_sql`."""
    if op not in _BOUNDS:
        return None
    return (_between([(sign, microseconds(bound)) for sign, bound in instant_bounds(op, operand, context.as_of)]),)


def day_ranges(op: str, operand: Any, context: Context) -> tuple[Range, ...] | None:
    """Of a date that is indexed by `day_sql`."""
    if op not in _BOUNDS:
        return None
    return (_between([(sign, bound.toordinal()) for sign, bound in day_bounds(op, operand, context.today)]),)


def day_codes(op: str, operand: Any, context: Context) -> Callable[[Value], bool] | None:
    """The test of month × 100 + day that a yearly operator makes; None for the other operators."""
    match op:
        case "month":
            return lambda code: int(code) // 100 in operand
        case "month_day":
            return lambda code: int(code) % 100 in operand
        case "anniversary_next" | "anniversary_last" | "anniversary_within":
            first, days = anniversary_days(op, operand, context.today)
            return frozenset(anniversary_codes(first, days)).__contains__
    return None


# The operators that draw a line through time.
_BOUNDS = frozenset({"eq", "before", "after", "between", "in_last", "in_next", "at_least_ago"})


def _between(bounds: list[tuple[str, int]]) -> Range:
    """All bounds together; without any, nothing."""
    if not bounds:
        return (0, 0)
    lows, highs = [], []
    for sign, bound in bounds:
        if sign in (">", ">=", "="):
            lows.append(bound + (sign == ">"))
        if sign in ("<", "<=", "="):
            highs.append(bound + (sign != "<"))
    return (max(lows) if lows else None, min(highs) if highs else None)


def born_by(years: int, today: date) -> int | None:
    """The ordinal of the last birthday of those who are `years` old or older today; None: nobody can be."""
    if years <= 0:
        return today.toordinal()
    if years >= today.year:
        return None
    try:
        return today.replace(year=today.year - years).toordinal()
    except ValueError:  # 29 February: who was born on the 28th is that old, who was born on 1 March is not
        return date(today.year - years, 2, 28).toordinal()
