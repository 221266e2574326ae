"""The fields of the condition language over what a member did: counts, times and fading weight of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from members.models import EventType
from scrm.common import clock
from scrm.common.conditions import Aggregate, Choice, Context, Field, FieldType, Flag, Leaf, Param, ParamKind, Sql
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import count_turns, counts_of, decay_turns, earliest, window_turns
from scrm.common.conditions.sql import bind, compose
from scrm.common.conditions.where import AMOUNT, Test, compile_tests, property_text

EVENTS = _("Behaviour")
SPECIAL = {AMOUNT: Sql("e.amount / 100.0")}
_DAY = 86_400.0
# 2^-1000 is nothing, and what the power function still computes.
_FADED = -1_000.0


def fields() -> list[Field]:
    """The fields in the order in which the builder offers them."""
    kinds = Param("type", _("Event type"), choices=event_types, required=True)
    where = Param("where", _("Where"), kind=ParamKind.WHERE, properties=properties)
    narrowing = (kinds, where)
    return [
        Field("event", _("Did"), EVENTS, FieldType.BOOLEAN, _done, windowed=True, params=narrowing,
              topics=_topics, turns=_count_turns),
        Field("event.count", _("Event count"), EVENTS, FieldType.INTEGER, _count,
              always_set=True, windowed=True, params=narrowing, topics=_topics, turns=_count_turns),
        Field("event.distinct", _("Event: different days or values"), EVENTS, FieldType.INTEGER, _distinct,
              always_set=True, windowed=True, topics=_topics, turns=_any_turns,
              params=(kinds, Param("property", _("Different values of the property (else days)"), many=False,
                                   kind=ParamKind.TEXT, choices=properties), where)),
        Field("event.amount", _("Event amount"), EVENTS, FieldType.MONEY, _amount,
              always_set=True, windowed=True, params=narrowing, topics=_topics, turns=_any_turns),
        Field("event.last_at", _("Last time of the event"), EVENTS, FieldType.DATETIME, _time("max"),
              windowed=True, params=narrowing, topics=_topics, turns=_newest_turns),
        Field("event.first_at", _("First time of the event"), EVENTS, FieldType.DATETIME, _time("min"),
              windowed=True, params=narrowing, topics=_topics, turns=_any_turns),
        Field("event.weight", _("Event weight (fading)"), EVENTS, FieldType.DECIMAL, _weight,
              always_set=True, windowed=True, topics=_topics, turns=_weight_turns,
              params=(kinds, Param("half_life_days", _("Half-life in days"), required=True, kind=ParamKind.NUMBER,
                                   minimum=0.01, maximum=3650), where)),
    ]  # fmt: skip


def event_types() -> Sequence[Choice]:
    return [Choice(kind.key, str(kind)) for kind in EventType.objects.order_by("key")]


def properties() -> Sequence[Choice]:
    """What the usual events carry; any other name is taken too."""
    return [
        Choice("title", _("Page title")),
        Choice("text", _("Message text")),
        Choice("url", _("Address of the page")),
        Choice("keyword", _("Search words")),
        Choice("product", _("Product")),
        Choice("category", _("Category")),
        Choice(AMOUNT, _("Amount")),
    ]


def of_types(types: Sequence[str]) -> Sql:
    # Looked up once per query, so that a condition can be kept compiled while types come.
    return compose("e.type_id = ANY(ARRAY(SELECT id FROM members_eventtype WHERE key = ANY({})))", bind(list(types)))


def all_of(tests: Sequence[Sql]) -> Sql:
    return Sql(
        " AND ".join(f"({test.text})" for test in tests),
        tuple(value for test in tests for value in test.params),
    )


def _within(context: Context) -> list[Sql]:
    if context.window is None:
        return []
    return [Sql(f"e.occurred_at {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]


def _events(context: Context) -> Sql:
    """FROM … WHERE …: the events that the leaf looks at."""
    tests: tuple[Test, ...] = context.params.get("where", ())
    return compose(
        "FROM members_event e WHERE {}",
        all_of(
            [
                Sql("e.member_id = m.id"),
                of_types(context.params.get("type", [])),
                *_within(context),
                *compile_tests(tests, "e.properties", SPECIAL),
            ]
        ),
    )


def _exist(events: Sql) -> Sql:
    return compose("EXISTS (SELECT 1 {})", events)


def _done(context: Context) -> Source:
    return Flag(_exist(_events(context)))


def _count(context: Context) -> Source:
    events = _events(context)
    return Aggregate(compose("(SELECT count(*) {})", events), _exist(events))


def _distinct(context: Context) -> Source:
    events = _events(context)
    name = context.params.get("property")
    if name is None:
        value = compose("(e.occurred_at AT TIME ZONE {})::date", bind(str(clock.shop_zone())))
    else:
        value = property_text(name, "e.properties") if name != AMOUNT else Sql("e.amount")
    present = Sql("TRUE") if name is None else compose("{} IS NOT NULL", value)
    return Aggregate(
        compose("(SELECT count(DISTINCT {}) {})", value, events),
        compose("EXISTS (SELECT 1 {} AND {})", events, present),
    )


def _amount(context: Context) -> Source:
    events = _events(context)
    return Aggregate(compose("COALESCE((SELECT sum(e.amount) {}), 0)", events), _exist(events))


def _time(aggregate: str) -> Callable[[Context], Source]:
    def source(context: Context) -> Source:
        events = _events(context)
        return Aggregate(compose(f"(SELECT {aggregate}(e.occurred_at) {{}})", events), _exist(events), zero=False)

    return source


def _fading(context: Context) -> Sql:
    """The sum of what each event still weighs: one, halved every half-life since it occurred."""
    age = compose("EXTRACT(epoch FROM {}::timestamptz - e.occurred_at)::float8", bind(context.as_of))
    return compose(
        "COALESCE((SELECT sum(power(2::float8, GREATEST(-({}) / {}::float8, {}::float8)))"
        " {} AND e.occurred_at <= {}), 0)",
        age,
        bind(_DAY * float(context.params["half_life_days"])),
        bind(_FADED),
        _events(context),
        bind(context.as_of),
    )


def _weight(context: Context) -> Source:
    present = compose("EXISTS (SELECT 1 {} AND e.occurred_at <= {})", _events(context), bind(context.as_of))
    return Aggregate(compose("trim_scale(round(({})::numeric, 6))", _fading(context)), present)


def _topics(leaf: Leaf) -> frozenset[str]:
    return frozenset(f"event:{key}" for key in leaf.params.get("type", ()))


def _ever(context: Context) -> Sql:
    return _events(replace(context, window=None))


def _count_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_ever(context), "e.occurred_at", counts_of(leaf), context)


def _newest_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """The newest event of the window stays the newest until it leaves."""
    return count_turns(_ever(context), "e.occurred_at", [1], context)


def _any_turns(_leaf: Leaf, context: Context) -> Sql | None:
    return window_turns(_ever(context), "e.occurred_at", context)


def _weight_turns(leaf: Leaf, context: Context) -> Sql | None:
    coming = compose("(SELECT min(e.occurred_at) {} AND e.occurred_at > {})", _ever(context), bind(context.as_of))
    half_life = bind(float(context.params["half_life_days"]))
    return earliest(
        [
            decay_turns(_fading(context), half_life, leaf, context),
            coming,
            window_turns(_ever(context), "e.occurred_at", context),
        ]
    )
