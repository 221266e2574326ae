"""Conditions that differ in values only are one expression; which values may differ is told by what stands before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from members.models import EventType
from scrm.common.conditions import Sql
from tags.operations import watch_shapes
from tags.operations.watch_shapes import Irregular, Moving, Spelled, Text, Writer
from tests.factories import NOW, make_member
from tests.tags.watching import did, event, know, land, make_rule, make_tag, tags_of

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)


def at(*same: Sql) -> Text:
    found = watch_shapes.over(same or (Sql("x"),), [NOW, LATER][: len(same)])
    assert found is not None
    return found


def written(*pieces: Sql) -> list[str]:
    """The expressions, as few as they can be."""
    groups = watch_shapes.alike([Spelled(number, (at(one),)) for number, one in enumerate(pieces)], lambda _: None)
    writer = Writer()
    return [str(writer.write([one.texts[0] for one in group], "w.place")) for group in groups]


def test_values_of_one_type_after_a_comparison_are_picked_by_place() -> None:
    assert written(Sql("n >= %s", (1,)), Sql("n >= %s", (7,))) == ["n >= ('{1,7}'::int2[]::bigint[])[w.place]"]
    assert written(Sql("t LIKE %s", ("%a",)), Sql("t LIKE %s", ("b",))) == ["t LIKE ('{%%a,b}'::text[])[w.place]"]
    assert written(Sql("x = ANY(%s)", ([1, 2],)), Sql("x = ANY(%s)", ([3],))) == [
        """x = ANY((('{"{1,2}","{3}"}'::text[])[w.place])::bigint[])"""
    ]
    assert written(Sql("n >= %s", (3,)), Sql("n >= %s", (3,))) == ["n >= 3"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Sql("n >= %s", (1,)), Sql("n > %s", (1,))),
        (Sql("n >= %s", (1,)), Sql("n >= %s", (Decimal("1.5"),))),
        (Sql("p #>> %s", ("{a}",)), Sql("p #>> %s", ("{b}",))),
        (Sql("p @> %s", ("{}",)), Sql("p @> %s", ("[]",))),
        (Sql("interval %s", ("1 day",)), Sql("interval %s", ("2 days",))),
        (Sql("n / %s", (2,)), Sql("n / %s", (3,))),
        (Sql("x = ANY(%s)", (["a"],)), Sql("x = ANY(%s)", (["b"],))),
        (Sql("n >= %s", (True,)), Sql("n >= %s", (False,))),
    ],
    ids=["operator", "type", "path", "containment", "literal", "arithmetic", "texts", "booleans"],
)
def test_what_is_not_known_to_be_alike_stays_apart(one: Sql, other: Sql) -> None:
    assert len(written(one, other)) == 2


def test_what_moves_with_the_clock_is_one_parameter_and_what_jumps_is_refused() -> None:
    week = timedelta(days=7)
    moving = at(Sql("a > %s", (NOW - week,)), Sql("a > %s", (LATER - week,)))
    assert moving.values == (Moving(-week),)
    writer = Writer()
    assert writer.write([moving, moving], "w.place") == "a > %(moving0)s::timestamptz"
    assert writer.moving == {"moving0": -week}
    jumps: list[tuple[Any, Any]] = [(1, 2), (NOW, LATER + week), ("a", NOW)]
    for first, second in jumps:
        with pytest.raises(Irregular):
            at(Sql("a > %s", (first,)), Sql("a > %s", (second,)))


def test_types_of_events_are_known_by_their_ids() -> None:
    view, buy = (EventType.objects.create(key=key).pk for key in ("view", "buy"))
    look_up = "e.type_id = ANY(ARRAY(SELECT id FROM members_eventtype WHERE key = ANY(%s)))"
    newest = "n > %s AND {} ORDER BY e.occurred_at DESC LIMIT %s"
    pieces = [
        Sql(newest.format(look_up), (5, ["view"], 1)),
        Sql(newest.format(look_up), (5, ["buy", "view"], 1)),
        Sql(look_up, (["nothing", "view"],)),
        None,
    ]
    assert watch_shapes.with_known_types(pieces) == [
        Sql(newest.format("e.type_id = %s"), (5, view, 1)),
        Sql(
            newest.format("e.type_id = ANY(%s)").replace("DESC", "+ interval '0' DESC"),
            (5, sorted([view, buy]), 1),
        ),
        pieces[2],
        None,
    ]


def test_the_expression_at_a_place_is_found_by_halving() -> None:
    assert watch_shapes.chosen([(0, "a"), (3, "a"), (5, "b"), (9, "c")]) == (
        "CASE WHEN w.place < 5 THEN a\nELSE CASE WHEN w.place < 9 THEN b\nELSE c END END"
    )
    assert watch_shapes.chosen([(0, "a"), (3, "a")]) == "a"


def test_rules_that_differ_in_values_only_put_on_each_its_own_tag() -> None:
    know("view", "buy", "share")
    ann, ben, cem = make_member(), make_member(), make_member()
    title = lambda word: [{"property": "title", "op": "contains", "value": word}]  # noqa: E731
    for name, condition in {
        "view": did("view", 1), "buy": did("buy", 1), "share": did("share", 1),
        "two": did("view", 2, days=7), "three": did("buy", 3, days=7), "four": did("share", 4, days=7),
        "tea": did("view", 1, where=title("茶")), "coffee": did("view", 1, where=title("咖啡")),
    }.items():  # fmt: skip
        make_rule(condition, make_tag(name))
    land([event(ann, "view", title="绿茶"), event(ann, "view"), event(ben, "view", title="咖啡豆")])
    land([event(ben, "buy", at=NOW - timedelta(hours=hour)) for hour in range(3)])
    land([event(cem, "share", at=NOW - timedelta(hours=hour)) for hour in range(3)])
    assert tags_of(ann) == {"view", "two", "tea"}
    assert tags_of(ben) == {"view", "buy", "three", "coffee"}
    assert tags_of(cem) == {"share"}
    land([event(cem, "share", at=NOW - timedelta(hours=4))])
    assert tags_of(cem) == {"share", "four"}
