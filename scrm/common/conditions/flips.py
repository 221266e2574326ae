"""When time alone can turn the answer of a condition: what is scheduled instead of scanning everyone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from scrm.common import clock
from scrm.common.conditions import calendar
from scrm.common.conditions.compiler import context_of, value_of
from scrm.common.conditions.durations import Duration
from scrm.common.conditions.fields import Context
from scrm.common.conditions.operators import FieldType
from scrm.common.conditions.sql import Sql, bind, compose
from scrm.common.conditions.tree import Leaf, Node, leaves, naming


def compile_flip(node: Node, *, as_of: datetime, stack: tuple[Any, ...] = ()) -> Sql | None:
    """A timestamptz over alias m: the next instant after `as_of` at which the answer can change without a new fact.

    It may be early, never late, and is always after `as_of`. NULL, or None for everybody: never.
    """
    return earliest([leaf_flip(leaf, as_of=as_of, stack=stack) for leaf in leaves(node)])


def leaf_flip(leaf: Leaf, *, as_of: datetime, stack: tuple[Any, ...] = ()) -> Sql | None:
    """The same for one leaf."""
    context = context_of(leaf, as_of=as_of, stack=stack)
    with naming(leaf):
        found = [leaf.field.turns(leaf, context) if leaf.field.turns is not None else None]
    if leaf.field.type in (FieldType.DATE, FieldType.DATETIME):
        found.append(_of_operator(leaf, context))
    return earliest(found)


def earliest(instants: Sequence[Sql | None]) -> Sql | None:
    """The first of them; NULLs do not count."""
    known = [instant for instant in instants if instant is not None]
    if len(known) < 2:
        return known[0] if known else None
    return Sql(
        f"LEAST({', '.join(instant.text for instant in known)})",
        tuple(value for instant in known for value in instant.params),
    )


def _of_operator(leaf: Leaf, context: Context) -> Sql | None:
    """What the operator makes of a value that itself stays."""
    op, today, as_of = leaf.op, context.today, context.as_of
    if op not in (
        "in_last", "in_next", "at_least_ago", "anniversary_next", "anniversary_last", "anniversary_within",
    ):  # fmt: skip
        return None
    value = value_of(leaf, leaf.field.source(context))
    is_date = leaf.field.type == FieldType.DATE
    if op.startswith("anniversary"):
        day = value if is_date else shop_day(value)
        # Both count today: the next 1 day is today.
        before = {"anniversary_next": leaf.value - 1, "anniversary_last": 0}.get(op, leaf.value)
        after = {"anniversary_next": 0, "anniversary_last": leaf.value - 1}.get(op, leaf.value)
        return calendar.anniversary(day, today, before=before, after=after)
    span: Duration = leaf.value
    sign = -1 if op == "in_next" else 1
    if is_date:
        crossing = calendar.day_crossing(value, span, sign, today)
        if op == "at_least_ago":
            return crossing
        return earliest([crossing, calendar.day_begins(value, today, later=1 if op == "in_next" else 0)])
    crossing = calendar.crossing(value, span, sign, as_of)
    return crossing if op == "at_least_ago" else earliest([crossing, calendar.entering(value, as_of)])


def shop_day(instant: Sql) -> Sql:
    """The shop's calendar day of an instant."""
    return compose("({} AT TIME ZONE {})::date", instant, bind(str(clock.shop_zone())))


def window_turns(rows: Sql, column: str, context: Context) -> Sql | None:
    """When a fact enters or leaves the leaf's window. `rows`: "FROM … WHERE …" without the window."""
    last = context.window.last if context.window is not None else None
    if last is None:
        return None
    moves = earliest(
        [calendar.crossing(Sql(column), last, 1, context.as_of), calendar.entering(Sql(column), context.as_of)]
    )
    assert moves is not None  # noqa: S101  # both are given
    since = last.shift(context.as_of, -1) - calendar.RETURNING
    return compose(f"(SELECT min({{}}) {{}} AND {column} > {{}})", moves, rows, bind(since))


def count_turns(rows: Sql, column: str, counts: Sequence[int], context: Context) -> Sql | None:
    """When so many facts are no longer in the leaf's window, or one enters it.

    `counts` are the numbers of facts at which the answer changes (`counts_of`): only the last fact that keeps it so
    many matters, so that a busy member is not looked at again for every page he saw.
    """
    last = context.window.last if context.window is not None else None
    if last is None:
        return None
    since = last.shift(context.as_of, -1) - calendar.RETURNING
    leaving = [
        compose(
            f"(SELECT {{}} FROM (SELECT {column} AS at {{}} AND {column} > {{}} AND {column} <= {{}}"
            f" ORDER BY {column} DESC OFFSET {{}} LIMIT 1) nth)",
            calendar.crossing(Sql("nth.at"), last, 1, context.as_of),
            rows, bind(since), bind(context.as_of), bind(count - 1),
        )
        for count in counts
        if count >= 1
    ]  # fmt: skip
    entering = compose(f"(SELECT min({column}) {{}} AND {column} > {{}})", rows, bind(context.as_of))
    return earliest([*leaving, entering])


def counts_of(leaf: Leaf) -> list[int]:
    """The counts k where "at least k" is what the leaf's answer turns on."""
    match leaf.op:
        case "ge" | "lt":
            return [leaf.value]
        case "gt" | "le":
            return [leaf.value + 1]
        case "eq" | "ne":
            return [leaf.value, leaf.value + 1]
        case "between":
            return [leaf.value[0], leaf.value[1] + 1]
    return [1]


def decay_turns(weight: Sql, half_life_days: Sql, leaf: Leaf, context: Context) -> Sql | None:
    """When a weight that halves every `half_life_days`, now `weight`, falls through what the leaf compares it with.

    Weights are compared rounded to six places, so that the bounds of rounding are what is looked for.
    """
    if leaf.op in ("set", "not_set"):
        return None
    bounds = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    half = Decimal("0.0000005")
    thresholds = [float(edge) for bound in bounds for edge in (bound + half, bound - half) if edge > 0]
    if not thresholds:
        return None
    return compose(
        "(SELECT min(GREATEST({} + make_interval(secs => LEAST(86400.0 * x.h * (ln(x.w / t.bound) / ln(2.0)), 3e10)),"
        " {})) FROM (SELECT ({})::float8 AS w, ({})::float8 AS h) x, unnest({}::float8[]) AS t (bound)"
        " WHERE x.w > t.bound)",
        bind(context.as_of), bind(context.as_of + timedelta(milliseconds=1)), weight, half_life_days, bind(thresholds),
    )  # fmt: skip
