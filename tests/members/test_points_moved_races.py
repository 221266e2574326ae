"""Facts and moves of ledgers at once: whoever comes later books where the points are by then, and nobody waits in a
circle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from members.models import Member
from members.operations import currencies, intake, points_moves, summaries
from members.queries import points_check
from tests.factories import make_member
from tests.members.tasking import balance, buy, do, order, refund
from tests.members.test_points_moved_facts import earned, make_rule, move, nov, returned
from tests.members.test_points_races import interleaved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _proven() -> Any:
    currencies.get("points")
    make_rule()
    yield
    assert list(map(str, points_check.check())) == []
    assert points_check.unbalanced() == []


@pytest.fixture
def ben() -> Member:
    """Made before Ann, so that holding her first and then him is the wrong order."""
    return make_member(name="本")


@pytest.fixture
def ann(ben: Member) -> Member:
    member = make_member(name="安")
    buy(member, "100", nov(2), number="A", now=nov(2))
    return member


def test_a_refund_that_waits_for_a_move_is_booked_where_it_went(ann: Member, ben: Member) -> None:
    interleaved(
        lambda: points_moves.move(from_member=ann.pk, to_member=ben.pk, now=nov(10)),
        lambda: refund(ann, "A", "40", when=nov(11), now=nov(11)),
    )
    assert (balance(ann), balance(ben), earned(ann)) == (0, 60, [(60, 60)])


def test_a_refund_that_waits_for_the_undoing_is_booked_at_home(ann: Member, ben: Member) -> None:
    number = move(ann, ben)
    interleaved(
        lambda: points_moves.undo(move_id=number, now=nov(11)),
        lambda: refund(ann, "A", "40", when=nov(11), now=nov(11)),
    )
    assert (balance(ann), balance(ben), earned(ann)) == (60, 0, [(60, 60)])


def test_a_move_that_waits_for_a_refund_takes_what_it_left(ann: Member, ben: Member) -> None:
    interleaved(
        lambda: refund(ann, "A", "40", when=nov(11), now=nov(11)),
        lambda: points_moves.move(from_member=ann.pk, to_member=ben.pk, now=nov(11)),
    )
    assert (balance(ann), balance(ben), earned(ann)) == (0, 60, [(60, 60)])


def land_orders(ann: Member) -> None:
    buy(ann, "20", nov(11), number="B", now=nov(11))


def land_refunds(ann: Member) -> None:
    intake.land_refunds(items=[returned("R", "A", "20", 11)], now=nov(11))


def land_events(ann: Member) -> None:
    do(ann, nov(11), now=nov(11))


@pytest.mark.parametrize("land", [land_orders, land_refunds, land_events])
def test_whoever_has_the_ledger_is_held_before_whoever_comes_later(
    ann: Member, ben: Member, land: Callable[[Member], None]
) -> None:
    """One transaction holds Ben, and then Ann; the facts of Ann, which are booked at Ben, come in between."""
    move(ann, ben)
    held, failures = threading.Event(), []

    def facts() -> None:
        try:
            held.wait(timeout=60)
            land(ann)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=facts)
    thread.start()
    with transaction.atomic(), connection.cursor() as cursor:
        summaries.hold([ben.pk])
        held.set()
        waiting = 0
        while not waiting:
            cursor.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.005)")
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            waiting = cursor.fetchone()[0]
        # Would end both in a deadlock if the facts held Ann already.
        cursor.execute("SELECT 1 FROM members_membersummary WHERE member_id = %s FOR NO KEY UPDATE NOWAIT", [ann.pk])
    thread.join(timeout=60)
    assert failures == []
    assert balance(ann) == 0


def test_a_sweep_passes_over_whom_it_cannot_hold_together(ann: Member, ben: Member) -> None:
    eve = make_member(name="夏")
    move(ann, ben)
    answers: list[list[int]] = []

    def sweep() -> None:
        try:
            with transaction.atomic():
                answers.append(summaries.hold([ann.pk, eve.pk], wait=False))
        finally:
            connection.close()

    for busy in ([ben.pk], []):
        with transaction.atomic():
            summaries.hold(busy)
            thread = threading.Thread(target=sweep)
            thread.start()
            thread.join(timeout=60)
    assert answers == [[eve.pk], [ann.pk, eve.pk]]


def test_many_batches_at_once_never_end_each_other(ann: Member, ben: Member) -> None:
    """Each with orders of both and of somebody else, in any order, without another try."""
    eve = make_member(name="夏")
    move(ann, ben)
    batches = [
        [order(one, "1", nov(11), number=f"{number}-{one.pk}") for one in people]
        for number, people in enumerate([(ann, eve), (eve, ben), (ben, ann), (ann,), (ben,), (eve, ann, ben)] * 3)
    ]
    start, failures = threading.Barrier(len(batches)), []

    def land(items: list[Any]) -> None:
        try:
            start.wait(timeout=60)
            intake.land_orders(items=items, now=nov(11))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=land, args=(items,)) for items in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == []
    assert (balance(ann), balance(ben), balance(eve)) == (0, 100 + 4 * 3 + 4 * 3, 3 * 3)
