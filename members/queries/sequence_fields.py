"""The fields of the condition language over what follows what: one act after another, or left without the other.

A step is an event of some types, or a paid order. The steps of a member are put in one row by time and looked at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.queries.event_fields import EVENTS, SPECIAL, all_of, event_types, of_types, properties
from scrm.common.conditions import Choice, Context, Field, FieldType, Flag, Leaf, Param, ParamKind, Sql
from scrm.common.conditions.durations import Duration
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import earliest, window_turns
from scrm.common.conditions.sql import FALSE, bind, compose
from scrm.common.conditions.where import AMOUNT, Step, compile_tests

# Stands among event types for an order that counts, at the time it was paid; its amount is what remains of it.
ORDER = "$order"
_ORDER_AMOUNT = {AMOUNT: Sql("o.net_amount / 100.0")}


def fields() -> list[Field]:
    """The fields in the order in which the builder offers them."""
    step = partial(Param, choices=_steps, required=True, kind=ParamKind.STEP, properties=properties)
    within = Param(
        "within", _("Within"), required=True, kind=ParamKind.DURATION, units=("hour", "day", "week")
    )  # fmt: skip
    params = (
        step("first", pgettext_lazy("sequence", "First")),
        step("then", pgettext_lazy("sequence", "Then")),
        within,
    )
    return [
        Field("event.sequence", _("Did one after the other"), EVENTS, FieldType.BOOLEAN, _sequence,
              windowed=True, params=params, topics=_topics, turns=_sequence_turns),
        Field("event.unfollowed", _("Did the first and not the other after it"), EVENTS, FieldType.BOOLEAN, _unfollowed,
              windowed=True, params=params, topics=_topics, turns=_unfollowed_turns),
    ]  # fmt: skip


def _steps() -> Sequence[Choice]:
    return [Choice(ORDER, _("Paid order")), *event_types()]


def _event_test(step: Step) -> Sql:
    return all_of([of_types(step.types), *compile_tests(step.where, "e.properties", SPECIAL)])


def _order_test(step: Step) -> Sql:
    """An order has an amount and no properties."""
    if ORDER not in step.types:
        return FALSE
    return all_of([Sql("o.counts"), *compile_tests(step.where, "jsonb_build_object()", _ORDER_AMOUNT)])


def _steps_of(context: Context) -> tuple[Step, Step]:
    return context.params["first"], context.params["then"]


def _acts(context: Context) -> Sql:
    """SELECT at, is_first, is_then: what the member did of either step, ever."""
    first, then = _steps_of(context)
    acts = compose(
        "SELECT e.occurred_at AS at, {} AS is_first, {} AS is_then FROM members_event e"
        " WHERE e.member_id = m.id AND ({} OR {})",
        _event_test(first), _event_test(then), _event_test(first), _event_test(then),
    )  # fmt: skip
    if ORDER not in (*first.types, *then.types):
        return acts
    return compose(
        "{} UNION ALL SELECT o.paid_at, {}, {} FROM members_order o"
        " WHERE o.member_id = m.id AND o.paid_at IS NOT NULL AND ({} OR {})",
        acts, _order_test(first), _order_test(then), _order_test(first), _order_test(then),
    )  # fmt: skip


def _within(context: Context) -> Sql:
    tests = [] if context.window is None else context.window.bounds(context.as_of)
    return all_of([Sql("TRUE"), *(Sql(f"x.at {sign} %s", (bound,)) for sign, bound in tests)])


def _begun(context: Context) -> Sql:
    """Whether the member did the first step at all: cheaper to find, and seldom so."""
    first, _then = _steps_of(context)
    done = compose("EXISTS (SELECT 1 FROM members_event e WHERE e.member_id = m.id AND {})", _event_test(first))
    if ORDER not in first.types:
        return done
    order = compose("EXISTS (SELECT 1 FROM members_order o WHERE o.member_id = m.id AND {})", _order_test(first))
    return compose("({} OR {})", done, order)


def _length(context: Context) -> Sql:
    """Between two acts time is measured by the clock: a day is 24 hours."""
    span: Duration = context.params["within"]
    return compose("{}::interval", bind(timedelta(hours=span.n * {"hour": 1, "day": 24, "week": 168}[span.unit])))


def _sequence(context: Context) -> Source:
    """Each second step, with the latest first one before it; both in the window."""
    pairs = compose(
        "EXISTS (SELECT 1 FROM (SELECT x.at, x.is_then, max(x.at) FILTER (WHERE x.is_first) OVER (ORDER BY x.at"
        " GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS first_at FROM ({}) x WHERE {}) y"
        " WHERE y.is_then AND y.at <= y.first_at + {})",
        _acts(context), _within(context), _length(context),
    )  # fmt: skip
    return Flag(compose("{} AND {}", _begun(context), pairs))


def _unfollowed(context: Context) -> Source:
    """Each first step in the window whose time for the second is over, with the next second one after it."""
    pairs = compose(
        "EXISTS (SELECT 1 FROM (SELECT x.at, x.is_first, min(x.at) FILTER (WHERE x.is_then) OVER (ORDER BY x.at"
        " GROUPS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_at FROM ({}) x) x"
        " WHERE x.is_first AND {} AND x.at + {} <= {} AND (x.next_at IS NULL OR x.next_at > x.at + {}))",
        _acts(context), _within(context), _length(context), bind(context.as_of), _length(context),
    )  # fmt: skip
    return Flag(compose("{} AND {}", _begun(context), pairs))


def _topics(leaf: Leaf) -> frozenset[str]:
    types = {key for name in ("first", "then") for key in leaf.params[name].types}
    return frozenset("order" if key == ORDER else f"event:{key}" for key in types)


def _sequence_turns(_leaf: Leaf, context: Context) -> Sql | None:
    return window_turns(compose("FROM ({}) x WHERE TRUE", _acts(context)), "x.at", context)


def _unfollowed_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """Also when the time for the second step is over."""
    over = compose(
        "(SELECT min(x.at + {}) FROM ({}) x WHERE x.is_first AND x.at + {} > {})",
        _length(context), _acts(context), _length(context), bind(context.as_of),
    )  # fmt: skip
    return earliest([over, _sequence_turns(_leaf, context)])
