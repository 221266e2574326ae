"""The fields of the condition language over what a member bought, and events beside them.

Without a window and without narrowing, orders are answered from the member's summary row; otherwise from the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from members.models import Product
from members.queries import event_fields, sequence_fields
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
    compose,
)
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import count_turns, counts_of, earliest, window_turns

ORDERS = _("Orders")

_ORDER = frozenset({"order"})
# What narrows orders down to those with such a line.
_LINES = (("category", "p.category"), ("product", "p.sku"))
_LINES_OF_ORDER = "members_orderline l JOIN members_product p ON p.id = l.product_id WHERE l.order_id = o.id"
_SUMMARY = "members_membersummary s"
_OF_MEMBER = Sql("s.member_id = m.id")


def fields(*, sources: Callable[[], Sequence[Choice]], stores: Callable[[], Sequence[Choice]]) -> list[Field]:
    """The fields in the order in which the builder offers them."""
    narrowing = (
        Param("source", _("Source"), choices=sources),
        Param("store", _("Store"), choices=stores),
        Param("channel", _("Channel"), kind=ParamKind.TEXT),
        Param("category", _("Containing the category"), choices=_categories),
        Param("product", _("Containing the product (SKU)"), kind=ParamKind.TEXT),
    )
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
              windowed=True, params=narrowing, topics=_ORDER, turns=_purchase_turns),
        Field("order.largest", _("Largest order (net)"), ORDERS, FieldType.MONEY, _order_largest,
              windowed=True, params=narrowing, topics=_ORDER, turns=_purchase_turns),
        Field("order.products", _("Different products bought"), ORDERS, FieldType.INTEGER, _bought("l.product_id"),
              always_set=True, windowed=True, params=narrowing, topics=_ORDER, turns=_purchase_turns),
        Field("order.categories", _("Different categories bought"), ORDERS, FieldType.INTEGER,
              _bought("NULLIF(p.category, '')"),
              always_set=True, windowed=True, params=narrowing, topics=_ORDER, turns=_purchase_turns),
        *event_fields.fields(),
        *sequence_fields.fields(),
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
    for key, column in _LINES:
        if key in context.params:
            tests.append(
                compose(f"EXISTS (SELECT 1 FROM {_LINES_OF_ORDER} AND {column} = ANY({{}}))", bind(context.params[key]))
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


def _order_largest(context: Context) -> Source:
    orders = _orders(context)
    return Aggregate(
        compose("(SELECT max(o.net_amount) {})", orders), compose("EXISTS (SELECT 1 {})", orders), zero=False
    )


def _bought(column: str) -> Callable[[Context], Source]:
    """How many different ones the orders contain; of the narrowed categories and products, when there are any."""

    def source(context: Context) -> Source:
        orders = _orders(context)
        among = [
            compose(f"{of_line} = ANY({{}})", bind(context.params[key]))
            for key, of_line in _LINES
            if key in context.params
        ]
        lines = compose(f"FROM {_LINES_OF_ORDER} AND {{}}", _and([Sql(f"{column} IS NOT NULL"), *among]))
        return Aggregate(
            compose(
                "(SELECT count(DISTINCT x.bought) FROM (SELECT o.id {}) o,"
                f" LATERAL (SELECT {column} AS bought {{}}) x)",
                orders, lines,
            ),
            compose("EXISTS (SELECT 1 {} AND EXISTS (SELECT 1 {}))", orders, lines),
        )  # fmt: skip

    return source


def _order_count_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_orders(replace(context, window=None)), "o.paid_at", counts_of(leaf), context)


def _order_last_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """The newest order of the window stays the newest until it leaves."""
    return count_turns(_orders(replace(context, window=None)), "o.paid_at", [1], context)


def _purchase_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """Refunds that name no order change nothing here."""
    return window_turns(_orders(replace(context, window=None)), "o.paid_at", context)


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


def _categories() -> Sequence[Choice]:
    found = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True)
    return [Choice(category, category) for category in found.distinct()]
