"""Several transactions at once: one completion, one reward, one check-in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from members.models import CheckIn, Member, Task, TaskCompletion, TaskFact
from members.operations import checkins, intake, task_runs, tasks
from scrm.common.transactions import retrying
from tests.factories import NOW, make_member
from tests.members.tasking import at, balance, buy, do, event, make_task, order, refund
from tests.members.test_checkins import give_cards, make_calendar, make_up

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Run each in a thread of its own with a connection of its own, all started together; answers what failed."""
    gate = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            gate.wait()
            retrying(work)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures


def test_facts_that_complete_a_task_together_complete_it_once() -> None:
    make_task(needed=3)
    for _round in range(4):
        member = make_member()
        items = [event(member) for _n in range(4)]
        assert at_once(*(lambda one=one: intake.land_events(items=[one], now=NOW) for one in items)) == []
        assert TaskCompletion.objects.filter(member=member).count() == 1
        assert TaskFact.objects.filter(member=member).count() == 3
        assert balance(member) == 30


def test_a_payment_and_a_refund_at_once_end_as_the_order_stands() -> None:
    task = make_task("order", kind="order", needed=2)
    for number in range(4):
        member = make_member()
        buy(member, number=f"A{number}")
        assert (
            at_once(
                lambda member=member: intake.land_orders(items=[order(member)], now=NOW),
                lambda member=member, number=number: refund(member, f"A{number}", "100"),
            )
            == []
        )
        assert not TaskCompletion.objects.filter(member=member, task=task, undone_at=None).exists()
        assert balance(member) == 0


def test_stock_is_never_given_beyond() -> None:
    make_task("order", kind="order", stock=3)
    people = [make_member() for _n in range(8)]
    works = [lambda one=one: intake.land_orders(items=[order(one)], now=NOW) for one in people]
    assert at_once(*works) == []
    assert sorted(balance(one) for one in people) == [0] * 5 + [30] * 3
    assert TaskCompletion.objects.filter(out_of_stock=True).count() == 5


def test_a_reward_claimed_from_two_phones_is_given_once() -> None:
    task = make_task(needed=1, claim="member")
    member = make_member()
    do(member)
    claims = [lambda: tasks.claim(member_id=member.pk, task_id=task.pk, now=at(1))] * 4
    assert at_once(*claims) == []
    assert balance(member) == 30


def test_two_check_ins_of_one_day_are_one() -> None:
    make_calendar()
    member = make_member()
    answers: list[checkins.Answer] = []
    works = [lambda: answers.append(checkins.check_in(member_id=member.pk, now=NOW))] * 4
    assert at_once(*works) == []
    assert sorted(one.duplicate for one in answers) == [False, True, True, True]
    assert (CheckIn.objects.count(), balance(member)) == (1, 1)


def test_one_card_makes_up_one_day() -> None:
    make_calendar()
    member = make_member()
    give_cards(member, 1)
    failures = at_once(lambda: make_up(member, -1), lambda: make_up(member, -2))
    assert [getattr(one, "code", one) for one in failures] == ["no_card"]
    assert (CheckIn.objects.count(), balance(member, "makeup_cards")) == (1, 0)


def test_a_batch_that_did_not_know_of_a_task_is_found_by_its_evaluation() -> None:
    """The batch has looked for tasks and not committed; the task is started; its evaluation waits for the batch."""
    task = make_task(needed=1, started=False, since=NOW - timedelta(days=1))
    member = make_member()
    evaluated = threading.Event()

    def evaluate() -> None:
        try:
            task_runs.evaluate_everyone(task_id=task.pk, now=NOW)
        finally:
            evaluated.set()
            connection.close()

    started = threading.Thread(target=lambda: _start(task))
    waiting = threading.Thread(target=evaluate)
    with transaction.atomic():
        do(member, now=NOW)
        started.start()
        started.join(30)
        waiting.start()
        assert not evaluated.wait(0.3)
    waiting.join(30)
    assert TaskCompletion.objects.filter(member=member, undone_at=None).count() == 1
    assert balance(member) == 30


def _start(task: Task) -> None:
    try:
        tasks.start(task_id=task.pk, now=NOW - timedelta(days=1))
    finally:
        connection.close()


def test_members_settled_in_any_order_never_wait_in_a_circle() -> None:
    make_task(needed=1, window="day", times=0, stock=1_000)
    people: list[Member] = [make_member() for _n in range(6)]

    def land(members: list[Member], day: int) -> None:
        intake.land_events(items=[event(one, at(-day)) for one in members], now=NOW)

    for day in range(4):
        works = [lambda day=day: land(people, day), lambda day=day: land(people[::-1], day)]
        assert at_once(*works) == []
    assert TaskCompletion.objects.count() == 24
