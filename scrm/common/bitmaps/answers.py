"""The usual ways in which a leaf is answered; apps pick one per field in `<app>/queries/indexes.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from scrm.common.bitmaps import operators
from scrm.common.bitmaps.numbers import Range
from scrm.common.bitmaps.plans import Answer, Every, Having, Plan, Some, Within, Without
from scrm.common.bitmaps.stored import Value
from scrm.common.conditions import Context, Leaf

# Which slot a leaf asks; None: SQL has to answer.
KeyOf = Callable[[Leaf], str | None]


def plain(leaf: Leaf) -> str | None:
    """The one slot of a family without keys, for leaves that nothing narrows down."""
    return None if leaf.window is not None or leaf.params else ""


def by_value(family: str, column: str, *, key: KeyOf = plain, absent: Value | None = None) -> Answer:
    """A column with a bitmap per value. `absent` is the value of members without a row."""

    def answer(leaf: Leaf, _context: Context) -> Plan | None:
        slot = key(leaf)
        if slot is None:
            return None
        present = Having(family, slot, column)
        if leaf.op in ("set", "not_set"):
            return present if leaf.op == "set" else Without((present,))
        test = operators.value_test(leaf.op, leaf.value)
        if test is None:
            return None
        if absent is not None and test(absent):
            return Without((Having(family, slot, column, lambda value: not test(value)),))
        return Having(family, slot, column, test)

    return answer


def by_number(family: str, column: str, *, key: KeyOf = plain, absent: int | None = None, scale: int = 1) -> Answer:
    """A column of whole numbers in buckets. `scale`: how many steps of the index one of the operand makes."""

    def answer(leaf: Leaf, _context: Context) -> Plan | None:
        slot = key(leaf)
        ranges = None if leaf.op in ("set", "not_set") else operators.number_ranges(leaf.op, leaf.value, scale=scale)
        return _ranged(leaf, family, slot, column, ranges, absent=absent)

    return answer


def by_instant(family: str, column: str, *, key: KeyOf = plain) -> Answer:
    """A time that is indexed by `operators.instant_sql`."""

    def answer(leaf: Leaf, context: Context) -> Plan | None:
        slot = key(leaf)
        ranges = None if leaf.op in ("set", "not_set") else operators.instant_ranges(leaf.op, leaf.value, context)
        return _ranged(leaf, family, slot, column, ranges)

    return answer


def _ranged(
    leaf: Leaf,
    family: str,
    slot: str | None,
    column: str,
    ranges: tuple[Range, ...] | None,
    *,
    absent: int | None = None,
) -> Plan | None:
    if slot is None:
        return None
    present = Having(family, slot, column)
    if leaf.op in ("set", "not_set"):
        return present if leaf.op == "set" else Without((present,))
    if ranges is None:
        return None
    matching = Within(family, slot, column, ranges)
    if absent is not None and _holds(ranges, absent):
        # Those without a row, and those of the others that match: all but who has another number.
        return Some((Without((present,)), matching))
    return matching


def _holds(ranges: tuple[Range, ...], number: int) -> bool:
    return any((low is None or low <= number) and (high is None or number < high) for low, high in ranges)


def of_values(op: str, parts: Collection[Plan], present: Callable[[], Plan]) -> Plan | None:
    """A set of values: `parts` has a plan for each value that the leaf lists."""
    match op:
        case "any_of":
            return Some(tuple(parts))
        case "all_of":
            return Every(tuple(parts))
        case "none_of":
            return Without(tuple(parts))
        case "set":
            return present()
        case "not_set":
            return Without((present(),))
    return None


def listed(leaf: Leaf) -> list[Any]:
    """The values that a leaf over a set lists."""
    return list(dict.fromkeys(leaf.value)) if isinstance(leaf.value, list) else []
