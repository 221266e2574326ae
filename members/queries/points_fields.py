"""The fields of the condition language over points: what a member has, what expires soon, what was earned and spent.

Each is about one kind of points, 积分 unless the leaf names another. Balances are those of the instant asked about:
expiry and the end of waiting and of holds count whether or not they are booked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from members.models import PointsCurrency
from members.queries.points import POINTS
from scrm.common.conditions import (
    Aggregate,
    Choice,
    Context,
    Field,
    FieldType,
    Leaf,
    Param,
    ParamKind,
    Row,
    Sql,
    bind,
    calendar,
    compose,
    register,
)
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import earliest, window_turns

GROUP = _("Points")


def topics(leaf: Leaf) -> frozenset[str]:
    """What a leaf over points hangs on."""
    return frozenset({f"points:{leaf.params.get('currency', POINTS)}"})


def _currencies() -> Sequence[Choice]:
    return [Choice(key, name) for key, name in PointsCurrency.objects.order_by("pk").values_list("key", "name")]


def _mine(context: Context, alias: str) -> Sql:
    """The rows of the member and of the kind of points that the leaf is about."""
    return compose(
        f"{alias}.member_id = m.id AND {alias}.currency_id = (SELECT id FROM members_pointscurrency WHERE key = {{}})",
        bind(context.params.get("currency", POINTS)),
    )


def _balance(column: str, shown: str = "{}") -> Callable[[Context], Source]:
    """A balance of the account; `shown` is what is made of it."""

    def source(context: Context) -> Source:
        value = compose(
            shown.format(f"CASE WHEN a.due_at <= {{}} THEN (points_ahead(a, {{}})).{column} ELSE a.{column} END"),
            bind(context.as_of), bind(context.as_of),
        )  # fmt: skip
        return Row("members_pointsaccount a", _mine(context, "a"), value, absent=0)

    return source


def _due(context: Context) -> Sql:
    """When time next changes the account, after the instant asked about."""
    return compose(
        "(SELECT CASE WHEN a.due_at <= {} THEN (points_ahead(a, {})).due_at ELSE a.due_at END"
        " FROM members_pointsaccount a WHERE {})",
        bind(context.as_of), bind(context.as_of), _mine(context, "a"),
    )  # fmt: skip


def _balance_turns(_leaf: Leaf, context: Context) -> Sql:
    return _due(context)


def _lots(context: Context) -> Sql:
    """What is left of each lot and not set aside, with its end."""
    return compose(
        "FROM members_pointsaccount a CROSS JOIN LATERAL points_lots_ahead(a, {}) l"
        " WHERE {} AND l.remaining > l.held",
        bind(context.as_of), _mine(context, "a"),
    )  # fmt: skip


def _expiring(context: Context) -> Source:
    until = context.params["within"].shift(context.as_of, 1)
    lots = compose("{} AND LEAST(l.expires_at, a.idle_at) <= {}", _lots(context), bind(until))
    return Aggregate(
        compose("COALESCE((SELECT sum(l.remaining - l.held) {}), 0)", lots), compose("EXISTS (SELECT 1 {})", lots)
    )


def _expiring_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """When the account changes, or the next lot comes within reach of its end."""
    reached = calendar.crossing(Sql("LEAST(l.expires_at, a.idle_at)"), context.params["within"], -1, context.as_of)
    return earliest([_due(context), compose("(SELECT min({}) {})", reached, _lots(context))])


def _entries(context: Context, kinds: str) -> Sql:
    tests = [compose(f"{{}} AND e.kind IN ({kinds})", _mine(context, "e"))]
    if context.window is not None:
        tests += [Sql(f"e.occurred_at {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]
    return Sql(
        f"FROM members_pointsentry e WHERE {' AND '.join(test.text for test in tests)}",
        tuple(value for test in tests for value in test.params),
    )


def _summed(kinds: str) -> Callable[[Context], Source]:
    def source(context: Context) -> Source:
        entries = _entries(context, kinds)
        return Aggregate(
            compose("COALESCE((SELECT sum(e.amount) {}), 0)", entries), compose("EXISTS (SELECT 1 {})", entries)
        )

    return source


def _summed_turns(kinds: str) -> Callable[[Leaf, Context], Sql | None]:
    return lambda _leaf, context: window_turns(_entries(replace(context, window=None), kinds), "e.occurred_at", context)


_CURRENCY = Param("currency", _("Kind of points"), choices=_currencies, many=False)
_WITHIN = Param(
    "within", _("Within"), kind=ParamKind.DURATION, required=True, many=False, units=("day", "week", "month")
)
_EARNED, _SPENT = "'earn'", "'spend', 'post'"

register(
    Field("points.available", _("Points available"), GROUP, FieldType.INTEGER, _balance("available"),
          always_set=True, params=(_CURRENCY,), topics=topics, turns=_balance_turns),
    Field("points.pending", _("Points pending"), GROUP, FieldType.INTEGER, _balance("pending"),
          always_set=True, params=(_CURRENCY,), topics=topics, turns=_balance_turns),
    Field("points.arrears", _("Points in arrears"), GROUP, FieldType.INTEGER,
          _balance("available", "GREATEST(-({}), 0)"),
          always_set=True, params=(_CURRENCY,), topics=topics, turns=_balance_turns),
    Field("points.expiring", _("Points that expire soon"), GROUP, FieldType.INTEGER, _expiring,
          always_set=True, params=(_WITHIN, _CURRENCY), topics=topics, turns=_expiring_turns),
    Field("points.earned", _("Points earned"), GROUP, FieldType.INTEGER, _summed(_EARNED),
          always_set=True, windowed=True, params=(_CURRENCY,), topics=topics, turns=_summed_turns(_EARNED)),
    Field("points.spent", _("Points spent"), GROUP, FieldType.INTEGER, _summed(_SPENT),
          always_set=True, windowed=True, params=(_CURRENCY,), topics=topics, turns=_summed_turns(_SPENT)),
)  # fmt: skip
