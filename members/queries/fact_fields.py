"""The fields of the condition language over what a member did: orders and events.

Without a window and without narrowing, orders are answered from the member's summary row; otherwise from the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from members.models import EventType, Product
from scrm.common.conditions import (
    Aggregate,
    Choice,
    Context,
    Field,
    FieldType,
    Flag,
    Leaf,
    Param,
    ParamKind,
    Row,
    Sql,
    bind,
    compose,
)
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import count_turns, counts_of, earliest, window_turns

ORDERS = _("Orders")
EVENTS = _("Behaviour")

_ORDER = frozenset({"order"})
_SUMMARY = "members_membersummary s"
_OF_MEMBER = Sql("s.member_id = m.id")


def fields(*, sources: Callable[[], Sequence[Choice]], stores: Callable[[], Sequence[Choice]]) -> list[Field]:
    """The fields in the order in which the builder offers them."""
    narrowing = (
        Param("source", _("Source"), choices=sources),
        Param("store", _("Store"), choices=stores),
        Param("channel", _("Channel"), kind=ParamKind.TEXT),
        Param("category", _("Containing the category"), choices=_categories),
    )
    event = (Param("type", _("Event type"), choices=_event_types, required=True),)
    return [
        Field(
            "order.count", _("Order count"), ORDERS, FieldType.INTEGER, _order_count,
            always_set=True, windowed=True, params=narrowing, topics=_ORDER, turns=_order_count_turns,
        ),
        Field(
            "order.sum", _("Order amount (net)"), ORDERS, FieldType.MONEY, _order_sum,
            always_set=True, windowed=True, params=narrowing, topics=_ORDER, turns=_order_turns,
        ),
        Field(
            "order.average", _("Average order (net)"), ORDERS, FieldType.MONEY, _order_average,
            windowed=True, params=narrowing, topics=_ORDER, turns=_order_turns,
        ),
        Field("order.last_at", _("Last order"), ORDERS, FieldType.DATETIME, _order_time("max"),
              windowed=True, params=narrowing, topics=_ORDER, turns=_order_last_turns),
        Field("order.first_at", _("First order"), ORDERS, FieldType.DATETIME, _order_time("min"),
              windowed=True, params=narrowing, topics=_ORDER, turns=_order_turns),
        Field("event", _("Did"), EVENTS, FieldType.BOOLEAN, _event_done, windowed=True, params=event,
              topics=_event_topics, turns=_event_count_turns),
        Field(
            "event.count", _("Event count"), EVENTS, FieldType.INTEGER, _event_count,
            always_set=True, windowed=True, params=event, topics=_event_topics, turns=_event_count_turns,
        ),
        Field("event.last_at", _("Last time of the event"), EVENTS, FieldType.DATETIME, _event_time("max"),
              params=event, topics=_event_topics),
        Field("event.first_at", _("First time of the event"), EVENTS, FieldType.DATETIME, _event_time("min"),
              params=event, topics=_event_topics),
    ]  # fmt: skip


def _within(column: str, context: Context) -> list[Sql]:
    if context.window is None:
        return []
    return [Sql(f"{column} {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]


def _and(tests: Sequence[Sql]) -> Sql:
    return Sql(" AND ".join(test.text for test in tests), tuple(value for test in tests for value in test.params))


def _orders(context: Context) -> Sql:
    """The orders that the leaf counts: those that count as purchases, in the window, narrowed down."""
    tests = [Sql("o.member_id = m.id AND o.counts"), *_within("o.paid_at", context)]
    for key, column in (("source", "o.source_id"), ("store", "o.store_id"), ("channel", "o.channel")):
        if key in context.params:
            tests.append(compose(f"{column} = ANY({{}})", bind(context.params[key])))
    if "category" in context.params:
        tests.append(
            compose(
                "EXISTS (SELECT 1 FROM members_orderline l JOIN members_product p ON p.id = l.product_id"
                " WHERE l.order_id = o.id AND p.category = ANY({}))",
                bind(context.params["category"]),
            )
        )
    return compose("FROM members_order o WHERE {}", _and(tests))


def _refunds(context: Context) -> Sql | None:
    """Refunds that name no order reduce the amount too, unless the leaf narrows to what only an order can tell."""
    if set(context.params) - {"source"}:
        return None
    tests = [Sql("r.member_id = m.id AND r.order_id IS NULL"), *_within("r.refunded_at", context)]
    if "source" in context.params:
        tests.append(compose("r.source_id = ANY({})", bind(context.params["source"])))
    return compose("FROM members_refund r WHERE {}", _and(tests))


def _order_count_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_orders(replace(context, window=None)), "o.paid_at", counts_of(leaf), context)


def _order_last_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """The newest order of the window stays the newest until it leaves."""
    return count_turns(_orders(replace(context, window=None)), "o.paid_at", [1], context)


def _order_turns(_leaf: Leaf, context: Context) -> Sql | None:
    everything = replace(context, window=None)
    refunds = _refunds(everything)
    return earliest(
        [
            window_turns(_orders(everything), "o.paid_at", context),
            None if refunds is None else window_turns(refunds, "r.refunded_at", context),
        ]
    )


def _is_plain(context: Context) -> bool:
    return context.window is None and not context.params


def _order_count(context: Context) -> Source:
    if _is_plain(context):
        return Row(_SUMMARY, _OF_MEMBER, Sql("s.order_count"), absent=0)
    orders = _orders(context)
    return Aggregate(compose("(SELECT count(*) {})", orders), compose("EXISTS (SELECT 1 {})", orders))


def _order_sum(context: Context) -> Source:
    if _is_plain(context):
        return Row(_SUMMARY, _OF_MEMBER, Sql("s.net_amount"), absent=0)
    orders = _orders(context)
    return Aggregate(_net(context), compose("EXISTS (SELECT 1 {})", orders))


def _net(context: Context) -> Sql:
    total = compose("COALESCE((SELECT sum(o.net_amount) {}), 0)", _orders(context))
    refunds = _refunds(context)
    if refunds is None:
        return total
    return compose("({} - COALESCE((SELECT sum(r.amount) {}), 0))", total, refunds)


def _order_average(context: Context) -> Source:
    if _is_plain(context):
        return Row(_SUMMARY, _OF_MEMBER, Sql("s.net_amount::numeric / NULLIF(s.order_count, 0)"))
    orders = _orders(context)
    return Aggregate(
        compose("({}::numeric / NULLIF((SELECT count(*) {}), 0))", _net(context), orders),
        compose("EXISTS (SELECT 1 {})", orders),
        zero=False,
    )


def _order_time(aggregate: str) -> Callable[[Context], Source]:
    column = "last_order_at" if aggregate == "max" else "first_order_at"

    def source(context: Context) -> Source:
        if _is_plain(context):
            return Row(_SUMMARY, _OF_MEMBER, Sql(f"s.{column}"))
        orders = _orders(context)
        return Aggregate(
            compose(f"(SELECT {aggregate}(o.paid_at) {{}})", orders),
            compose("EXISTS (SELECT 1 {})", orders),
            zero=False,
        )

    return source


def _events(context: Context) -> Sql:
    types = EventType.objects.filter(key__in=context.params.get("type", []))
    tests = [
        Sql("e.member_id = m.id"),
        compose("e.type_id = ANY({})", bind(list(types.values_list("pk", flat=True)))),
        *_within("e.occurred_at", context),
    ]
    return compose("FROM members_event e WHERE {}", _and(tests))


def _event_topics(leaf: Leaf) -> frozenset[str]:
    return frozenset(f"event:{key}" for key in leaf.params.get("type", ()))


def _event_count_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_events(replace(context, window=None)), "e.occurred_at", counts_of(leaf), context)


def _event_done(context: Context) -> Source:
    return Flag(compose("EXISTS (SELECT 1 {})", _events(context)))


def _event_count(context: Context) -> Source:
    events = _events(context)
    return Aggregate(compose("(SELECT count(*) {})", events), compose("EXISTS (SELECT 1 {})", events))


def _event_time(aggregate: str) -> Callable[[Context], Source]:
    def source(context: Context) -> Source:
        events = _events(context)
        return Aggregate(
            compose(f"(SELECT {aggregate}(e.occurred_at) {{}})", events),
            compose("EXISTS (SELECT 1 {})", events),
            zero=False,
        )

    return source


def _event_types() -> Sequence[Choice]:
    return [Choice(kind.key, str(kind)) for kind in EventType.objects.order_by("key")]


def _categories() -> Sequence[Choice]:
    found = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True)
    return [Choice(category, category) for category in found.distinct()]
