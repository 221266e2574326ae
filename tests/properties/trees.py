"""Random conditions over all fields: raw JSON, as it comes from the builder and the API."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from scrm.common.conditions.fields import Field, Param, ParamKind, every
from scrm.common.conditions.operators import OPERANDS, FieldType, Operand
from tests.properties.world import NOW, TYPES, World

UNITS = ("day", "day", "week", "month")
SPANS = {"hour": (1, 2, 16, 24, 48), "day": (1, 2, 7, 29, 30, 31, 90, 365), "week": (1, 4, 52), "month": (1, 2, 12, 24)}
TEXTS = (
    "上海",
    "上",
    "杭",
    "%",
    "_",
    "100%",
    "王",
    "小",
    "n",
    "中国",
    "浙江省",
    "Ann%",
    "abc",
    "5",
    "true",
    "mini",
    "P0",
)
DATES = tuple(
    [date(2026, 2, 28), date(2026, 12, 31), date(2027, 2, 27), date(2027, 2, 28), date(2027, 3, 1), date(2028, 2, 29)]
)
NUMBERS = (0, 1, 2, 3, 4, 5)
MONEY = ("0", "1", "10", "49.99", "50.50", "99.99", "100", "150", "200", "-10")
DECIMALS = ("0", "0.05", "0.5", "0.73", "1", "1.25", "2", "2.5", "3.0001")


def instants() -> st.SearchStrategy[datetime]:
    """Instants at and around the ends of days, months and windows, leap days and changes of the clock."""
    ends = [
        NOW,
        datetime.fromisoformat("2027-02-28T15:59:59+00:00"),
        datetime.fromisoformat("2027-02-28T16:00:00+00:00"),
        datetime.fromisoformat("2027-03-31T03:00:00+00:00"),
        datetime.fromisoformat("2027-03-14T06:59:00+00:00"),  # New York, just before clocks go forward
        datetime.fromisoformat("2027-03-14T07:30:00+00:00"),
        datetime.fromisoformat("2026-11-01T05:30:00+00:00"),  # New York, one of the two half past ones
        datetime.fromisoformat("2028-02-29T12:00:00+00:00"),
        datetime.fromisoformat("2028-03-01T04:00:00+00:00"),
        datetime.fromisoformat("2026-12-31T23:00:00+00:00"),
    ]
    near = st.builds(
        lambda days, hours, seconds: NOW + timedelta(days=days, hours=hours, seconds=seconds),
        st.sampled_from([-30, -2, -1, 0, 1, 2, 28, 29, 30, 31, 90]), st.sampled_from([0, 1, 12, 16]),
        st.sampled_from([-1, 0, 0, 1]),
    )  # fmt: skip
    return st.one_of(st.sampled_from(ends), near)


def spans(*units: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(units or UNITS).flatmap(
        lambda unit: st.sampled_from(SPANS[unit]).map(lambda n: {"n": n, "unit": unit})
    )


def days() -> st.SearchStrategy[str]:
    return st.sampled_from(DATES).map(str)


def windows() -> st.SearchStrategy[Any]:
    between = st.tuples(days(), days()).map(sorted).map(lambda pair: {"from": pair[0], "to": pair[1]})
    last = spans("hour", "day", "day", "day", "week", "month").map(lambda span: {"last": span})
    return st.one_of(last, between, days().map(lambda day: {"from": day}), days().map(lambda day: {"to": day}))


def scalars(field: Field) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldType.TEXT:
            return st.sampled_from(TEXTS)
        case FieldType.INTEGER:
            wide = {"age": (0, 1, 29, 30, 36, 37, 42), "bucket": (0, 2_500, 5_000, 9_999)}.get(field.key, NUMBERS)
            return st.sampled_from(wide)
        case FieldType.MONEY:
            return st.sampled_from(MONEY)
        case FieldType.DECIMAL:
            return st.sampled_from(DECIMALS)
        case FieldType.DATE | FieldType.DATETIME:
            return days()
    known = [choice.value for choice in field.choices()] if field.choices else []
    return st.sampled_from(known or ["nothing"])


def operands(field: Field, op: str) -> st.SearchStrategy[Any]:
    one = scalars(field)
    match OPERANDS[op]:
        case Operand.NONE:
            return st.none()
        case Operand.VALUE:
            return one
        case Operand.PAIR:
            key = str if field.type in (FieldType.DATE, FieldType.DATETIME) else float
            return st.tuples(one, one).map(lambda pair: sorted(pair, key=key))
        case Operand.LIST:
            return st.lists(one, min_size=1, max_size=3)
        case Operand.PATTERN:
            return st.sampled_from(["^上", "海$", "[0-9]+", "小|王", "^.{2}$", "a*n"])
        case Operand.DURATION:
            return spans("hour", "day", "month") if field.type == FieldType.DATETIME else spans()
        case Operand.DAYS:
            return st.sampled_from([1, 2, 7, 28, 31, 366])
        case Operand.MONTHS:
            return st.lists(st.integers(1, 12), min_size=1, max_size=3)
        case Operand.MONTH_DAYS:
            return st.lists(st.sampled_from([1, 27, 28, 29, 30, 31]), min_size=1, max_size=3)
    raise LookupError(op)


def tests() -> st.SearchStrategy[Any]:
    """Tests of an event's properties."""
    name = st.sampled_from(["title", "price", "product.sku", "missing", "$amount"])
    texts = st.sampled_from(["育儿", "育儿入门", "首页", "5", "true", "100", "A", "abc"])
    scalar = st.one_of(texts, st.sampled_from([5, 99, 100, 100.5, 50.5, 0, 1]))
    of_text = name.filter(lambda one: one != "$amount")

    def test(property_: Any, ops: str, value: Any) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries({"property": property_, "op": st.sampled_from(ops.split()), "value": value})

    one = st.one_of(
        test(name, "eq ne", scalar),
        test(name, "in not_in", st.lists(scalar, min_size=1, max_size=3)),
        test(of_text, "contains not_contains starts ends", texts),
        test(of_text, "contains_any", st.lists(texts, min_size=1, max_size=2)),
        test(name, "ge gt le lt", st.sampled_from([0, 1, 50.5, 99, 100])),
        st.fixed_dictionaries({"property": name, "op": st.sampled_from(["set", "not_set"])}),
    )
    return st.lists(one, min_size=1, max_size=2)


def steps() -> st.SearchStrategy[Any]:
    types = st.lists(st.sampled_from([*TYPES, "$order"]), min_size=1, max_size=2, unique=True)
    return st.fixed_dictionaries({"type": types}, optional={"where": tests()})


def param(one: Param) -> st.SearchStrategy[Any]:
    match one.kind:
        case ParamKind.WHERE:
            return tests()
        case ParamKind.STEP:
            return steps()
        case ParamKind.DURATION:
            return spans(*one.units)
        case ParamKind.NUMBER:
            return st.sampled_from([1, 7, 30, 0.5])
    if one.key == "property":
        return st.sampled_from(["title", "price", "product.sku", "$amount"])
    known = [choice.value for choice in one.choices()] if one.choices else []
    text = {"salt": ["a", "b"], "channel": ["mini", "pos", "sandbox"], "product": ["P0", "P2", "P9"]}.get(one.key)
    if one.key == "type":
        known = list(TYPES)
    value = st.sampled_from(known or text or ["nothing"])
    return st.lists(value, min_size=1, max_size=2, unique=True) if one.many else value


def leaf(field: Field) -> st.SearchStrategy[Any]:
    def build(op: str) -> st.SearchStrategy[Any]:
        required = {one.key: param(one) for one in field.params if one.required}
        optional = {one.key: param(one) for one in field.params if not one.required}
        parts: dict[str, Any] = {"field": st.just(field.key), "op": st.just(op)}
        if OPERANDS[op] is not Operand.NONE:
            parts["value"] = operands(field, op)
        more: dict[str, Any] = {"window": windows()} if field.windowed else {}
        if required or optional:
            (parts if required else more)["with"] = st.fixed_dictionaries(required, optional=optional)
        return st.fixed_dictionaries(parts, optional=more)

    return st.sampled_from(field.operators).flatmap(build)


def alike(field: Field) -> st.SearchStrategy[list[Any]]:
    """Leaves of a field that differ in their value and their type of event only."""

    def vary(one: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
        parts: dict[str, st.SearchStrategy[Any]] = {}
        if "value" in one:
            parts["value"] = operands(field, one["op"])
        if "type" in one.get("with", {}):
            kinds = st.sampled_from(TYPES).map(lambda kind: [kind])
            parts["with"] = kinds.map(lambda kind: {**one["with"], "type": kind})
        return st.lists(st.fixed_dictionaries(parts), min_size=3, max_size=6).map(
            lambda found: [one, *({**one, **values} for values in found)]
        )

    return leaf(field).flatmap(vary)


def trees(_world: World) -> st.SearchStrategy[Any]:
    """Leaves of every field alike, and groups of groups of them."""
    leaves = st.sampled_from(every()).flatmap(leaf)
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda op, children: {op: children},
            st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=5,
    )  # fmt: skip
