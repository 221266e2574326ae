"""Chunks side by side: in order, each committed, and nothing lost when one of them fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from scrm.common.access import SYSTEM, Actor
from scrm.common.lanes import in_lanes
from scrm.common.transactions import acting_as, atomic


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_results_come_in_the_order_of_the_items_though_the_first_ends_last() -> None:
    second_ended = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_ended.wait(30)
        if item == 1:
            second_ended.set()
        return backend()

    answers = dict(in_lanes(work, range(5), 2))
    assert list(answers) == [0, 1, 2, 3, 4]
    assert backend() not in answers.values()
    assert answers[0] != answers[1]


@pytest.mark.django_db(transaction=True)
def test_no_more_is_drawn_than_lanes_can_take() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10):
            drawn.append(item)
            yield item

    answers = in_lanes(lambda item: item, items(), 3)
    assert next(answers) == (0, 0)
    assert drawn == [0, 1, 2, 3]
    answers.close()
    assert drawn == [0, 1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_what_fails_is_raised_in_its_turn_and_the_others_are_finished() -> None:
    failing = threading.Barrier(2)

    def work(item: int) -> None:
        if item in (1, 2):
            failing.wait(30)
        if item == 1:
            raise ValueError("one")

    answers = in_lanes(work, range(9), 2)
    assert next(answers) == (0, None)
    with pytest.raises(ValueError, match="one"):
        next(answers)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


@pytest.mark.django_db(transaction=True)
def test_the_lanes_act_for_whoever_acts_here() -> None:
    actor = Actor(kind="key", id=7, name="ERP", permissions=frozenset())

    def told() -> str:
        with atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('scrm.actor')")
            return cursor.fetchone()[0]

    with acting_as(actor):
        assert [who for _item, who in in_lanes(lambda _: told(), range(3), 2)] == [actor.ref] * 3
    assert [who for _item, who in in_lanes(lambda _: told(), range(3), 2)] == [SYSTEM.ref] * 3


@pytest.mark.django_db
def test_inside_a_transaction_everything_is_done_there() -> None:
    assert [pid for _item, pid in in_lanes(lambda _: backend(), range(3), 2)] == [backend()] * 3
