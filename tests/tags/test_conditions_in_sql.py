"""One tree, three readers: SQL over everyone, SQL over a touched few, and a slow reading in plain Python.

The evaluator below shares no code with the compiler: it reads the raw JSON and Python copies of the rows.
"""

# ruff: noqa: E501

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from django.db import connection
from django.test import TestCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrm.common import conditions
from tests.factories import NOW
from tests.tags.condition_world import SHANGHAI, TODAY, World

pytestmark = pytest.mark.django_db(transaction=False)


@pytest.fixture(scope="module")
def world(django_db_setup: Any, django_db_blocker: Any) -> Any:
    """Built once; its transaction is rolled back after the module."""
    with django_db_blocker.unblock():
        atomics = TestCase._enter_atomics()
        try:
            yield World()
        finally:
            TestCase._rollback_atomics(atomics)


# The slow reading ------------------------------------------------------------------------------------------


def holds(raw: dict[str, Any], row: dict[str, Any], world: World) -> bool:
    if "all" in raw:
        return all(holds(child, row, world) for child in raw["all"])
    if "any" in raw:
        return any(holds(child, row, world) for child in raw["any"])
    if "none" in raw:
        return not any(holds(child, row, world) for child in raw["none"])
    return compare(raw, row, world)


def ago(instant: datetime, span: Any, sign: int = -1) -> datetime:
    span = {"n": span, "unit": "day"} if isinstance(span, int) else span
    if span["unit"] == "hour":
        return instant + sign * timedelta(hours=span["n"])
    local = instant.astimezone(SHANGHAI) + sign * relativedelta(**{span["unit"] + "s": span["n"]})
    return local.astimezone(UTC)


def inside(at: datetime, window: dict[str, Any] | None) -> bool:
    if window is None:
        return True
    if "last" in window:
        return ago(NOW, window["last"]) < at <= NOW
    day = at.astimezone(SHANGHAI).date().isoformat()
    return window.get("from", "0") <= day <= window.get("to", "9")


def value_of(raw: dict[str, Any], row: dict[str, Any]) -> Any:
    key, window, narrowed = raw["field"], raw.get("window"), raw.get("with", {})
    if key in ("name", "gender", "city", "birthday", "joined_at", "store", "source", "region"):
        return row[key]
    if key == "age":
        born = row["birthday"]
        return None if born is None else TODAY.year - born.year - ((TODAY.month, TODAY.day) < (born.month, born.day))
    if key.startswith("consent."):
        return row["consent"].get(key.removeprefix("consent."))
    if key == "bucket":
        salted = f"{row['id']}:{narrowed.get('salt', '')}".encode()
        return int(hashlib.md5(salted, usedforsecurity=False).hexdigest()[:8], 16) % 10_000
    if key.startswith("rfm."):
        column = {"class": "rfm_class"}.get(key[4:], key[4:])
        return getattr(row["score"], column) if row["score"] else "prospect" if column == "layer" else None
    if key == "lifecycle":
        return row["stage"].stage if row["stage"] else None
    if key == "aipl":
        return row["stage"].aipl if row["stage"] else None
    if key.startswith("event"):
        times = [e["at"] for e in row["events"] if e["type"] in narrowed["type"] and inside(e["at"], window)]
        return {
            "event": bool(times),
            "event.count": len(times),
            "event.last_at": max(times, default=None),
            "event.first_at": min(times, default=None),
        }[key]
    orders = [
        o for o in row["orders"]
        if inside(o["at"], window)
        and all(o[name] in narrowed[name] for name in ("source", "store", "channel") if narrowed.get(name))
        and (not narrowed.get("category") or o["category"] & set(narrowed["category"]))
    ]  # fmt: skip
    net = sum(o["net"] for o in orders)
    if not any(narrowed.get(name) for name in ("store", "channel", "category")):
        net -= sum(
            r["amount"] for r in row["refunds"]
            if inside(r["at"], window) and (not narrowed.get("source") or r["source"] in narrowed["source"])
        )  # fmt: skip
    times = [o["at"] for o in orders]
    return {
        "order.count": len(orders), "order.sum": net, "order.average": Fraction(net, len(orders)) if orders else None,
        "order.last_at": max(times, default=None), "order.first_at": min(times, default=None),
    }[key]  # fmt: skip


def compare(raw: dict[str, Any], row: dict[str, Any], world: World) -> bool:
    key, op, wanted = raw["field"], raw["op"], raw.get("value")
    if key in ("tag", "identity", "segment"):
        if key == "segment":
            has = {world.segment.pk} if row["orders"] else set()
            has |= {world.snapshot.pk} if row["snapshot"] else set()
        else:
            has = row[key]
        return {"any_of": lambda: bool(has & set(wanted)), "all_of": lambda: set(wanted) <= has,
                "none_of": lambda: not has & set(wanted), "set": lambda: bool(has), "not_set": lambda: not has}[op]()  # fmt: skip
    found = value_of(raw, row)
    if op in ("true", "false"):
        return found == (op == "true")
    if op in ("set", "not_set"):
        return (found is not None) == (op == "set")
    if found is None:
        return False
    if isinstance(found, date):
        return compare_time(op, found, wanted)
    if key in ("order.sum", "order.average"):
        wanted = (
            [int(Decimal(item) * 100) for item in wanted] if isinstance(wanted, list) else int(Decimal(wanted) * 100)
        )
    return {
        "eq": lambda: found == wanted, "ne": lambda: found != wanted,
        "lt": lambda: found < wanted, "le": lambda: found <= wanted,
        "gt": lambda: found > wanted, "ge": lambda: found >= wanted,
        "between": lambda: wanted[0] <= found <= wanted[1],
        "in": lambda: found in wanted, "not_in": lambda: found not in wanted,
        "contains": lambda: wanted in found, "not_contains": lambda: wanted not in found,
        "starts": lambda: found.startswith(wanted), "not_starts": lambda: not found.startswith(wanted),
        "ends": lambda: found.endswith(wanted), "not_ends": lambda: not found.endswith(wanted),
        "regex": lambda: bool(re.search(wanted, found)), "not_regex": lambda: not re.search(wanted, found),
    }[op]()  # fmt: skip


def compare_time(op: str, found: date, wanted: Any) -> bool:
    exact = isinstance(found, datetime)
    day = found.astimezone(SHANGHAI).date() if isinstance(found, datetime) else found
    if op in ("eq", "before", "after"):
        limit = date.fromisoformat(wanted)
        return {"eq": day == limit, "before": day < limit, "after": day > limit}[op]
    if op == "between":
        return date.fromisoformat(wanted[0]) <= day <= date.fromisoformat(wanted[1])
    if op == "month":
        return day.month in wanted
    if op == "month_day":
        return day.day in wanted
    if op.startswith("anniversary"):
        reach = {"anniversary_next": range(wanted), "anniversary_last": range(1 - wanted, 1)}
        days = [TODAY + timedelta(days=n) for n in reach.get(op, range(-wanted, wanted + 1))]
        return any(anniversary(day, other.year) == other for other in days)
    if exact:
        if op == "in_last":
            return ago(NOW, wanted) < found <= NOW
        return NOW < found <= ago(NOW, wanted, 1) if op == "in_next" else found <= ago(NOW, wanted)
    shift = relativedelta(**{wanted["unit"] + "s": wanted["n"]})
    if op == "in_last":
        return TODAY - shift < day <= TODAY
    return TODAY <= day < TODAY + shift if op == "in_next" else day <= TODAY - shift


def anniversary(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


# Random trees ----------------------------------------------------------------------------------------------

DAYS = st.sampled_from(["1990-11-21", "2000-12-01", "2025-10-17", "2026-10-22", "2026-11-21", "2026-11-20"])
SPANS = st.builds(
    lambda n, unit: {"n": n, "unit": unit},
    st.sampled_from([1, 5, 30, 31, 90]),
    st.sampled_from(["day", "week", "month"]),
)
WINDOWS = st.one_of(
    st.none(),
    st.builds(lambda span: {"last": span}, SPANS),
    st.just({"from": "2026-08-01", "to": "2026-11-16"}),
    st.just({"to": "2026-10-22"}),
)
TEXTS = {
    **{op: ["王芳", "李娜 100%", "杭州", "张_伟"] for op in ("eq", "ne")},
    **{
        op: ["娜", "%", "_", "王", "伟", "\\"]
        for op in ("contains", "not_contains", "starts", "not_starts", "ends", "not_ends")
    },
    **{op: ["^王", "0%$", "州"] for op in ("regex", "not_regex")},
}


def operand(draw: Any, kind: str, op: str, choices: list[Any]) -> Any:
    if op in ("set", "not_set", "true", "false"):
        return None
    if kind == "text":
        return (
            draw(st.lists(st.sampled_from(choices), min_size=1))
            if op in ("in", "not_in")
            else draw(st.sampled_from(TEXTS[op]))
        )
    if kind in ("enum", "set"):
        one = st.sampled_from(choices)
        return draw(one) if op in ("eq", "ne") else draw(st.lists(one, min_size=1, max_size=3))
    if kind in ("integer", "money"):
        return (
            sorted(draw(st.tuples(*[st.sampled_from(choices)] * 2)), key=lambda v: Decimal(v))
            if op == "between"
            else draw(st.sampled_from(choices))
        )
    if op in ("eq", "before", "after"):
        return draw(DAYS)
    if op == "between":
        return sorted(draw(st.tuples(DAYS, DAYS)))
    if op in ("month", "month_day"):
        return draw(
            st.lists(st.sampled_from([2, 11, 12, 1]) if op == "month" else st.sampled_from([1, 21, 29]), min_size=1)
        )
    if op.startswith("anniversary"):
        return draw(st.sampled_from([1, 2, 11, 100, 366]))
    return draw(SPANS)


@st.composite
def a_leaf(draw: Any, world: World) -> dict[str, Any]:
    integers, amounts = [-1, 0, 1, 2, 4], ["-30.00", "0", "50", "99.5", "199.00"]
    stores, sources = [store.pk for store in world.stores], [source.pk for source in world.sources]
    kinds: dict[str, list[Any]] = {
        "name": ["王芳", "张_伟"], "city": ["上海", "杭州"], "gender": ["f", "m"], "birthday": [], "joined_at": [],
        "age": [25, 30, 34, 36], "store": stores, "source": sources, "region": [world.stores[0].region_id],
        "identity": ["phone", "email", "device"], "consent.email": ["granted", "withdrawn"], "consent.sms": ["granted"],
        "tag": [tag.pk for tag in world.tags], "segment": [world.segment.pk, world.snapshot.pk],
        "order.count": integers, "order.sum": amounts, "order.average": amounts, "order.last_at": [], "order.first_at": [],
        "event": [], "event.count": integers, "event.last_at": [], "event.first_at": [],
        "rfm.class": ["important_value", "general_keep", "general_value"], "rfm.layer": ["champions", "prospect"],
        "rfm.r": [1, 3, 5], "lifecycle": ["new", "lost"], "aipl": ["purchase", "loyalty"], "bucket": [0, 3_000, 5_000, 9_999],
    }  # fmt: skip
    key = draw(st.sampled_from(sorted(kinds)))
    field = conditions.fields.find(key)
    assert field is not None
    op = draw(st.sampled_from(field.operators))
    leaf = {"field": key, "op": op, "value": operand(draw, field.type.value, op, kinds[key])}
    if field.windowed and (window := draw(WINDOWS)):
        leaf["window"] = window
    if key.startswith("event"):
        leaf["with"] = {"type": draw(st.lists(st.sampled_from(world.types), min_size=1))}
    if key.startswith("order"):
        narrowed = {"source": sources[:1], "store": stores[:1], "channel": ["mini"], "category": ["茶"]}
        chosen = draw(st.sets(st.sampled_from(sorted(narrowed)), max_size=2))
        leaf["with"] = {name: narrowed[name] for name in chosen}
    if key == "bucket":
        leaf["with"] = {"salt": draw(st.sampled_from(["a", "b"]))}
    return leaf


def a_tree(world: World) -> Any:
    return st.recursive(
        a_leaf(world),
        lambda inner: st.builds(
            lambda op, children: {op: children},
            st.sampled_from(["all", "any", "none"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )


def matching(node: conditions.Node, member_ids: list[int] | None = None) -> set[int]:
    test = conditions.compile_condition(node, as_of=NOW)
    among = "" if member_ids is None else "m.id = ANY(%s) AND "
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE {among}m.status = 'active' AND ({test.text})",
            [*([] if member_ids is None else [member_ids]), *test.params],
        )
        return {row[0] for row in cursor.fetchall()}


def check(raw: dict[str, Any], world: World) -> None:
    node = conditions.parse(raw)
    everyone = matching(node)
    assert everyone == {pk for pk, row in world.rows.items() if holds(raw, row, world)}
    few = list(world.rows)[::4]
    assert matching(node, few) == everyone & set(few)
    for pk in few[:3]:
        reason = conditions.explain(node, member_id=pk, as_of=NOW)
        assert reason is not None
        assert reason.holds == (pk in everyone)
    assert conditions.describe(node)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_all_readers_agree(world: World, data: st.DataObject) -> None:
    check(data.draw(a_tree(world)), world)


def test_every_operator_of_every_field_agrees(world: World) -> None:
    """The random trees may miss a corner; this walks each field and operator a few times."""

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(raw=a_leaf(world))
    def walk(raw: dict[str, Any]) -> None:
        check(raw, world)

    walk()


def test_an_unset_value_matches_no_negation(world: World) -> None:
    without_city = {pk for pk, row in world.rows.items() if row["city"] is None}
    assert without_city
    for op, value in (("ne", "上海"), ("not_in", ["上海"]), ("not_contains", "上"), ("not_regex", "上")):
        assert not matching(conditions.parse({"field": "city", "op": op, "value": value})) & without_city
    assert matching(conditions.parse({"field": "city", "op": "not_set"})) == without_city


def test_who_is_not_active_matches_nothing(world: World) -> None:
    everybody = conditions.parse({"field": "joined_at", "op": "after", "value": "1900-01-01"})
    assert matching(everybody) == set(world.rows)
    erased = next(member.pk for member in world.members if member.status == "erased")
    assert conditions.explain(everybody, member_id=erased, as_of=NOW) is None
