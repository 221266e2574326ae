"""Time and events in any order: after each sweep the stored answers are those of the SQL over the rows.

Most instants are bounded by arithmetic after an event (`watch_bounds`), so that this is what must never be late.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from members.models import Member
from scrm.common import conditions
from tags.models import WatchFlip
from tags.operations import watches
from tags.operations.watch_bounds import Mode, bound_of
from tests.factories import NOW, make_member
from tests.tags.watching import did, event, know, land, make_rule, stored, truth

pytestmark = pytest.mark.django_db


def kinds() -> dict[str, tuple[Mode, Any]]:
    know("a", "b")
    only = {"type": ["a"]}
    last = lambda n, unit="day": {"last": {"n": n, "unit": unit}}  # noqa: E731
    weight = {"field": "event.weight", "op": "ge", "value": 1.5, "with": {**only, "half_life_days": 3}}
    step = {"first": {"type": ["a"]}, "then": {"type": ["b"]}, "within": {"n": 2, "unit": "day"}}
    return {
        "at least three": (Mode.MONOTONE, did("a", 3, days=7)),
        "any": (Mode.MONOTONE, {"field": "event", "op": "true", "with": only, "window": last(5)}),
        "fading": (Mode.MONOTONE, weight),
        "either of two": (Mode.MONOTONE, {"any": [did("a", 2, days=3), did("b", 3, days=9)]}),
        "two days": (Mode.MONOTONE, {"field": "event.distinct", "op": "ge", "value": 2, "with": only,
                                     "window": last(6)}),
        "one after the other": (Mode.MONOTONE, {"field": "event.sequence", "op": "true", "with": step,
                                                "window": last(8)}),
        "none": (Mode.WINDOWED, {"none": [did("a", 1, days=4)]}),
        "one without the other": (Mode.WINDOWED, {"all": [did("a", 1, days=7), {"none": [did("b", 1, days=2)]}]}),
        "quiet since": (Mode.WINDOWED, {"field": "event.last_at", "op": "at_least_ago", "value": 3, "with": only}),
        "first in hours": (Mode.WINDOWED, {"field": "event.first_at", "op": "in_last", "with": only,
                                           "value": {"n": 50, "unit": "hour"}, "window": last(1, "month")}),
        "few": (Mode.EXACT, {"field": "event.count", "op": "between", "value": [1, 2], "with": only,
                             "window": last(7)}),
        "strong without the other": (Mode.EXACT, {"all": [did("a", 2, days=7), {"none": [did("b", 1, days=3)]}]}),
        "weak": (Mode.EXACT, {**weight, "op": "lt"}),
        "monthly": (Mode.EXACT, {"none": [{"field": "event.count", "op": "ge", "value": 2, "with": only,
                                           "window": last(1, "month")}]}),
    }  # fmt: skip


def test_which_conditions_are_bounded_and_which_are_computed() -> None:
    found = {name: bound_of(conditions.parse(condition)).mode for name, (_, condition) in kinds().items()}
    assert found == {name: mode for name, (mode, _) in kinds().items()}


def test_an_event_that_cannot_bring_the_end_forward_leaves_what_is_scheduled_untouched() -> None:
    def scheduled() -> list[tuple[str, datetime]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT xmin::text, due_at FROM tags_watchflip")
            return cursor.fetchall()

    ann = make_member()
    make_rule(did("a", 2, days=7))
    land([event(ann, "a", at=NOW - timedelta(days=2)), event(ann, "a", at=NOW - timedelta(days=1))])
    assert watches.sweep(now=NOW + timedelta(seconds=1)) == 0
    before = scheduled()
    assert [at for _, at in before] == [NOW + timedelta(days=5)]
    land([event(ann, "a", at=NOW + timedelta(days=3))], now=NOW + timedelta(days=3))
    assert scheduled() == before
    # Early now: the newer event keeps it up a day longer, until the one before it leaves.
    assert watches.sweep(now=NOW + timedelta(days=5)) == 1
    assert [at for _, at in scheduled()] == [NOW + timedelta(days=6)]


@pytest.mark.parametrize("seed", range(4))
def test_the_stored_answers_follow_events_and_time(seed: int) -> None:
    choice = random.Random(seed)
    members = [make_member() for _ in range(4)]
    rules = {name: make_rule(condition) for name, (_, condition) in kinds().items()}
    now = NOW

    def settled() -> None:
        for _ in range(50):
            if not watches.sweep(now=now):
                break
        assert not WatchFlip.objects.filter(due_at__lte=now).exists()
        for name, rule in rules.items():
            assert stored(rule.watch) == truth(rule.watch, now=now), (name, seed, now)

    for step in range(14):
        # Late, fresh and sometimes ahead of time.
        spread = choice.choice([3, 60, 240])
        items = [
            event(one, choice.choice("aab"), at=now - timedelta(hours=choice.random() * spread - (step % 5 == 4) * 20))
            for one in picked(choice, members)
        ]
        land(items, now=now)
        # The event itself is answered at once, whatever is due.
        for name, rule in rules.items():
            seen = {item.member.member_id for item in items}
            assert stored(rule.watch) & seen == truth(rule.watch, now=now) & seen, (name, seed, step)
        now += timedelta(hours=choice.random() * choice.choice([1, 30, 100]))
        settled()
    now += timedelta(days=60)
    settled()


def picked(choice: random.Random, members: list[Member]) -> list[Member]:
    return [choice.choice(members) for _ in range(choice.randrange(1, 5))]
