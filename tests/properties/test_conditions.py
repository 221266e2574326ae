"""One answer to every condition: for everybody, for a few, from bitmaps, explained, and by reading the docs again.

`make test-long` plays more worlds, more conditions and more zones.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scrm.common import conditions
from scrm.common.bitmaps import families, folding
from scrm.common.conditions.fields import every
from tags.enums import WatchKind
from tags.models import Watch
from tags.operations import watches
from tags.operations.watch_statements import Block, read
from tags.queries import audiences
from tests.properties.trees import alike, instants, leaf, trees
from tests.properties.world import World
from tests.tags.watching import stored

pytestmark = pytest.mark.django_db

LONG = os.environ.get("SCRM_LONG") == "1"
# Nobody in the worlds was asked about these.
UNUSED = ["official_account", "app_push", "sandbox"]
ZONES = ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]
RUNS = settings(
    max_examples=2_000 if LONG else 120,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    derandomize=not LONG,
)


@pytest.fixture(params=[1, 2, 3, 4, 5] if LONG else [1], ids=lambda seed: f"world {seed}")
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=ZONES if LONG else ZONES[:2])
def world(request: pytest.FixtureRequest, settings: Any, seed: int) -> World:
    settings.TIME_ZONE = request.param
    found = World(seed, 60 if LONG else 30)
    for family in families.every():
        folding.rebuild(family.name)
    return found


def by_sql(node: conditions.Node, as_of: datetime, among: list[int] | None = None) -> set[int]:
    test = conditions.compile_condition(node, as_of=as_of)
    few = "" if among is None else " AND m.id = ANY(%s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE m.status = 'active'{few} AND ({test.text})",
            [*([] if among is None else [among]), *test.params],
        )
        return {row[0] for row in cursor.fetchall()}


def by_reading(world: World, tree: Any, as_of: datetime) -> set[int]:
    return {person["id"] for person in world.people if world.oracle.holds(tree, person, as_of)}


def test_every_field_has_a_second_reading(world: World) -> None:
    known = {field.key.split(".")[0] for field in every()}
    assert known == {
        "gender", "city", "province", "country", "birthday", "age", "name", "joined_at", "source", "store", "region",
        "owner", "order", "event", "identity", "consent", "bucket", "tag", "tag_group", "segment", "rfm", "lifecycle",
        "aipl", "model", "message", "attribute", "points", "tier", "growth", "membership", "benefit", "task", "checkin",
    }  # fmt: skip


def test_all_answers_are_one(world: World) -> None:
    @RUNS
    @given(tree=trees(world), as_of=instants(), some=st.integers(0, 2**30 - 1))
    def check(tree: Any, as_of: datetime, some: int) -> None:
        node = conditions.parse(tree)
        wanted = by_reading(world, tree, as_of)
        assert by_sql(node, as_of) == wanted
        few = [person["id"] for number, person in enumerate(world.people) if some >> number & 1]
        assert by_sql(node, as_of, few) == wanted & set(few)
        assert set(audiences.members_of(node, as_of=as_of)) == wanted
        for person in world.people[some % 7 :: 11]:
            reason = conditions.explain(node, member_id=person["id"], as_of=as_of)
            assert reason is not None
            assert reason.holds is (person["id"] in wanted)

    check()


def test_each_field_alone(world: World) -> None:
    """Every field gets its share, however many there are; in the long run each tells members apart."""
    telling = set()
    for field in every():

        @settings(RUNS, max_examples=100 if LONG else 4)
        @given(tree=leaf(field), as_of=instants())
        def check(tree: Any, as_of: datetime) -> None:
            wanted = by_reading(world, tree, as_of)
            node = conditions.parse(tree)
            assert by_sql(node, as_of) == wanted
            assert set(audiences.members_of(node, as_of=as_of)) == wanted
            if 0 < len(wanted) < len(world.people):
                telling.add(field.key)  # noqa: B023  # called at once

        check()
    if LONG:
        assert {field.key for field in every()} - telling <= {f"consent.{name}" for name in UNUSED}


def test_many_of_a_kind_in_one_statement_are_answered_each_for_itself(world: World) -> None:
    """What differs in values only is written as one expression: no value may stray to another condition."""
    everybody = [person["id"] for person in world.people]
    for field in every():

        @settings(RUNS, max_examples=60 if LONG else 2)
        @given(kind=alike(field), as_of=instants())
        def check(kind: list[Any], as_of: datetime) -> None:
            asked = [Watch.objects.create(kind=WatchKind.SEGMENT, condition=tree, depends=[]) for tree in kind]
            block = Block([read(watch.pk, 1, watch.condition, interest=False) for watch in asked])
            for _ in range(2):
                found = block.settle({watch.pk: everybody for watch in asked}, now=as_of)
                for watch, tree in zip(asked, kind, strict=True):
                    assert stored(watch) == by_reading(world, tree, as_of), tree
            assert not found

        check()


def test_no_answer_turns_before_it_is_said_to(world: World) -> None:
    @settings(RUNS, max_examples=1_000 if LONG else 60)
    @given(tree=trees(world), as_of=instants(), parts=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=3))
    def check(tree: Any, as_of: datetime, parts: list[float]) -> None:
        flip = conditions.compile_flip(conditions.parse(tree), as_of=as_of)
        due: dict[int, datetime | None] = {person["id"]: None for person in world.people}
        if flip is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT m.id, {flip.text} FROM members_member m", flip.params)
                due |= dict(cursor.fetchall())
        for person in world.people:
            end = due[person["id"]]
            assert end is None or end > as_of
            before = world.oracle.holds(tree, person, as_of)
            later = [as_of + span for span in (timedelta(hours=1), timedelta(days=40), timedelta(days=500))]
            if end is not None:
                later = [as_of + (end - as_of) * part for part in parts] + [end - timedelta(microseconds=1)]
            for instant in later:
                if instant > as_of:
                    assert world.oracle.holds(tree, person, instant) is before, (person["id"], instant, end)

    check()


def test_a_watch_keeps_the_answer_as_time_goes_by(world: World) -> None:
    @settings(RUNS, max_examples=200 if LONG else 12)
    @given(tree=trees(world), as_of=instants(), hours=st.sampled_from([1, 24, 24 * 7, 24 * 31, 24 * 400]))
    def check(tree: Any, as_of: datetime, hours: int) -> None:
        watch = watches.create(kind=WatchKind.SEGMENT, condition=tree, now=as_of)
        watches.enable(watch_id=watch.pk, now=as_of)
        watches.evaluate_everyone(watch_id=watch.pk, now=as_of)
        assert stored(watch) == by_reading(world, tree, as_of)
        later = as_of + timedelta(hours=hours)
        while watches.sweep(now=later):
            pass
        assert stored(watch) == by_reading(world, tree, later)
        watches.disable(watch_id=watch.pk, now=later)

    check()
