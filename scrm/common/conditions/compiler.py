"""From a tree to one SQL boolean over the alias `m` (members_member).

Every test is two-valued: where the value is unset a comparison is false, also a negated one, so that `none` and
`NOT` mean what they say. The same expression serves everyone and the few members an intake batch touched; only
the caller's `FROM … WHERE` differs.
"""

from __future__ import annotations

import operator as python
from datetime import date, datetime
from typing import Any

from scrm.common import clock
from scrm.common.conditions.durations import Duration, anniversary_codes
from scrm.common.conditions.fields import Aggregate, Column, Context, Field, Flag, PerValue, Row, Rows, Source
from scrm.common.conditions.operators import FieldType
from scrm.common.conditions.sql import FALSE, Sql, bind, compose, join, like
from scrm.common.conditions.tree import Group, Leaf, Node, naming
from scrm.common.conditions.values import days_before

_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_PYTHON = {
    "eq": python.eq, "ne": python.ne, "lt": python.lt, "le": python.le, "gt": python.gt, "ge": python.ge,
}  # fmt: skip


def compile_condition(node: Node, *, as_of: datetime, stack: tuple[Any, ...] = (), few: bool = False) -> Sql:
    """The condition as a boolean expression. `stack` names the segments being compiled around it.

    `few`: it is asked of a few members that are found already; the answer is the same.

    Raises `BadCondition` naming the leaf (`cycle`, `too_deep`), and what the sources of fields raise.
    """
    if isinstance(node, Leaf):
        return compile_leaf(node, as_of=as_of, stack=stack, few=few)
    parts = [compile_condition(child, as_of=as_of, stack=stack, few=few) for child in node.children]
    match node.op:
        case "all":
            return join(" AND ", parts)
        case "any":
            return join(" OR ", parts)
        case _:
            return compose("NOT ({})", join(" OR ", parts))


def compile_leaf(leaf: Leaf, *, as_of: datetime, stack: tuple[Any, ...] = (), few: bool = False) -> Sql:
    context = context_of(leaf, as_of=as_of, stack=stack, few=few)
    with naming(leaf):
        return _test(leaf.field, leaf.op, leaf.value, leaf.field.source(context), context)


def context_of(leaf: Leaf, *, as_of: datetime, stack: tuple[Any, ...] = (), few: bool = False) -> Context:
    return Context(as_of=as_of, window=leaf.window, params=leaf.params, stack=stack, few=few)


def value_of(leaf: Leaf, source: Source) -> Sql:
    """The value that the leaf looks at, NULL when it is unset: what is shown to people, and what flips start from."""
    match source:
        case Column(value, present):
            return compose("CASE WHEN {} THEN {} END", present, value)
        case Row() as row:
            return compose(f"(SELECT {{}} FROM {row.table} WHERE {{}})", row.value, row.join)
        case Aggregate() as aggregate:
            return compose("({})", aggregate.value)
        case Rows() as rows:
            return compose(f"ARRAY(SELECT {{}} FROM {rows.table} WHERE {{}} ORDER BY 1)", rows.value, rows.join)
        case Flag(test):
            return compose("({})", test)
        case PerValue(test_of):
            tests = [compose("CASE WHEN {} THEN {} END", test_of(item), bind(item)) for item in leaf.value]
            return Sql(
                f"array_remove(ARRAY[{', '.join(test.text for test in tests)}], NULL)",
                tuple(value for test in tests for value in test.params),
            )


def _test(field: Field, op: str, value: Any, source: Source, context: Context) -> Sql:
    match source:
        case Flag(test):
            return test if op == "true" else compose("NOT ({})", test)
        case PerValue(test_of):
            tests = [test_of(item) for item in value]
            if op == "all_of":
                return join(" AND ", tests)
            either = join(" OR ", tests)
            return either if op == "any_of" else compose("NOT ({})", either)
        case Rows():
            return _of_set(op, value, source)
        case Row():
            return _of_row(field, op, value, source, context)
        case Aggregate():
            return _of_aggregate(field, op, value, source, context)
        case Column(expression, present):
            if op in ("set", "not_set"):
                return present if op == "set" else compose("NOT ({})", present)
            return compose("({}) AND ({})", present, predicate(field.type, op, expression, value, context))


def _of_set(op: str, value: Any, source: Rows) -> Sql:
    head = f"SELECT 1 FROM {source.table} WHERE "  # names from the registry, values bound
    if op in ("set", "not_set"):
        return compose(f"{'NOT ' if op == 'not_set' else ''}EXISTS ({head}{{}})", source.join)
    if op == "all_of":
        return join(
            " AND ",
            [
                compose(f"EXISTS ({head}{{}} AND {{}} = {{}})", source.join, source.value, bind(item))
                for item in dict.fromkeys(value)
            ],
        )
    prefix = "NOT " if op == "none_of" else ""
    return compose(f"{prefix}EXISTS ({head}{{}} AND {{}} = ANY({{}}))", source.join, source.value, bind(value))


def _of_row(field: Field, op: str, value: Any, source: Row, context: Context) -> Sql:
    head = f"EXISTS (SELECT 1 FROM {source.table} WHERE "  # names from the registry, values bound
    if op in ("set", "not_set"):
        return compose(
            f"{'NOT ' if op == 'not_set' else ''}{head}{{}} AND {{}} IS NOT NULL)", source.join, source.value
        )
    test = predicate(field.type, op, source.value, value, context)
    if source.absent is not None and _holds(op, source.absent, value):
        return compose(f"NOT {head}{{}} AND NOT ({{}}))", source.join, test)
    return compose(f"{head}{{}} AND {{}})", source.join, test)


def _of_aggregate(field: Field, op: str, value: Any, source: Aggregate, context: Context) -> Sql:
    if op in ("set", "not_set"):
        return source.exists if op == "set" else compose("NOT ({})", source.exists)
    test = predicate(field.type, op, source.value, value, context)
    if not source.zero:
        return compose("({}) AND COALESCE({}, FALSE)", source.exists, test)
    # A positive value needs rows: asking everyone for them first lets the planner start from the rows.
    low = value[0] if isinstance(value, tuple) else value
    if op in ("eq", "ge", "gt", "between") and low > 0:
        if op == "ge" and low == 1 and field.type == FieldType.INTEGER:
            return source.exists
        if not context.few:
            return compose("({}) AND ({})", source.exists, test)
    return test


def _holds(op: str, absent: Any, value: Any) -> bool:
    """Whether the value that stands for a missing row passes the test."""
    if op == "between":
        return bool(value[0] <= absent <= value[1])
    if op in ("in", "not_in"):
        return (absent in value) == (op == "in")
    return bool(_PYTHON[op](absent, value))


def predicate(kind: FieldType, op: str, expression: Sql, value: Any, context: Context) -> Sql:
    """The comparison of an expression that is not null."""
    if kind in (FieldType.DATE, FieldType.DATETIME):
        return _calendar(kind, op, expression, value, context)
    match op:
        case "between":
            return compose("{} BETWEEN {} AND {}", expression, bind(value[0]), bind(value[1]))
        case "in":
            return compose("{} = ANY({})", expression, bind(value))
        case "not_in":
            return compose("{} <> ALL({})", expression, bind(value))
        case "contains" | "not_contains" | "starts" | "not_starts" | "ends" | "not_ends":
            return like(op, expression, value)
        case "regex":
            return compose("{} ~ {}", expression, bind(value))
        case "not_regex":
            return compose("{} !~ {}", expression, bind(value))
    return compose(f"{{}} {_COMPARISONS[op]} {{}}", expression, bind(value))


def _calendar(kind: FieldType, op: str, expression: Sql, value: Any, context: Context) -> Sql:
    is_date = kind == FieldType.DATE
    day = expression
    if not is_date:
        day = compose("({} AT TIME ZONE {})::date", expression, bind(str(clock.shop_zone())))
    match op:
        case "month":
            return compose("EXTRACT(month FROM {})::int = ANY({})", day, bind(value))
        case "month_day":
            return compose("EXTRACT(day FROM {})::int = ANY({})", day, bind(value))
        case "anniversary_next" | "anniversary_last" | "anniversary_within":
            first, days = anniversary_days(op, value, context.today)
            return compose(
                "(EXTRACT(month FROM {}) * 100 + EXTRACT(day FROM {}))::int = ANY({})",
                day, day, bind(anniversary_codes(first, days)),
            )  # fmt: skip
    bounds = day_bounds(op, value, context.today) if is_date else instant_bounds(op, value, context.as_of)
    if not bounds:
        return FALSE
    return Sql(
        " AND ".join(f"{expression.text} {sign} %s" for sign, _ in bounds),
        tuple(item for _, bound in bounds for item in (*expression.params, bound)),
    )


def anniversary_days(op: str, value: int, today: date) -> tuple[date, int]:
    """The first day on which the anniversary may fall, and how many days there are."""
    match op:
        case "anniversary_next":  # the next n days begin today
            return today, value
        case "anniversary_last":  # the last n days end today
            return days_before(today, value - 1), value
        case _:
            return days_before(today, value), 2 * value + 1


def day_bounds(op: str, value: Any, today: date) -> list[tuple[str, date]]:
    match op:
        case "eq":
            return [("=", value)]
        case "before":
            return [("<", value)]
        case "after":
            return [(">", value)]
        case "between":
            return [(">=", value[0]), ("<=", value[1])]
    span: Duration = value
    match op:
        case "in_last":
            return [(">", span.shift_day(today, -1)), ("<=", today)]
        case "in_next":
            return [(">=", today), ("<", span.shift_day(today, 1))]
        case "at_least_ago":
            return [("<=", span.shift_day(today, -1))]
    return []


def instant_bounds(op: str, value: Any, as_of: datetime) -> list[tuple[str, datetime]]:
    match op:
        case "eq":
            return [(">=", clock.day_start(value)), ("<", clock.day_end(value))]
        case "before":
            return [("<", clock.day_start(value))]
        case "after":
            return [(">=", clock.day_end(value))]
        case "between":
            return [(">=", clock.day_start(value[0])), ("<", clock.day_end(value[1]))]
    span: Duration = value
    match op:
        case "in_last":
            return [(">", span.shift(as_of, -1)), ("<=", as_of)]
        case "in_next":
            return [(">", as_of), ("<=", span.shift(as_of, 1))]
        case "at_least_ago":
            return [("<=", span.shift(as_of, -1))]
    return []


def group_holds(node: Node, truths: dict[str, bool]) -> bool:
    """Whether the tree holds, given the truth of each leaf by its path."""
    if isinstance(node, Leaf):
        return truths[node.path]
    return fold(node, [group_holds(child, truths) for child in node.children])


def fold(group: Group, children: list[bool]) -> bool:
    match group.op:
        case "all":
            return all(children)
        case "any":
            return any(children)
        case _:
            return not any(children)
